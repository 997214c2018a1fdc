// Ledger: what clients were told by a node until its power was cut, and so what a restarted node must show.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/client.h"
#include "node/node_rig.h"

namespace node {

// A mail whose last byte was sent over SMTP. "X-Token: TOKEN" stands in its header.
struct SentMail {
  std::string token;
  std::string text;
  std::vector<std::string> recipients;
  bool acknowledged = false;
  std::string sender{kSender};
};

struct SmtpRecord {
  std::vector<SentMail> sent;
  bool finished = false;  // The client got through its whole script.
};

// The mailboxes of an account by name.
using Mailboxes = std::map<std::string, FetchedBox>;

// An account that one client uses, one command after the other.
struct AccountRecord {
  std::string address;
  Mailboxes acknowledged;
  // What the account is if the last command was done, which got no "OK".
  std::optional<Mailboxes> in_doubt{};
  std::vector<std::string> problems{};  // Answers that were wrong.
  bool finished = false;
};

struct Ledger {
  SmtpRecord smtp;
  AccountRecord imap;
  AccountRecord pop3;
  bool finished() const { return smtp.finished && imap.finished && pop3.finished; }
};

struct Findings {
  std::vector<std::string> problems;  // Sentences; empty when the ledger holds.
  std::uint64_t mails_lost = 0;       // Acknowledged over SMTP, missing.
  bool account_differs = false;       // What IMAP or POP3 acknowledged does not hold.
};

// Reads everything back from a node that runs, and uses it once more. Waits until the queue is empty.
Findings Compare(NodeRig* rig, const Ledger& ledger);

// What differs, as a sentence; empty when `actual` is `expected`.
std::string Difference(const Mailboxes& actual, const Mailboxes& expected);

}  // namespace node
