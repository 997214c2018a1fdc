#include "transfer/maildir_target.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/digest.h"
#include "transfer/uid_list.h"

namespace transfer {

namespace fs = std::filesystem;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kPendingMax = 1024;
constexpr std::uint64_t kPendingBytesMax = 64u << 20;
constexpr std::string_view kOurs = ".posthorn";
constexpr std::size_t kKeywordLetters = 26;

Result<> MakeDirectory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return WriteError("make", path, errno);
  return {};
}

std::string GuidOf(const std::string& name, std::uint32_t uid_validity) {
  mail::Digest digest;
  digest.Update(fmt::format("{} {}", uid_validity, name));
  std::string text;
  for (const std::uint8_t byte : digest.Finish()) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

Result<MaildirTarget> MaildirTarget::Open(const std::string& path, MaildirLayout layout, const std::string& account) {
  ASSIGN_OR_RETURN(std::string folder, ClaimFolder(path, account));
  File root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.is_open()) return base::ErrnoError("open " + folder, errno);
  return MaildirTarget(std::move(folder), layout, std::move(root));
}

Result<> MaildirTarget::Begin(const TargetMailbox& mailbox) {
  ASSIGN_OR_RETURN(const std::string name, FolderOfMailbox(mailbox.name, layout_));
  mailbox_ = &mailbox;
  folder_ = name.empty() ? path_ : path_ + "/" + name;
  lost_keywords_ = 0;
  RETURN_IF_ERROR(MakeFolders(name));
  RETURN_IF_ERROR(FindWritten());
  if (mailbox.subscribed) {
    const bool is_flat = layout_ == MaildirLayout::kMaildirPlusPlus;
    subscribed_.push_back(name.empty() ? "INBOX" : is_flat ? name.substr(1) : name);
  }
  return ChooseKeywords(mailbox);
}

Result<> MaildirTarget::MakeFolders(const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    RETURN_IF_ERROR(MakeDirectory(path_ + "/" + name.substr(0, slash)));
  }
  RETURN_IF_ERROR(MakeDirectory(folder_));
  for (const char* sub : {"/tmp", "/new", "/cur"}) RETURN_IF_ERROR(MakeDirectory(folder_ + sub));
  // What says "a folder, no Maildir of its own" to those who deliver (Maildir++).
  if (!name.empty()) RETURN_IF_ERROR(ReplaceFile(folder_ + "/maildirfolder", ""));
  return {};
}

Result<> MaildirTarget::FindWritten() {
  written_.clear();
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_ + "/cur", failed)) {
    const std::string name = entry.path().filename().string();
    const std::size_t ours = name.find(kOurs);
    if (ours != std::string::npos) written_[name.substr(0, ours + kOurs.size())] = name;
  }
  if (failed) return WriteError("read", folder_ + "/cur", failed.value());
  for (const auto& entry : fs::directory_iterator(folder_ + "/tmp", failed)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kOurs)) ::unlink(entry.path().c_str());
  }
  return {};
}

// Letters that an earlier run gave stay: its files' names have them.
Result<> MaildirTarget::ChooseKeywords(const TargetMailbox& mailbox) {
  const std::string path = folder_ + "/dovecot-keywords";
  const auto before = ReadWhole(AT_FDCWD, path, 1u << 20);
  keywords_ = before.has_value() ? ParseKeywordList(*before) : std::vector<std::string>();
  for (const std::string& keyword : KeywordsOf(mailbox.mails)) {
    if (keyword == "$Forwarded" || std::ranges::find(keywords_, keyword) != keywords_.end()) continue;
    if (keywords_.size() < kKeywordLetters) keywords_.push_back(keyword);
  }
  if (keywords_.empty()) return {};
  std::string text;
  for (std::size_t i = 0; i < keywords_.size(); ++i) {
    if (!keywords_[i].empty()) text += fmt::format("{} {}\n", i, keywords_[i]);
  }
  return ReplaceFile(path, text);
}

