#include "app/privileges.h"

#include <cerrno>
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace app {
namespace {

constexpr std::size_t kRecordBytesMax = 1u << 20;  // Of an entry of the user database.
constexpr int kFoldersDeepMax = 32;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Calls `get` with a buffer that grows until the entry fits.
template <class Record, class Get>
std::optional<Record> Look(Get get) {
  for (std::vector<char> buffer(4096); buffer.size() <= kRecordBytesMax; buffer.resize(buffer.size() * 4)) {
    Record record{};
    Record* found = nullptr;
    const int code = get(&record, buffer, &found);
    if (code == ERANGE) continue;
    if (code != 0 || found == nullptr) return std::nullopt;
    return record;  // Only its numbers are used: its texts lie in the buffer.
  }
  return std::nullopt;
}

std::optional<passwd> LookUpUser(const std::string& name) {
  return Look<passwd>([&](passwd* record, std::vector<char>& buffer, passwd** found) {
    return ::getpwnam_r(name.c_str(), record, buffer.data(), buffer.size(), found);
  });
}

std::optional<group> LookUpGroup(const std::string& name) {
  return Look<group>([&](group* record, std::vector<char>& buffer, group** found) {
    return ::getgrnam_r(name.c_str(), record, buffer.data(), buffer.size(), found);
  });
}

void RaiseToHard(int resource, const char* name) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) {
    base::LogWarning("limit_not_raised", {{"limit", name}, {"why", base::ErrnoError(name, errno).message()}});
  }
}

// One walk that gives away what is root's.
class Handover {
 public:
  explicit Handover(const RunAs* user) : user_(*user) {}

  // What `name` in the open folder is, without following it; `path` is for the sentences.
  base::Result<> Give(int folder, const char* name, const std::string& path) {
    // O_PATH: nothing that is there is touched before it is known what it is.
    const Descriptor fd(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (fd.get() < 0) return errno == ENOENT ? base::Result<>() : base::ErrnoError("look at " + path, errno);
    struct stat what{};
    if (::fstat(fd.get(), &what) != 0) return base::ErrnoError("look at " + path, errno);
    if (S_ISDIR(what.st_mode)) RETURN_IF_ERROR(GiveEntries(fd.get(), path));
    return GiveOne(fd.get(), what, path);
  }

 private:
  base::Result<> GiveEntries(int fd, const std::string& path) {
    if (depth_ >= kFoldersDeepMax) return base::Error(base::Errc::kInvalid, path + " lies too deep: move it away");
    const int readable = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0) return base::ErrnoError("read the folder " + path, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(readable), ::closedir);
    if (entries == nullptr) return base::ErrnoError("read the folder " + path, errno);
    depth_ += 1;
    while (const dirent* const entry = ::readdir(entries.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      RETURN_IF_ERROR(Give(readable, entry->d_name, path + "/" + entry->d_name));
    }
    depth_ -= 1;
    return {};
  }

  base::Result<> GiveOne(int fd, const struct stat& what, const std::string& path) const {
    const bool may_be_given = S_ISDIR(what.st_mode) || S_ISSOCK(what.st_mode) || S_ISREG(what.st_mode);
    // A further name (hard link) of a file of root's elsewhere would make that file the user's.
    const bool has_one_name = S_ISDIR(what.st_mode) || what.st_nlink == 1;
    if (what.st_uid != 0 || !may_be_given || !has_one_name) return {};
    if (::fchownat(fd, "", user_.user_id, user_.group_id, AT_EMPTY_PATH) != 0) {
      return base::ErrnoError(fmt::format("give {} to {}", path, user_.name), errno);
    }
    return {};
  }

  RunAs user_;
  int depth_ = 0;
};

}  // namespace

base::Result<RunAs> FindUser(std::string_view run_as) {
  const std::size_t colon = run_as.find(':');
  RunAs user;
  user.name = run_as.substr(0, colon);
  const auto record = LookUpUser(user.name);
  if (!record) return base::Error(base::Errc::kInvalid, fmt::format("there is no user \"{}\"", user.name));
  user.user_id = record->pw_uid;
  user.group_id = record->pw_gid;
  if (colon != std::string_view::npos) {
    const std::string name(run_as.substr(colon + 1));
    const auto of_name = LookUpGroup(name);
    if (!of_name) return base::Error(base::Errc::kInvalid, fmt::format("there is no group \"{}\"", name));
    user.group_id = of_name->gr_gid;
  }
  if (user.user_id == 0 || user.group_id == 0) {
    return base::Error(base::Errc::kInvalid, fmt::format("\"{}\" has root's rights", run_as));
  }
  return user;
}

base::Result<std::optional<RunAs>> WhomToBecome(const NodeConfig& config) {
  if (::geteuid() != 0 || config.dev) return std::optional<RunAs>();
  auto user = FindUser(config.run_as);
  if (!user) {
    return base::Error(
        user.error().code(),
        fmt::format("configuration key run_as: {}; a node does not go on as root. Make a user for it (`adduser "
                    "--system --group posthorn`) or name one; `dev = true` lets it stay root",
                    user.error().message()));
  }
  return std::optional<RunAs>(*std::move(user));
}

void RaiseLimits() {
  if (::geteuid() == 0) {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    // In a container that forbids it, the limit in force may still be enough; the device says when it is not.
    base::LogDebug("limit_memlock", {{"unlimited", ::setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 ? "yes" : "no"}});
  }
  RaiseToHard(RLIMIT_NOFILE, "RLIMIT_NOFILE");
  RaiseToHard(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK");
}

base::Result<> ForbidNewPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::ErrnoError("forbid new privileges", errno);
  return {};
}

base::Result<> HandOver(const std::string& folder, const RunAs& user) {
  return Handover(&user).Give(AT_FDCWD, folder.c_str(), folder);
}

base::Result<> HandOverFile(const std::string& path, const RunAs& user) {
  struct stat file{};
  if (::lstat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) return {};
  return Handover(&user).Give(AT_FDCWD, path.c_str(), path);
}

base::Result<> BecomeUser(const RunAs& user) {
  // The calls of the C library, which reach all threads; the bare system calls would leave the others root.
  const bool became = ::setgroups(1, &user.group_id) == 0 &&
                      ::setresgid(user.group_id, user.group_id, user.group_id) == 0 &&
                      ::setresuid(user.user_id, user.user_id, user.user_id) == 0;
  if (!became) return base::ErrnoError("become the user " + user.name, errno);
  if (::setresuid(0, 0, 0) == 0 || ::geteuid() != user.user_id || ::getegid() != user.group_id) {
    return base::Error(base::Errc::kDenied, "the node is still root although it became " + user.name);
  }
  return {};
}

}  // namespace app
