// ControlSocket: the listening Unix socket of a node, and who may use it.
#pragma once

#include <cstdint>
#include <string>

#include <sys/types.h>

#include "admin/command_table.h"
#include "base/result.h"

namespace admin {

// Owns the descriptor and the file. The file has mode 0660 before anybody can connect, and the owner and group of its
// folder where we may give it away. The destructor removes the file if it is still ours.
class ControlSocket {
 public:
  // A socket file that nobody listens on (of a node that was killed) is replaced.
  // Errors: kBusy (a node listens there), kInvalid (the path is too long, or is something else), kDenied, kNotFound,
  // kIo.
  static base::Result<ControlSocket> Open(const std::string& path);

  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  const std::string& path() const { return path_; }
  // Gives the descriptor (non-blocking, listening) away; the file stays ours.
  int Release();

 private:
  ControlSocket(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  base::Result<> Bind();
  base::Result<> Protect();

  int descriptor_;
  std::string path_;
  ino_t inode_ = 0;  // Of our file; 0: there is none to remove.
};

// Who is at the other end of a connected Unix socket.
base::Result<Caller> CallerOf(int descriptor);

// Whether the caller may give commands: root, the node's own user, the file's owner, and members of the file's group as
// far as the mode lets them write. The kernel has checked the mode already; this holds if somebody widened it.
bool MayCommand(int descriptor, const Caller& caller, const std::string& path);

}  // namespace admin
