#include "transfer/maildir_source.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/digest.h"

namespace transfer {

namespace fs = std::filesystem;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kFoldersMax = 100'000;
constexpr std::size_t kKeywordFileBytesMax = 64u << 10;
constexpr int kKeywordReadsMax = 3;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string Below(std::string_view folder, std::string_view name) {
  return fmt::format("{}/{}", folder, name);
}

// Names of a directory, but for those that begin with a dot unless `hidden`. Never through a link.
Result<std::vector<std::string>> Names(const std::string& path, bool hidden) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return base::ErrnoError("open " + path, errno);
  // Takes the descriptor over.
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(descriptor));
  if (directory == nullptr) {
    const int code = errno;
    ::close(descriptor);
    return base::ErrnoError("open " + path, code);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || (name.starts_with('.') && !hidden)) continue;
    names.emplace_back(name);
  }
  if (errno != 0) return base::ErrnoError("read " + path, errno);
  std::ranges::sort(names);
  return names;
}

bool IsDirectory(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool IsMaildir(const std::string& path) {
  return IsDirectory(path + "/cur");
}

// The same as long as the file is that mail: its name changes with its flags, its bytes and date do not.
std::array<std::uint8_t, 16> OriginOf(std::string_view base_name, const struct stat& status) {
  mail::Digest digest;
  digest.Update(fmt::format("maildir {} {} {}", base_name, status.st_size, status.st_mtim.tv_sec));
  return digest.Finish();
}

}  // namespace

Result<MaildirSource> MaildirSource::Open(MaildirSourceOptions options) {
  std::error_code failed;
  // The Maildir itself may be named by a link; what lies in it may not.
  const fs::path path = fs::canonical(options.path, failed);
  if (failed) return base::ErrnoError("open " + options.path, failed.value());
  options.path = path.string();
  if (!IsMaildir(options.path)) {
    return Error(Errc::kInvalid, fmt::format("{} is no Maildir: it has no folder cur", options.path));
  }
  return MaildirSource(std::move(options));
}

Result<std::vector<SourceFolder>> MaildirSource::Folders() {
  std::vector<SourceFolder> folders;
  const std::vector<std::string> subscribed = Subscriptions();
  for (const std::string& name : FindFolders()) {
    SourceFolder folder;
    folder.place = name.empty() ? options_.path : options_.path + "/" + name;
    auto mailbox = MailboxOfFolder(name, options_.layout);
    if (!mailbox.has_value()) {
      AddFault(fmt::format("{}: {}; its mail is left out", folder.place, mailbox.error().message()));
      continue;
    }
    folder.mailbox = *std::move(mailbox);
    const auto lists = ReadUids(folder.place);
    if (!lists.has_value()) return base::Error(lists.error());
    folder.uid_validity = lists->uids.uid_validity;
    folder.uid_next = lists->uids.uid_next;
    folder.subscribed = std::ranges::find(subscribed, folder.mailbox) != subscribed.end();
    folders.push_back(std::move(folder));
  }
  return folders;
}

std::vector<std::string> MaildirSource::FindFolders() {
  std::vector<std::string> found{""};
  const bool is_flat = options_.layout == MaildirLayout::kMaildirPlusPlus;
  for (std::size_t at = 0; at < found.size() && found.size() < kFoldersMax; ++at) {
    if (is_flat && at > 0) break;
    const std::string parent = found[at];
    const auto names = Names(options_.path + "/" + parent, true);
    if (!names.has_value()) {
      AddFault(names.error().message());
      continue;
    }
    for (const std::string& name : *names) {
      const std::string path = parent.empty() ? name : Below(parent, name);
      const bool is_own = name == "cur" || name == "new" || name == "tmp";
      if (is_own || name.starts_with('.') != is_flat || !IsDirectory(options_.path + "/" + path)) continue;
      if (!is_flat || IsMaildir(options_.path + "/" + path)) found.push_back(path);
    }
  }
  // A directory that holds only others is no mailbox.
  std::erase_if(found, [&](const std::string& name) { return !IsMaildir(options_.path + "/" + name); });
  return found;
}

std::vector<std::string> MaildirSource::Subscriptions() {
  const char separator = options_.layout == MaildirLayout::kMaildirPlusPlus ? '.' : '/';
  std::vector<std::string> names = ParseSubscriptions(ReadIfThere(options_.path + "/subscriptions"), separator);
  for (std::string& name : ParseSubscriptions(ReadIfThere(options_.path + "/courierimapsubscribed"), '.')) {
    // Courier's names all lie below INBOX.
    names.push_back(name.starts_with("INBOX/") ? name.substr(6) : std::move(name));
  }
  for (std::string& name : names) {
    const auto decoded = MailboxOfFolder(name, MaildirLayout::kDirectories);
    if (decoded.has_value()) name = *decoded;
  }
  return names;
}

std::string MaildirSource::ReadIfThere(const std::string& path) {
  auto text = ReadWhole(AT_FDCWD, path, options_.list_bytes_max);
  if (text.has_value()) return *std::move(text);
  if (text.error().code() != Errc::kNotFound) AddFault(text.error().message());
  return {};
}

Result<UidList> MaildirSource::ReadUidList(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadWhole(AT_FDCWD, path, options_.list_bytes_max));
  auto list = ParseUidList(text);
  if (!list.has_value()) return std::move(list).error().In(path);
  for (std::string& fault : list->faults) fault = fmt::format("{}: {}; its mail gets a new UID", path, fault);
  return list;
}

