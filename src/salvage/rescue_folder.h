// RescueFolder: where rescued mail is written: every file whole or not at all, so that a rescue can go on where it was
// cut short.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace salvage {

// Owns a descriptor. Movable.
class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(OpenFile&& other) noexcept;
  OpenFile& operator=(OpenFile&& other) noexcept;
  ~OpenFile();
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Thread: one; calls block on the disk. Files are made readable by their owner only: they are other people's mail.
// Durability: a file gets its name only when its bytes are durable. Many get theirs together, since one flush costs as
// much as many; all have theirs when Sync() has returned. What a run that was cut short had not named is written again.
// Names are made by the caller from numbers alone; nothing that a mail or a mailbox is called gets into a path.
class RescueFolder {
 public:
  // `volume` names the image's volume. Makes the folder. Errors: kExists (something is in it, and `go_on` was not asked
  // for), kInvalid (what is in it is no rescue, or one of another volume), kDenied, kIo.
  static base::Result<RescueFolder> Open(const std::string& path, const std::string& volume, bool go_on);

  // Whether the mail of this name was written by an earlier run.
  enum class Written : std::uint8_t { kNo, kWhole, kPartly };
  Written IsWritten(const std::string& name) const;

  // One mail: Begin, Write as often as needed, End with what stands beside it. The name is a path below the folder
  // without its ending. Errors: kNoSpace (says what to do), kIo.
  base::Result<> Begin(const std::string& name);
  base::Result<> Write(std::string_view bytes);
  base::Result<> End(bool is_whole, std::string_view json);

  // A file at the top of the folder, replaced whole.
  base::Result<> WriteReport(std::string_view json);
  // Gives all files their names, and makes the names durable.
  base::Result<> Sync();

  // The sentence for a full disk.
  base::Error NoRoom() const;

  static constexpr std::string_view kReport = "rescue.json";
  static constexpr std::string_view kWholeEnding = ".eml";
  static constexpr std::string_view kPartlyEnding = ".partial.eml";

 private:
  RescueFolder(std::string path, OpenFile folder) : path_(std::move(path)), folder_(std::move(folder)) {}
  base::Result<> TakeUp(const std::string& volume, bool go_on);
  base::Result<> MakeParents(const std::string& name);
  base::Result<> WriteAll(int fd, std::string_view bytes) const;
  base::Result<OpenFile> MakeUnfinished(std::string* name);
  // Makes what is pending durable and gives it its names.
  base::Result<> NamePending();
  void RemoveUnfinished() const;
  bool Exists(const std::string& name) const;
  base::Error Failed(std::string_view doing, int errno_value) const;

  std::string path_;
  OpenFile folder_;
  std::set<std::string> folders_;  // Made or seen, below the top.
  // A file that is written and has no name yet.
  struct Pending {
    std::string from;
    std::string to;
  };
  std::vector<Pending> pending_;
  std::uint64_t pending_bytes_ = 0;
  std::uint64_t unfinished_made_ = 0;
  std::string name_;  // Of the mail being written.
  std::string unfinished_;
  OpenFile file_;
};

}  // namespace salvage
