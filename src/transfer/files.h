// Files of a source or target: opened without following links, read and written whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace transfer {

// Owns a descriptor. Movable.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// A regular file below `folder` (a descriptor), never through a symbolic link: whoever owns a Maildir must not make an
// operator's import read other people's files. Errors: kNotFound, kInvalid (no regular file, larger than `bytes_max`),
// kDenied, kIo.
base::Result<std::string> ReadWhole(int folder, const std::string& name, std::uint64_t bytes_max);
// The file that tells whose export a folder is.
inline constexpr std::string_view kExportMarker = "posthorn-export";

// Part of one; shorter than asked for at its end.
base::Result<std::string> ReadPart(int fd, std::uint64_t offset, std::uint64_t bytes);

// Takes a folder for the export of an account: makes it, and marks it. Returns its real path. Errors: kExists (it has
// something else in it), kDenied, kIo.
base::Result<std::string> ClaimFolder(const std::string& path, const std::string& account);

// Errors of a full disk say what to do.
base::Error WriteError(std::string_view doing, const std::string& path, int errno_value);
base::Result<> WriteAll(int fd, std::string_view bytes, const std::string& path);
// Renames; the name is durable when it returns.
base::Result<> NameDurably(const std::string& from, const std::string& to);
// Replaces the file: a crash leaves the old one or the new one. Durable when it returns.
base::Result<> ReplaceFile(const std::string& path, std::string_view bytes);

}  // namespace transfer
