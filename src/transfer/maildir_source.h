// MaildirSource: a Maildir with its folders, as Dovecot, Courier and others keep it. docs/cli.md, "Moving mail".
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pop3/proto/uidl_format.h"
#include "transfer/courier_keywords.h"
#include "transfer/files.h"
#include "transfer/mail_source.h"
#include "transfer/maildir_names.h"
#include "transfer/uid_list.h"

namespace transfer {

struct MaildirSourceOptions {
  std::string path;
  MaildirLayout layout = MaildirLayout::kMaildirPlusPlus;
  pop3::proto::UidlFormat uidl_format;        // Of the POP3 server that used it (Dovecot's pop3_uidl_format).
  std::uint64_t list_bytes_max = 256u << 20;  // Of a list of UIDs.
  std::uint64_t mails_max = 20'000'000;       // Of a folder.
  std::uint64_t mail_bytes_max = 4ull << 30;
};

// UIDs come from dovecot-uidlist, else from courierimapuiddb; UIDLs from Dovecot's P fields or the UID, else from
// courierpop3dsizelist; flags from file names and dovecot-keywords, else courierimapkeywords; dates are the files'.
// What lies in tmp is not there yet. The Maildir may be in use: a file that got other flags meanwhile is found again.
// Thread: one. Memory: about 300 bytes a mail of the folder at work.
class MaildirSource final : public MailSource {
 public:
  // Errors: kNotFound, kInvalid (no Maildir), kDenied.
  static base::Result<MaildirSource> Open(MaildirSourceOptions options);

  base::Result<std::vector<SourceFolder>> Folders() override;
  base::Result<std::vector<SourceMail>> Mails(const SourceFolder& folder) override;
  base::Result<std::string> Read(const SourceFolder& folder, const SourceMail& mail) override;

 private:
  explicit MaildirSource(MaildirSourceOptions options) : options_(std::move(options)) {}

  // What lies beside the mails of a folder.
  struct Lists {
    UidList uids;  // uid_validity 0: there is none.
    std::unordered_map<std::string, std::string> courier_uidls;
    std::vector<std::string> keywords;  // By letters: Dovecot's.
    CourierKeywords courier_keywords;
    bool is_dovecots = false;
  };
  std::vector<std::string> FindFolders();
  base::Result<Lists> ReadUids(const std::string& folder);  // Only these, for a first look.
  base::Result<Lists> ReadLists(const std::string& folder);
  base::Result<UidList> ReadUidList(const std::string& path);
  CourierKeywords ReadCourierKeywords(const std::string& folder);
  std::string ReadIfThere(const std::string& path);
  std::vector<std::string> Subscriptions();
  base::Result<> AddMails(const SourceFolder& folder, const std::string& sub, const Lists& lists,
                          std::vector<SourceMail>* mails);

  MaildirSourceOptions options_;
};

}  // namespace transfer
