// MboxTarget: mbox files (mboxrd) with what Dovecot and c-client keep in them: UIDs, flags, keywords. docs/cli.md,
// "Moving mail".
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "transfer/files.h"
#include "transfer/mail_target.h"

namespace transfer {

// A mailbox is one file, which gets its name when it is whole and durable: a run that was cut short begins the mailbox
// that it was at anew.
class MboxTarget final : public MailTarget {
 public:
  // All mailboxes of an account below a folder, as "INBOX.mbox" and "Work/2026.mbox". The folder must be missing,
  // empty, or the export of the same account. Errors: kExists, kDenied, kIo.
  static base::Result<MboxTarget> OpenFolder(const std::string& path, const std::string& account);
  // One mailbox. Errors: kExists.
  static base::Result<MboxTarget> OpenFile(const std::string& path);

  base::Result<> Begin(const TargetMailbox& mailbox) override;
  base::Result<bool> NeedsMail(const TargetMail& mail) override;
  base::Result<> Add(const TargetMail& mail, std::string_view bytes) override;
  base::Result<> End() override;
  base::Result<> Finish() override { return {}; }

 private:
  MboxTarget(std::string folder, std::string file) : folder_(std::move(folder)), only_file_(std::move(file)) {}
  std::string PathOf(const std::string& mailbox) const;

  std::string folder_;     // Or empty:
  std::string only_file_;  // the one file.

  // Of the mailbox at work.
  std::string path_;
  File file_;         // Not open: an earlier run has written it.
  std::string base_;  // For the first mail.
};

}  // namespace transfer
