#include "node/ledger.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>

namespace node {
namespace {

constexpr std::string_view kTokenField = "X-Token: ";

// Copies by token and recipient.
using Copies = std::map<std::string, std::map<std::string, std::uint32_t>>;

bool QueueDrains(NodeRig* rig);
void CompareSmtp(NodeRig* rig, const SmtpRecord& record, Findings* findings);
Copies CountCopies(NodeRig* rig, const SmtpRecord& record, Findings* findings);
void CheckCopies(const SentMail& mail, const std::map<std::string, std::uint32_t>& copies, Findings* findings);
std::string StoredWrongly(const std::string& stored, const SentMail& mail);
std::string TokenOf(const std::string& text);
void CompareAccount(NodeRig* rig, const AccountRecord& record, Findings* findings);
void CheckUse(NodeRig* rig, const Ledger& ledger, Findings* findings);

}  // namespace

Findings Compare(NodeRig* rig, const Ledger& ledger) {
  Findings findings;
  for (const AccountRecord* record : {&ledger.imap, &ledger.pop3}) {
    findings.problems.insert(findings.problems.end(), record->problems.begin(), record->problems.end());
  }
  if (!rig->start_error().empty()) {
    findings.problems.push_back("the node does not start: " + rig->start_error());
    return findings;
  }
  if (!QueueDrains(rig)) findings.problems.push_back(fmt::format("{} mails stay in the queue", rig->QueuedMails()));
  CompareSmtp(rig, ledger.smtp, &findings);
  CompareAccount(rig, ledger.imap, &findings);
  CompareAccount(rig, ledger.pop3, &findings);
  CheckUse(rig, ledger, &findings);
  return findings;
}

std::string Difference(const Mailboxes& actual, const Mailboxes& expected) {
  for (const auto& [name, box] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) return fmt::format("mailbox {} is missing", name);
    const FetchedBox& seen = found->second;
    if (seen.uid_validity != box.uid_validity) {
      return fmt::format("{}: UIDVALIDITY is {}, was {}", name, seen.uid_validity, box.uid_validity);
    }
    if (seen.uid_next < box.uid_next) {
      return fmt::format("{}: UIDNEXT went back from {} to {}", name, box.uid_next, seen.uid_next);
    }
    for (const auto& [uid, mail] : box.mails) {
      const auto mail_seen = seen.mails.find(uid);
      if (mail_seen == seen.mails.end()) return fmt::format("{}: UID {} is missing", name, uid);
      if (mail_seen->second.text != mail.text) return fmt::format("{}: UID {} has other bytes", name, uid);
      if (mail_seen->second.flags != mail.flags) return fmt::format("{}: UID {} has other flags", name, uid);
    }
    for (const auto& [uid, mail] : seen.mails) {
      if (!box.mails.contains(uid)) return fmt::format("{}: UID {} was expunged or never appended", name, uid);
    }
  }
  return {};
}

