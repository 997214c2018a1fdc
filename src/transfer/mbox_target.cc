#include "transfer/mbox_target.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "transfer/maildir_names.h"
#include "transfer/mbox.h"

namespace transfer {

namespace fs = std::filesystem;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::string_view kUnfinished = ".unfinished";

}  // namespace

Result<MboxTarget> MboxTarget::OpenFolder(const std::string& path, const std::string& account) {
  ASSIGN_OR_RETURN(std::string folder, ClaimFolder(path, account));
  return MboxTarget(std::move(folder), "");
}

Result<MboxTarget> MboxTarget::OpenFile(const std::string& path) {
  std::error_code failed;
  if (fs::exists(path, failed)) return Error(Errc::kExists, fmt::format("{} exists; name another file", path));
  return MboxTarget("", path);
}

std::string MboxTarget::PathOf(const std::string& mailbox) const {
  if (folder_.empty()) return only_file_;
  if (mailbox == "INBOX") return folder_ + "/INBOX.mbox";
  // The encoding leaves no dots, so no level leads out of the folder.
  std::string path = folder_;
  for (std::string_view rest = mailbox; !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    path += "/" + EncodeLevel(rest.substr(0, slash));
    rest.remove_prefix(std::min(rest.size(), slash + 1));
  }
  return path + ".mbox";
}

Result<> MboxTarget::Begin(const TargetMailbox& mailbox) {
  path_ = PathOf(mailbox.name);
  file_ = File();
  std::error_code failed;
  if (fs::exists(path_, failed)) return {};
  if (!folder_.empty()) {
    fs::create_directories(fs::path(path_).parent_path(), failed);
    if (failed) return base::ErrnoError("make the folder of " + path_, failed.value());
  }
  const std::string unfinished = path_ + std::string(kUnfinished);
  file_ = File(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file_.is_open()) return base::ErrnoError("make " + unfinished, errno);
  base_ = fmt::format("{} {:010}", mailbox.uid_validity, mailbox.uid_next - 1);
  for (const std::string& keyword : KeywordsOf(mailbox.mails)) base_ += " " + keyword;
  return {};
}

Result<bool> MboxTarget::NeedsMail(const TargetMail&) {
  return file_.is_open();
}

Result<> MboxTarget::Add(const TargetMail& mail, std::string_view bytes) {
  const MboxFields fields{.flags = mail.flags, .uid = mail.uid, .uidl = mail.uidl, .base = std::exchange(base_, {})};
  return WriteAll(file_.fd(), FormatMboxMail(WithLineFeeds(bytes), mail.date_us, fields), path_);
}

Result<> MboxTarget::End() {
  if (!file_.is_open()) return {};
  if (::fsync(file_.fd()) != 0) return base::ErrnoError("write " + path_, errno);
  file_ = File();
  return NameDurably(path_ + std::string(kUnfinished), path_);
}

}  // namespace transfer
