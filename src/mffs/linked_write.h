// LinkedWrite: what the kernel's answers say of a durable write that is two linked requests, a write and an fdatasync.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace mffs {

// The kernel starts the flush when the whole write has succeeded, and cancels it otherwise (io_uring_enter(2),
// IOSQE_IO_LINK; a short write breaks the link too). That alone is not believed: both answers are looked at, and a
// flush that may have begun before its write had ended proves nothing. Pure; thread: one.
class LinkedWrite {
 public:
  enum class Next : std::uint8_t {
    kWait,   // For the other answer.
    kFlush,  // The write is whole and no flush is known to have followed it: start one, alone.
    kEnd,    // Both are known; see answer().
  };

  explicit LinkedWrite(std::size_t bytes = 0) : bytes_(static_cast<std::int64_t>(bytes)) {}

  // The kernel took the write without its flush, which it will take later as a request of its own: it is short of
  // memory.
  void FlushWasParted() { is_parted_ = true; }
  // `answer`: bytes written, or -errno.
  Next WriteAnswered(std::int64_t answer);
  // `answer`: 0, or -errno.
  Next FlushAnswered(std::int64_t answer);
  // After kEnd: as of one write that is durable when it ends: bytes, or -errno.
  std::int64_t answer() const;

 private:
  Next Judge();
  bool IsWhole() const { return write_answer_ == bytes_; }

  std::int64_t bytes_;
  std::int64_t write_answer_ = 0;
  std::int64_t flush_answer_ = 0;
  bool has_written_ = false;
  bool has_flushed_ = false;
  bool is_parted_ = false;
  bool is_second_flush_ = false;
};

}  // namespace mffs
