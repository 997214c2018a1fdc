// MboxSource: one mbox file as one mailbox. docs/cli.md, "Moving mail".
#pragma once

#include <string>
#include <vector>

#include "pop3/proto/uidl_format.h"
#include "transfer/files.h"
#include "transfer/mail_source.h"
#include "transfer/mbox.h"

namespace transfer {

struct MboxSourceOptions {
  std::string path;
  std::string mailbox = "INBOX";  // Where its mail goes.
  MboxQuoting quoting = MboxQuoting::kMboxrd;
  pop3::proto::UidlFormat uidl_format;        // Of the POP3 server that used it, for mails without an X-UIDL.
  std::uint64_t mail_bytes_max = 1ull << 30;  // One mail is held in memory.
  std::uint64_t mails_max = 20'000'000;
};

// Flags come from Status, X-Status and X-Keywords, UIDs from X-UID and X-IMAPbase or X-IMAP, UIDLs
// from X-UIDL or the UID, dates from the From lines.
// The file must not be written to meanwhile. A mail's origin is its bytes, and how many mails with the same bytes stand
// before it: so a file that was packed or appended to since the last import is known again.
// Thread: one. Memory: about 200 bytes a mail, and one mail.
class MboxSource final : public MailSource {
 public:
  // Errors: kNotFound, kInvalid (no mbox), kDenied.
  static base::Result<MboxSource> Open(MboxSourceOptions options);

  base::Result<std::vector<SourceFolder>> Folders() override;
  base::Result<std::vector<SourceMail>> Mails(const SourceFolder& folder) override;
  base::Result<std::string> Read(const SourceFolder& folder, const SourceMail& mail) override;

 private:
  MboxSource(MboxSourceOptions options, File file) : options_(std::move(options)), file_(std::move(file)) {}
  base::Result<std::vector<MboxPlace>> Scan();
  base::Result<> AddMail(const MboxPlace& place);
  void CountRepeated();
  void ChooseUids();
  void ChooseUidls();

  MboxSourceOptions options_;
  File file_;
  SourceFolder folder_;
  std::vector<SourceMail> mails_;  // Found by Folders().
};

}  // namespace transfer