std::string MaildirTarget::StemOf(const TargetMail& mail) const {
  const std::int64_t seconds = std::max<std::int64_t>(0, mail.date_us / 1'000'000);
  return fmt::format("{}.V{}U{}{}", seconds, mailbox_->uid_validity, mail.uid, kOurs);
}

Result<bool> MaildirTarget::NeedsMail(const TargetMail& mail) {
  const auto written = written_.find(StemOf(mail));
  if (written == written_.end()) return true;
  // Its flags may have changed since.
  const std::string name =
      std::string(MaildirBaseName(written->second)) + FlagSuffix(mail.flags, keywords_, &lost_keywords_);
  if (name == written->second) return false;
  const std::string from = folder_ + "/cur/" + written->second;
  const std::string to = folder_ + "/cur/" + name;
  if (::rename(from.c_str(), to.c_str()) != 0) return WriteError("name", to, errno);
  written->second = name;
  return false;
}

Result<> MaildirTarget::Add(const TargetMail& mail, std::string_view bytes) {
  const std::string stem = StemOf(mail);
  const std::string path = folder_ + "/tmp/" + stem;
  const std::string text = WithLineFeeds(bytes);
  const File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return WriteError("make", path, errno);
  RETURN_IF_ERROR(WriteAll(file.fd(), text, path));
  std::int64_t seconds = mail.date_us / 1'000'000;
  std::int64_t micros = mail.date_us % 1'000'000;
  if (micros < 0) {
    seconds -= 1;
    micros += 1'000'000;
  }
  const timespec date{.tv_sec = seconds, .tv_nsec = micros * 1000};
  const timespec times[] = {date, date};
  if (::futimens(file.fd(), times) != 0) return WriteError("date", path, errno);
  const std::string name = fmt::format("{},S={},W={}{}", stem, text.size(), bytes.size(),
                                       FlagSuffix(mail.flags, keywords_, &lost_keywords_));
  pending_.push_back({stem, name});
  pending_bytes_ += text.size();
  written_[stem] = name;
  if (pending_.size() < kPendingMax && pending_bytes_ < kPendingBytesMax) return {};
  return NamePending();
}

Result<> MaildirTarget::NamePending() {
  if (pending_.empty()) return {};
  if (::syncfs(root_.fd()) != 0) return WriteError("write", path_, errno);
  for (const Pending& pending : pending_) {
    const std::string from = folder_ + "/tmp/" + pending.stem;
    const std::string to = folder_ + "/cur/" + pending.name;
    if (::rename(from.c_str(), to.c_str()) != 0) return WriteError("name", to, errno);
  }
  pending_.clear();
  pending_bytes_ = 0;
  return {};
}

Result<> MaildirTarget::End() {
  RETURN_IF_ERROR(NamePending());
  std::string list =
      FormatUidListHead(mailbox_->uid_validity, mailbox_->uid_next, GuidOf(mailbox_->name, mailbox_->uid_validity));
  std::size_t listed = 0;
  for (const TargetMail& mail : mailbox_->mails) {
    const auto written = written_.find(StemOf(mail));
    // Expunged on the node while it was exported.
    if (written == written_.end()) continue;
    list += FormatUidListLine(mail.uid, mail.uidl, MaildirBaseName(written->second));
    listed += 1;
  }
  RETURN_IF_ERROR(ReplaceFile(folder_ + "/dovecot-uidlist", list));
  if (written_.size() > listed) {
    AddFault(
        fmt::format("{}: {} mails that an earlier run wrote are no longer in the mailbox; their files are still "
                    "there",
                    folder_, written_.size() - listed));
  }
  if (lost_keywords_ > 0) {
    AddFault(fmt::format("{}: a Maildir has letters for 26 keywords of a folder; {} further ones of its mails are lost",
                         folder_, lost_keywords_));
  }
  return {};
}

Result<> MaildirTarget::Finish() {
  std::string text;
  for (const std::string& name : subscribed_) text += name + "\n";
  RETURN_IF_ERROR(ReplaceFile(path_ + "/subscriptions", text));
  // The names too: who reads that the export is done may delete the mail.
  if (::syncfs(root_.fd()) != 0) return WriteError("write", path_, errno);
  return {};
}

}  // namespace transfer