namespace {

bool QueueDrains(NodeRig* rig) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (rig->QueuedMails() > 0) {
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

void CompareSmtp(NodeRig* rig, const SmtpRecord& record, Findings* findings) {
  const Copies copies = CountCopies(rig, record, findings);
  for (const SentMail& mail : record.sent) {
    const auto found = copies.find(mail.token);
    CheckCopies(mail, found == copies.end() ? std::map<std::string, std::uint32_t>() : found->second, findings);
  }
}

Copies CountCopies(NodeRig* rig, const SmtpRecord& record, Findings* findings) {
  std::set<std::string> addresses;
  for (const SentMail& mail : record.sent) addresses.insert(mail.recipients.begin(), mail.recipients.end());
  Copies copies;
  for (const std::string& address : addresses) {
    Client client(rig->port("imap"));
    const auto box = BeginImap(&client, address) ? FetchBox(&client, "INBOX") : std::nullopt;
    if (!box.has_value()) {
      findings->problems.push_back(fmt::format("the INBOX of {} cannot be read", address));
      continue;
    }
    for (const auto& [uid, stored] : box->mails) {
      const std::string token = TokenOf(stored.text);
      const auto mail = std::ranges::find(record.sent, token, &SentMail::token);
      const std::string wrong = mail == record.sent.end() ? "was never sent" : StoredWrongly(stored.text, *mail);
      if (!wrong.empty()) findings->problems.push_back(fmt::format("mail '{}' of {} {}", token, address, wrong));
      copies[token][address] += 1;
    }
  }
  return copies;
}

void CheckCopies(const SentMail& mail, const std::map<std::string, std::uint32_t>& copies, Findings* findings) {
  std::uint64_t reached = 0;
  for (const auto& [address, count] : copies) {
    reached += 1;
    if (count > 1)
      findings->problems.push_back(fmt::format("mail {} is in the INBOX of {} {} times", mail.token, address, count));
    if (std::ranges::find(mail.recipients, address) == mail.recipients.end()) {
      findings->problems.push_back(fmt::format("mail {} was not for {}", mail.token, address));
    }
  }
  if (reached == mail.recipients.size()) return;
  if (mail.acknowledged) {
    findings->mails_lost += 1;
    findings->problems.push_back(fmt::format("mail {} got 250 and is with {} of its {} recipients", mail.token, reached,
                                             mail.recipients.size()));
  } else if (reached > 0) {
    findings->problems.push_back(fmt::format("mail {} without a 250 is with {} of its {} recipients", mail.token,
                                             reached, mail.recipients.size()));
  }
}

// What was sent follows our own fields, byte for byte.
std::string StoredWrongly(const std::string& stored, const SentMail& mail) {
  if (!stored.ends_with(mail.text)) return "has other bytes than were sent";
  const std::string_view added = std::string_view(stored).substr(0, stored.size() - mail.text.size());
  if (!added.starts_with(fmt::format("Return-Path: <{}>\r\n", mail.sender))) return "has no Return-Path";
  if (added.find("\r\nDelivered-To: ") == std::string_view::npos) return "has no Delivered-To";
  if (added.find("\r\nReceived: ") == std::string_view::npos) return "has no Received";
  return {};
}

std::string TokenOf(const std::string& text) {
  const std::size_t at = text.find(kTokenField);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + kTokenField.size();
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

void CompareAccount(NodeRig* rig, const AccountRecord& record, Findings* findings) {
  Client client(rig->port("imap"));
  Mailboxes actual;
  bool readable = BeginImap(&client, record.address);
  for (const auto& [name, box] : record.acknowledged) {
    auto seen = readable ? FetchBox(&client, name) : std::nullopt;
    readable = seen.has_value();
    if (readable) actual[name] = *std::move(seen);
  }
  if (!readable) findings->problems.push_back("the mailboxes cannot be read: " + record.address);
  const std::string difference = Difference(actual, record.acknowledged);
  if (difference.empty()) return;
  if (record.in_doubt.has_value() && Difference(actual, *record.in_doubt).empty()) return;
  findings->account_differs = true;
  findings->problems.push_back(record.address + ": " + difference);
}

// A restarted node serves: one more mail, one more APPEND, with a UID that was never given before.
void CheckUse(NodeRig* rig, const Ledger& ledger, Findings* findings) {
  Client smtp(rig->port("smtp"));
  const std::string reply =
      BeginSmtp(&smtp) ? SendMail(&smtp, {ledger.imap.address}, "Subject: again\r\n\r\nagain\r\n") : "";
  if (!reply.starts_with("250")) findings->problems.push_back("mail is not accepted after the restart: " + reply);
  Client imap(rig->port("imap"));
  const auto& [name, box] = *ledger.imap.acknowledged.begin();
  const auto before = BeginImap(&imap, ledger.imap.address) ? FetchBox(&imap, name) : std::nullopt;
  const ImapAnswer answer = AskImap(&imap, AppendCommand(name, {}, "Subject: again\r\n\r\nagain\r\n"));
  if (!before.has_value() || !answer.ok()) {
    findings->problems.push_back("APPEND fails after the restart: " + answer.status);
  } else if (!answer.status.starts_with(fmt::format("OK [APPENDUID {} {}]", box.uid_validity, before->uid_next))) {
    findings->problems.push_back(fmt::format("APPEND to {} gave another UID than UIDNEXT: {}", name, answer.status));
  }
}

}  // namespace
}  // namespace node
