// MaildirTarget: a Maildir with its folders, as Dovecot reads it: UIDs, flags, keywords, dates. docs/cli.md, "Moving
// mail".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "transfer/files.h"
#include "transfer/mail_target.h"
#include "transfer/maildir_names.h"

namespace transfer {

// A mail's file gets its place in cur when its bytes are durable; many get theirs together, since one flush costs as
// much as many. Its name is made of UIDVALIDITY and UID, so another run knows it. dovecot-uidlist is written last.
class MaildirTarget final : public MailTarget {
 public:
  // Makes the folder; one that is there must be empty, or the export of the same `account`. Errors: kExists, kDenied,
  // kIo.
  static base::Result<MaildirTarget> Open(const std::string& path, MaildirLayout layout, const std::string& account);

  base::Result<> Begin(const TargetMailbox& mailbox) override;
  base::Result<bool> NeedsMail(const TargetMail& mail) override;
  base::Result<> Add(const TargetMail& mail, std::string_view bytes) override;
  base::Result<> End() override;
  base::Result<> Finish() override;

 private:
  MaildirTarget(std::string path, MaildirLayout layout, File root)
      : path_(std::move(path)), layout_(layout), root_(std::move(root)) {}
  base::Result<> MakeFolders(const std::string& name);
  base::Result<> FindWritten();
  base::Result<> ChooseKeywords(const TargetMailbox& mailbox);
  base::Result<> NamePending();
  // "1700000000.V5U12.posthorn": before the sizes and flags.
  std::string StemOf(const TargetMail& mail) const;

  std::string path_;
  MaildirLayout layout_;
  File root_;
  std::vector<std::string> subscribed_;

  // Of the mailbox at work.
  const TargetMailbox* mailbox_ = nullptr;
  std::string folder_;
  std::vector<std::string> keywords_;
  std::map<std::string, std::string> written_;  // Stem -> file name in cur.
  std::uint64_t lost_keywords_ = 0;
  struct Pending {
    std::string stem;  // Its name in tmp.
    std::string name;  // Its name in cur.
  };
  std::vector<Pending> pending_;
  std::uint64_t pending_bytes_ = 0;
};

}  // namespace transfer
