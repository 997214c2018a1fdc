// MailTarget: where mail is exported to: a Maildir, mbox files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace transfer {

struct TargetMail {
  std::uint32_t uid = 0;
  std::vector<std::string> flags;  // "\\Seen", and keywords.
  std::int64_t date_us = 0;
  std::uint64_t size_bytes = 0;  // With CRLF.
  std::string uidl;              // When it does not come out of the UID as Dovecot makes it.
};

struct TargetMailbox {
  std::string name;  // UTF-8, levels parted by '/'.
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;
  bool subscribed = false;
  std::vector<TargetMail> mails;  // By UID.
};

// Thread: one; calls block. Durability: what a run that was cut short leaves is whole, and the same run started again
// writes only what is missing. One mailbox at a time: Begin, then for each mail that NeedsMail() an Add() in the order
// of UIDs, then End.
class MailTarget {
 public:
  virtual ~MailTarget() = default;

  // The mailbox outlives its End(). Errors: kInvalid (it cannot be written there), kExists, kNoSpace, kIo.
  virtual base::Result<> Begin(const TargetMailbox& mailbox) = 0;
  // False: an earlier run has written it.
  virtual base::Result<bool> NeedsMail(const TargetMail& mail) = 0;
  virtual base::Result<> Add(const TargetMail& mail, std::string_view bytes) = 0;
  virtual base::Result<> End() = 0;
  // After the last mailbox.
  virtual base::Result<> Finish() = 0;

  // What the target cannot say, a sentence each; taken once.
  std::vector<std::string> TakeFaults() { return std::exchange(faults_, {}); }

 protected:
  void AddFault(std::string sentence) { faults_.push_back(std::move(sentence)); }

 private:
  std::vector<std::string> faults_;
};

// Bytes with LF in the place of CRLF, as files of mail have them.
std::string WithLineFeeds(std::string_view bytes);

// The keywords of all mails in the order of their first use.
std::vector<std::string> KeywordsOf(const std::vector<TargetMail>& mails);

}  // namespace transfer
