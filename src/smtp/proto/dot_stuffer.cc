#include "smtp/proto/dot_stuffer.h"

namespace smtp {

void DotStuffer::Append(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (state_ == State::kAfterCr) {
      // The line ends here, whether its LF follows or not.
      out += "\r\n";
      state_ = State::kLineStart;
      if (bytes.front() == '\n') bytes.remove_prefix(1);
      continue;
    }
    // One look for each line in the usual case, where its only CR stands before its LF.
    const std::size_t line_feed = bytes.find('\n');
    const std::string_view line = bytes.substr(0, line_feed);
    AppendLine(line, out);
    bytes.remove_prefix(line.size());
    if (line_feed == std::string_view::npos) return;
    bytes.remove_prefix(1);
    out += "\r\n";
    state_ = State::kLineStart;
  }
}

// Text up to a LF, or to the end of a piece. The last CR of it is held back: it may belong to the LF.
void DotStuffer::AppendLine(std::string_view text, std::string& out) {
  while (!text.empty()) {
    if (state_ == State::kAfterCr) {
      out += "\r\n";
      state_ = State::kLineStart;
    }
    const std::size_t carriage_return = text.find('\r');
    const std::string_view part = text.substr(0, carriage_return);
    if (!part.empty()) {
      if (state_ == State::kLineStart && part.front() == '.') out += '.';
      out += part;
      state_ = State::kInLine;
    }
    if (carriage_return == std::string_view::npos) return;
    text.remove_prefix(carriage_return + 1);
    state_ = State::kAfterCr;
  }
}

void DotStuffer::Finish(std::string& out) {
  if (state_ != State::kLineStart) out += "\r\n";
  out += ".\r\n";
}

}  // namespace smtp
