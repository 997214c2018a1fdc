#include "salvage/rescue_folder.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace salvage {

namespace json = boost::json;

namespace {

constexpr std::string_view kUnfinished = ".unfinished";
constexpr std::size_t kPendingMax = 1024;
constexpr std::uint64_t kPendingBytesMax = 64u << 20;
constexpr std::size_t kReportBytesMax = 1u << 20;

// The volume that an earlier rescue into this folder was of; empty: there was none.
std::string VolumeOfReport(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kReportBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  boost::system::error_code failed;
  const json::value report = json::parse(text, failed);
  if (failed || !report.is_object()) return {};
  const json::value* const volume = report.get_object().if_contains("volume");
  return volume != nullptr && volume->is_string() ? std::string(volume->get_string()) : std::string();
}

}  // namespace

OpenFile::OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

base::Result<RescueFolder> RescueFolder::Open(const std::string& path, const std::string& volume, bool go_on) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return base::ErrnoError("make " + path, errno);
  OpenFile folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open()) return base::ErrnoError("open " + path, errno);
  RescueFolder opened(path, std::move(folder));
  RETURN_IF_ERROR(opened.TakeUp(volume, go_on));
  return opened;
}

base::Result<> RescueFolder::TakeUp(const std::string& volume, bool go_on) {
  std::error_code failed;
  const bool is_empty = std::filesystem::is_empty(path_, failed);
  if (failed) return base::ErrnoError("look into " + path_, failed.value());
  if (!is_empty) {
    if (!go_on) {
      return base::Error(base::Errc::kExists,
                         fmt::format("{} is not empty: name an empty folder, or give --continue to "
                                     "go on with a rescue that was cut short",
                                     path_));
    }
    const std::string of = VolumeOfReport((std::filesystem::path(path_) / kReport).string());
    if (of != volume) {
      return base::Error(base::Errc::kInvalid,
                         fmt::format("{} holds {}: name an empty folder", path_,
                                     of.empty() ? "something that is no rescue" : "the rescue of another volume"));
    }
  }
  RemoveUnfinished();
  const json::object report{{"volume", volume}, {"state", "running"}};
  return WriteReport(json::serialize(report));
}

RescueFolder::Written RescueFolder::IsWritten(const std::string& name) const {
  // What stands beside the mail is written after it.
  if (!Exists(name + ".json")) return Written::kNo;
  if (Exists(name + std::string(kWholeEnding))) return Written::kWhole;
  return Exists(name + std::string(kPartlyEnding)) ? Written::kPartly : Written::kNo;
}

bool RescueFolder::Exists(const std::string& name) const {
  struct stat status{};
  return ::fstatat(folder_.fd(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

base::Result<> RescueFolder::Begin(const std::string& name) {
  RETURN_IF_ERROR(MakeParents(name));
  ASSIGN_OR_RETURN(file_, MakeUnfinished(&unfinished_));
  name_ = name;
  return {};
}

base::Result<> RescueFolder::Write(std::string_view bytes) {
  pending_bytes_ += bytes.size();
  return WriteAll(file_.fd(), bytes);
}

base::Result<> RescueFolder::End(bool is_whole, std::string_view text) {
  file_ = OpenFile();
  pending_.push_back({unfinished_, name_ + std::string(is_whole ? kWholeEnding : kPartlyEnding)});
  std::string unfinished;
  ASSIGN_OR_RETURN(const OpenFile beside, MakeUnfinished(&unfinished));
  RETURN_IF_ERROR(WriteAll(beside.fd(), text));
  pending_.push_back({unfinished, name_ + ".json"});
  if (pending_.size() < kPendingMax && pending_bytes_ < kPendingBytesMax) return {};
  return NamePending();
}

base::Result<> RescueFolder::NamePending() {
  // One flush for all. Since Linux 5.8 it also tells of bytes that could not be written; an fsync of each file would
  // cost a flush of the disk each.
  if (::syncfs(folder_.fd()) != 0) return Failed("write", errno);
  // The mail before what stands beside it.
  for (const Pending& pending : pending_) {
    if (::renameat(folder_.fd(), pending.from.c_str(), folder_.fd(), pending.to.c_str()) != 0) {
      return Failed("name a file", errno);
    }
  }
  pending_.clear();
  pending_bytes_ = 0;
  return {};
}

base::Result<> RescueFolder::WriteReport(std::string_view text) {
  std::string unfinished;
  ASSIGN_OR_RETURN(const OpenFile file, MakeUnfinished(&unfinished));
  RETURN_IF_ERROR(WriteAll(file.fd(), text));
  RETURN_IF_ERROR(WriteAll(file.fd(), "\n"));
  pending_.push_back({unfinished, std::string(kReport)});
  RETURN_IF_ERROR(NamePending());
  // The names too: who reads that the rescue is complete may delete the volume.
  if (::syncfs(folder_.fd()) != 0) return Failed("write", errno);
  return {};
}

base::Result<> RescueFolder::MakeParents(const std::string& name) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string parent = name.substr(0, slash);
    if (folders_.contains(parent)) continue;
    if (::mkdirat(folder_.fd(), parent.c_str(), 0700) != 0 && errno != EEXIST) return Failed("make " + parent, errno);
    folders_.insert(parent);
  }
  return {};
}

base::Result<OpenFile> RescueFolder::MakeUnfinished(std::string* name) {
  *name = fmt::format(".{}{}", ++unfinished_made_, kUnfinished);
  OpenFile file(::openat(folder_.fd(), name->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return Failed("make a file", errno);
  return file;
}

void RescueFolder::RemoveUnfinished() const {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.ends_with(kUnfinished)) ::unlinkat(folder_.fd(), name.c_str(), 0);
  }
}

base::Result<> RescueFolder::WriteAll(int fd, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Failed("write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

base::Result<> RescueFolder::Sync() {
  RETURN_IF_ERROR(NamePending());
  for (const std::string& name : folders_) {
    const OpenFile folder(::openat(folder_.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open() || ::fsync(folder.fd()) != 0) return Failed("write " + name, errno);
  }
  if (::fsync(folder_.fd()) != 0) return Failed("write", errno);
  return {};
}

base::Error RescueFolder::NoRoom() const {
  return base::Error(base::Errc::kNoSpace,
                     fmt::format("there is no room left for {}: make room there, then run the same command again with "
                                 "--continue",
                                 path_));
}

base::Error RescueFolder::Failed(std::string_view doing, int errno_value) const {
  if (errno_value == ENOSPC || errno_value == EDQUOT) return NoRoom();
  return base::ErrnoError(fmt::format("{} in {}", doing, path_), errno_value);
}

}  // namespace salvage
