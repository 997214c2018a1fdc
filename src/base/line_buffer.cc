#include "base/line_buffer.h"

#include <cstring>

#include "base/check.h"

namespace base {

std::optional<LineBuffer::Line> LineBuffer::TakeLine(std::size_t bytes_max) {
  for (;;) {
    const std::string_view bytes = buffered();
    const std::size_t line_feed = bytes.find('\n');
    if (line_feed == std::string_view::npos) {
      // A CR that may stand before the LF does not count.
      if (!skipping_ && bytes.size() <= bytes_max + 1) return std::nullopt;
      const bool is_news = !skipping_;
      Clear();
      skipping_ = true;
      if (!is_news) return std::nullopt;
      return Line{.text = {}, .is_too_long = true};
    }
    begin_ += line_feed + 1;
    if (skipping_) {
      skipping_ = false;
      continue;
    }
    std::string_view text = bytes.substr(0, line_feed);
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.size() > bytes_max) return Line{.text = {}, .is_too_long = true};
    return Line{.text = text};
  }
}

std::span<char> LineBuffer::Space() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (bytes_.size() > kKeptBytesMax) bytes_ = std::vector<char>(kIdleBytes);
  }
  if (end_ == bytes_.size() && begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // TakeLine() has dropped what no line may be: this ends.
  if (end_ == bytes_.size()) bytes_.resize(bytes_.size() * 2);
  return std::span(bytes_).subspan(end_);
}

void LineBuffer::PutBack(std::string_view bytes) {
  CHECK(begin_ == end_);
  begin_ = 0;
  end_ = bytes.size();
  if (bytes_.size() < bytes.size()) bytes_.resize(bytes.size());
  std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

void LineBuffer::Clear() {
  begin_ = end_ = 0;
  skipping_ = false;
}

}  // namespace base