Result<MaildirSource::Lists> MaildirSource::ReadUids(const std::string& folder) {
  Lists lists;
  auto uids = ReadUidList(folder + "/dovecot-uidlist");
  lists.is_dovecots = uids.has_value();
  if (!uids.has_value() && uids.error().code() == Errc::kNotFound) uids = ReadUidList(folder + "/courierimapuiddb");
  // Without its UIDs every client would fetch all again: that is for the operator to decide.
  if (!uids.has_value() && uids.error().code() != Errc::kNotFound) return std::move(uids).error();
  if (uids.has_value()) lists.uids = *std::move(uids);
  return lists;
}

Result<MaildirSource::Lists> MaildirSource::ReadLists(const std::string& folder) {
  ASSIGN_OR_RETURN(Lists lists, ReadUids(folder));
  for (std::string& fault : lists.uids.faults) AddFault(std::move(fault));
  lists.keywords = ParseKeywordList(ReadIfThere(folder + "/dovecot-keywords"));
  // What Courier left behind where Dovecot came after it is out of date.
  if (lists.is_dovecots) return lists;
  lists.courier_uidls = ParseCourierUidls(ReadIfThere(folder + "/courierpop3dsizelist"));
  lists.courier_keywords = ReadCourierKeywords(folder);
  return lists;
}

// Courier may be at work: it writes a change as a file, renames the file, brings it into the list, and removes it, in
// this order. So the list is read last, and all again when a file has gone from its name.
CourierKeywords MaildirSource::ReadCourierKeywords(const std::string& folder) {
  const std::string path = Below(folder, CourierKeywords::kFolder);
  CourierKeywords keywords;
  for (int reads = 1; reads <= kKeywordReadsMax; ++reads) {
    keywords = CourierKeywords();
    const auto names = Names(path, true);
    if (!names.has_value()) {
      if (names.error().code() != Errc::kNotFound) AddFault(names.error().message());
      return keywords;
    }
    bool has_gone = false;
    for (const auto& [mail, file] : NewestKeywordChanges(*names)) {
      const auto text = ReadWhole(AT_FDCWD, Below(path, file), kKeywordFileBytesMax);
      if (text.has_value()) keywords.AddChange(mail, *text);
      if (text.has_value()) continue;
      has_gone = has_gone || text.error().code() == Errc::kNotFound;
      if (text.error().code() != Errc::kNotFound) AddFault(text.error().message());
    }
    keywords.AddList(ReadIfThere(Below(path, CourierKeywords::kList)));
    if (!has_gone) break;
  }
  return keywords;
}

Result<std::vector<SourceMail>> MaildirSource::Mails(const SourceFolder& folder) {
  ASSIGN_OR_RETURN(const Lists lists, ReadLists(folder.place));
  std::vector<SourceMail> mails;
  // new first: what is moved to cur meanwhile is then seen at least once, and an origin is imported once only.
  for (const char* sub : {"new", "cur"}) RETURN_IF_ERROR(AddMails(folder, sub, lists, &mails));
  std::ranges::sort(mails, {}, [](const SourceMail& mail) {
    const std::uint64_t uid = mail.uid != 0 ? mail.uid : std::uint64_t{UINT32_MAX} + 1;
    return std::tuple(uid, mail.date_us, std::string_view(mail.place));
  });
  return mails;
}

Result<> MaildirSource::AddMails(const SourceFolder& folder, const std::string& sub, const Lists& lists,
                                 std::vector<SourceMail>* mails) {
  const std::string path = folder.place + "/" + sub;
  const auto names = Names(path, false);
  if (!names.has_value()) {
    if (names.error().code() == Errc::kNotFound) return {};
    return base::Error(names.error());
  }
  for (const std::string& name : *names) {
    struct stat status{};
    SourceMail mail;
    mail.place = Below(path, name);
    if (::lstat(mail.place.c_str(), &status) != 0) continue;  // Gone or renamed since.
    if (!S_ISREG(status.st_mode)) {
      AddFault(mail.place + ": this is no regular file");
      continue;
    }
    if (mails->size() >= options_.mails_max)
      return Error(Errc::kNoSpace, path + " has more mails than can be imported");
    const std::string base(MaildirBaseName(name));
    mail.flags = FlagsOfFileName(name, lists.keywords);
    for (const std::string& keyword : lists.courier_keywords.Of(base)) mail.flags.push_back(keyword);
    mail.date_us = status.st_mtim.tv_sec * 1'000'000 + status.st_mtim.tv_nsec / 1000;
    mail.size_bytes = static_cast<std::uint64_t>(status.st_size);
    mail.origin = OriginOf(base, status);
    if (const auto found = lists.uids.by_name.find(base); found != lists.uids.by_name.end()) {
      mail.uid = found->second.uid;
      mail.uidl = found->second.uidl;
      if (mail.uidl.empty() && lists.is_dovecots) {
        mail.uidl = options_.uidl_format.Format(lists.uids.uid_validity, mail.uid);
      }
    }
    if (const auto uidl = lists.courier_uidls.find(base); uidl != lists.courier_uidls.end()) mail.uidl = uidl->second;
    // POP3 shows the INBOX only.
    if (folder.mailbox != "INBOX") mail.uidl.clear();
    mails->push_back(std::move(mail));
  }
  return {};
}

Result<std::string> MaildirSource::Read(const SourceFolder& folder, const SourceMail& mail) {
  auto bytes = ReadWhole(AT_FDCWD, mail.place, options_.mail_bytes_max);
  if (bytes.has_value() || bytes.error().code() != Errc::kNotFound) return bytes;
  // Another client gave it other flags, or moved it from new to cur.
  const std::string base(MaildirBaseName(fs::path(mail.place).filename().string()));
  const auto names = Names(folder.place + "/cur", false);
  if (!names.has_value()) return bytes;
  for (const std::string& name : *names) {
    if (MaildirBaseName(name) == base)
      return ReadWhole(AT_FDCWD, folder.place + "/cur/" + name, options_.mail_bytes_max);
  }
  return bytes;
}

}  // namespace transfer
