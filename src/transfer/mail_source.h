// MailSource: where mail is imported from: a Maildir, an mbox file, another IMAP server.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace transfer {

struct SourceFolder {
  std::string mailbox;             // The name that it gets here: UTF-8, levels parted by '/'.
  std::string place;               // Where it lies, for the source and for people.
  std::uint32_t uid_validity = 0;  // 0: the source has none that clients know.
  std::uint32_t uid_next = 0;
  bool subscribed = false;
};

struct SourceMail {
  std::uint32_t uid = 0;           // 0: none that clients know.
  std::string uidl;                // What POP3 clients know it by; empty: not known, or not of the INBOX.
  std::vector<std::string> flags;  // "\\Seen", and keywords.
  std::int64_t date_us = 0;        // IMAP's INTERNALDATE, microseconds since 1970.
  std::uint64_t size_bytes = 0;    // As the source has it, line ends and all.
  // What it is at the source, the same whenever it is read there: a mail is imported once for each.
  std::array<std::uint8_t, 16> origin{};
  std::string place;         // Of the mail, for the source and for people.
  std::uint64_t offset = 0;  // Within it; the source's own.
};

// Thread: one; calls block. Sources take hostile bytes.
class MailSource {
 public:
  virtual ~MailSource() = default;

  // Errors: those of the source as a whole.
  virtual base::Result<std::vector<SourceFolder>> Folders() = 0;
  // In the order in which they are to be imported: by UID, then those without, by date. What cannot be imported is left
  // out and told in Faults(). Errors: those of the folder.
  virtual base::Result<std::vector<SourceMail>> Mails(const SourceFolder& folder) = 0;
  // These are read next, in this order: a source that pays for each question can ask for all at once.
  virtual base::Result<> Announce(const SourceFolder& folder, const std::vector<const SourceMail*>& mails);
  // All its bytes, with any line ends. Errors: kNotFound (it has gone meanwhile), kInvalid (no mail), kIo, kClosed.
  virtual base::Result<std::string> Read(const SourceFolder& folder, const SourceMail& mail) = 0;

  // What was wrong with the source so far, a sentence each with its place; taken once. Mail may be missing for each.
  std::vector<std::string> TakeFaults() { return std::exchange(faults_, {}); }

 protected:
  void AddFault(std::string sentence) { faults_.push_back(std::move(sentence)); }

 private:
  std::vector<std::string> faults_;
};

// Leaves out the flags that IMAP cannot say here: keywords that are no atoms (RFC 3501 §9) or too long, and system
// flags of other servers. Returns the keywords among them, each once; at most kForeignKeywordsMax.
inline constexpr std::size_t kForeignKeywordsMax = 100;
std::vector<std::string> LeaveOutForeignFlags(std::vector<SourceMail>* mails);

inline base::Result<> MailSource::Announce(const SourceFolder&, const std::vector<const SourceMail*>&) {
  return {};
}

}  // namespace transfer
