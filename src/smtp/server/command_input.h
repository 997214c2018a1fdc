// CommandInput: the bytes a client sent and nobody has read yet, taken line by line or raw.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace smtp {

// Small while idle (2 KiB), since thousands of sessions sit and wait; grows to one longest command line, or to what a
// client pipelined behind a mail.
class CommandInput {
 public:
  explicit CommandInput(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max), bytes_(kBytesMin) {}

  // The next whole line without its line end (CRLF, or a bare LF as telnet users send it). Valid until the next
  // non-const call.
  std::optional<std::string_view> TakeLine();
  // No line end within the longest line: the caller answers 500 and calls SkipLine().
  bool IsLineTooLong() const { return end_ - begin_ >= line_bytes_max_; }
  // Drops bytes up to the end of the line, those that come later too.
  void SkipLine();

  // Room for the next read, at least one byte; CommitRead() says how much of it was filled.
  std::span<char> Space();
  void CommitRead(std::size_t bytes) { end_ += bytes; }

  // Raw access: what is there, and how much of it was used.
  std::string_view buffered() const { return {bytes_.data() + begin_, end_ - begin_}; }
  void Consume(std::size_t bytes) { begin_ += bytes; }
  // Puts bytes that belong to the next commands back. Only when nothing is buffered.
  void PutBack(std::string_view bytes);
  void Clear();

 private:
  static constexpr std::size_t kBytesMin = 2048;

  std::size_t line_bytes_max_;
  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool skipping_ = false;
};

}  // namespace smtp
