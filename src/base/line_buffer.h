// LineBuffer: the bytes a client sent and nobody has read yet, taken line by line or raw.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace base {

// For protocols of command lines (SMTP, POP3). Lines end with CRLF, or with a bare LF as people at a terminal send it.
//
// Memory: 2 KiB while idle, since thousands of sessions sit and wait; grows to twice the longest line that is asked
// for, or to what was put back, and is small again once that is read.
class LineBuffer {
 public:
  struct Line {
    std::string_view text;     // Without the line end; valid until the next non-const call.
    bool is_too_long = false;  // Then `text` is empty, and the line's rest is dropped as it comes.
  };

  LineBuffer() : bytes_(kIdleBytes) {}

  // The next line; none when more bytes are needed. `bytes_max` counts without the line end.
  std::optional<Line> TakeLine(std::size_t bytes_max);

  // Room for the next read, at least one byte once TakeLine() has said that it needs more; Commit() says how much of
  // it was filled.
  std::span<char> Space();
  void Commit(std::size_t bytes) { end_ += bytes; }

  // Raw access: what is there, and how much of it was used.
  std::string_view buffered() const { return {bytes_.data() + begin_, end_ - begin_}; }
  void Consume(std::size_t bytes) { begin_ += bytes; }
  // Puts bytes that belong to the next lines back. Only when nothing is buffered.
  void PutBack(std::string_view bytes);
  // Forgets everything, the rest of a line that was too long too.
  void Clear();

 private:
  static constexpr std::size_t kIdleBytes = 2u << 10;
  static constexpr std::size_t kKeptBytesMax = 16u << 10;  // What many long lines need is not freed after each.

  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool skipping_ = false;  // Up to the next line end: it belongs to a line that was too long.
};

}  // namespace base
