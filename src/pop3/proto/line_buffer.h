// LineBuffer: what a POP3 client sent and nobody has read yet, taken line by line.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace pop3::proto {

// 2 KiB, never more. Lines end with CRLF, or with a bare LF as people at a terminal send it.
class LineBuffer {
 public:
  struct Line {
    std::string_view text;     // Without the line end; valid until the next non-const call.
    bool is_too_long = false;  // Then `text` is empty, and the line's rest is dropped.
  };

  // The next line; none when more bytes are needed. `bytes_max` counts without the line end.
  std::optional<Line> TakeLine(std::size_t bytes_max);

  // Room for the next read, at least one byte once TakeLine() has said that it needs more.
  std::span<char> Space();
  void Commit(std::size_t bytes) { end_ += bytes; }

  bool HasLine() const;
  void Clear();

 private:
  std::string_view unread() const { return {bytes_.data() + begin_, end_ - begin_}; }

  std::array<char, 2048> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool skipping_ = false;  // Up to the next line end: it belongs to a line that was too long.
};

}  // namespace pop3::proto
