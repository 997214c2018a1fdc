#include "admin/control_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

namespace admin {

using base::Errc;
using base::Error;
using base::LogField;
using base::Result;

namespace {

constexpr int kBacklog = 64;
constexpr std::size_t kGroupsMax = 65'536;  // NGROUPS_MAX of Linux.

Result<sockaddr_un> ToAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(Errc::kInvalid,
                 fmt::format("the path of the control socket, \"{}\", must have 1 to {} bytes; set a shorter "
                             "control_socket in the configuration",
                             path, sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// Removes the socket file of a dead node.
Result<> RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return {};  // Nothing there; what else is wrong, bind() tells.
  if (!S_ISSOCK(status.st_mode)) {
    return Error(Errc::kInvalid, fmt::format("{} is not a socket; move it away or set another control_socket", path));
  }
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return base::ErrnoError("open a Unix socket", errno);
  const int code = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(probe);
  // EAGAIN: somebody listens whose backlog is full.
  if (code == 0 || code == EAGAIN) {
    return Error(
        Errc::kBusy,
        fmt::format("a node listens on {} already; stop it or set another control_socket and data_folder", path));
  }
  if (code != ECONNREFUSED) return base::ErrnoError("look whether a node listens on " + path, code);
  if (::unlink(path.c_str()) != 0) return base::ErrnoError("remove the old control socket " + path, errno);
  base::LogInfo("stale_control_socket_removed", {LogField("path", path)});
  return {};
}

// The folder's owner and group may use the socket, whoever the node runs as.
void GiveToFolderOwner(const std::string& path) {
  struct stat folder{};
  if (::stat(FolderOf(path).c_str(), &folder) != 0) return;
  // The group can be given by a member of it, the owner only by root.
  if (::lchown(path.c_str(), ::geteuid() == 0 ? folder.st_uid : static_cast<uid_t>(-1), folder.st_gid) != 0) {
    base::LogDebug("control_socket_keeps_owner", {LogField("path", path), LogField("error", std::strerror(errno))});
  }
}

std::vector<gid_t> GroupsOf(int descriptor) {
  std::vector<gid_t> groups(64);
  auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    if (errno != ERANGE || size > kGroupsMax * sizeof(gid_t)) return {};
    groups.resize(size / sizeof(gid_t));
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return {};
  }
  groups.resize(size / sizeof(gid_t));
  return groups;
}

}  // namespace

Result<ControlSocket> ControlSocket::Open(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, ToAddress(path));
  RETURN_IF_ERROR(RemoveStale(path, address));
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return base::ErrnoError("open a Unix socket", errno);
  ControlSocket socket(descriptor, path);
  RETURN_IF_ERROR(socket.Bind());
  RETURN_IF_ERROR(socket.Protect());
  if (::listen(descriptor, kBacklog) != 0) return base::ErrnoError("listen on " + path, errno);
  return socket;
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      inode_(std::exchange(other.inode_, 0)) {}

ControlSocket::~ControlSocket() {
  struct stat status{};
  if (inode_ != 0 && ::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

int ControlSocket::Release() {
  return std::exchange(descriptor_, -1);
}

Result<> ControlSocket::Bind() {
  ASSIGN_OR_RETURN(const sockaddr_un address, ToAddress(path_));
  if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int code = errno;
    return base::ErrnoError(
        fmt::format("make the control socket {} (its folder must exist and be writable for this user)", path_), code);
  }
  struct stat status{};
  if (::lstat(path_.c_str(), &status) != 0) return base::ErrnoError("look at the control socket " + path_, errno);
  inode_ = status.st_ino;
  return {};
}

// Before listen(): until then every connect() is refused, whatever mode the umask gave the file.
Result<> ControlSocket::Protect() {
  GiveToFolderOwner(path_);
  if (::chmod(path_.c_str(), 0660) != 0) return base::ErrnoError("set mode 0660 on the control socket " + path_, errno);
  return {};
}

Result<Caller> CallerOf(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return base::ErrnoError("ask who connected to the control socket", errno);
  }
  return Caller{.user_id = credentials.uid, .group_id = credentials.gid, .process_id = credentials.pid};
}

bool MayCommand(int descriptor, const Caller& caller, const std::string& path) {
  if (caller.user_id == 0 || caller.user_id == ::geteuid()) return true;
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) return false;
  if (caller.user_id == file.st_uid) return true;
  if ((file.st_mode & S_IWGRP) == 0) return false;
  if (caller.group_id == file.st_gid) return true;
  const std::vector<gid_t> groups = GroupsOf(descriptor);
  return std::ranges::find(groups, file.st_gid) != groups.end();
}

}  // namespace admin
