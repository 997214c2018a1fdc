#include "smtp/server/command_input.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace smtp {

std::optional<std::string_view> CommandInput::TakeLine() {
  for (;;) {
    const char* const from = bytes_.data() + begin_;
    const auto* lf = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    if (lf == nullptr) {
      if (skipping_) Clear();
      return std::nullopt;
    }
    auto size = static_cast<std::size_t>(lf - from);
    // Behind a mail a line that is too long may lie here whole.
    if (!skipping_ && size >= line_bytes_max_) return std::nullopt;
    begin_ += size + 1;
    if (skipping_) {
      skipping_ = false;
      continue;
    }
    if (size > 0 && from[size - 1] == '\r') --size;
    return std::string_view(from, size);
  }
}

void CommandInput::SkipLine() {
  skipping_ = true;
}

std::span<char> CommandInput::Space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (bytes_.size() > line_bytes_max_) bytes_ = std::vector<char>(kBytesMin);
  }
  if (end_ == bytes_.size() && begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == bytes_.size()) bytes_.resize(std::min(bytes_.size() * 2, std::max(line_bytes_max_, end_ + 1)));
  return std::span(bytes_).subspan(end_);
}

void CommandInput::PutBack(std::string_view bytes) {
  CHECK(begin_ == end_);
  begin_ = 0;
  end_ = bytes.size();
  if (bytes_.size() < bytes.size()) bytes_.resize(bytes.size());
  std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

void CommandInput::Clear() {
  begin_ = end_ = 0;
}

}  // namespace smtp
