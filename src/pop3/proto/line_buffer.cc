#include "pop3/proto/line_buffer.h"

#include <cstring>

namespace pop3::proto {

std::optional<LineBuffer::Line> LineBuffer::TakeLine(std::size_t bytes_max) {
  for (;;) {
    const std::string_view bytes = unread();
    const std::size_t line_feed = bytes.find('\n');
    if (line_feed == std::string_view::npos) {
      if (!skipping_ && bytes.size() <= bytes_max + 1) return std::nullopt;
      const bool is_news = !skipping_;
      skipping_ = true;
      begin_ = end_ = 0;
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
  if (begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(bytes_).subspan(end_);
}

bool LineBuffer::HasLine() const {
  return unread().find('\n') != std::string_view::npos;
}

void LineBuffer::Clear() {
  begin_ = end_ = 0;
  skipping_ = false;
}

}  // namespace pop3::proto
