#include "pop3/proto/multi_line.h"

#include <algorithm>

namespace pop3::proto {

void DotStuffer::Add(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    if (previous_ == '\n' && piece.front() == '.') out.push_back('.');
    const std::size_t line_feed = piece.find('\n');
    const std::string_view line = piece.substr(0, line_feed);
    out.append(line);
    if (!line.empty()) previous_ = line.back();
    if (line_feed == std::string_view::npos) return;
    if (previous_ != '\r') out.push_back('\r');
    out.push_back('\n');
    previous_ = '\n';
    piece.remove_prefix(line_feed + 1);
  }
}

void DotStuffer::Finish(std::string& out) {
  if (previous_ == '\r') {
    out.push_back('\n');
  } else if (previous_ != '\n') {
    out.append("\r\n");
  }
  out.append(".\r\n");
  previous_ = '\n';
}

std::string_view TopFilter::Pass(std::string_view piece) {
  std::size_t passed = 0;
  while (passed < piece.size() && !IsDone()) {
    const std::string_view rest = piece.substr(passed);
    const std::size_t line_feed = rest.find('\n');
    const std::string_view line = rest.substr(0, line_feed);
    if (std::any_of(line.begin(), line.end(), [](char c) { return c != '\r'; })) line_is_empty_ = false;
    if (line_feed == std::string_view::npos) return piece;
    EndLine();
    passed += line_feed + 1;
  }
  return piece.substr(0, passed);
}

void TopFilter::EndLine() {
  if (!in_header_) {
    lines_left_ -= 1;
  } else if (line_is_empty_) {
    in_header_ = false;
  }
  line_is_empty_ = true;
}

}  // namespace pop3::proto
