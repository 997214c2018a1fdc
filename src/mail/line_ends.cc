#include "mail/line_ends.h"

namespace mail {

void LineEndNormalizer::Append(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const char first = bytes.front();
    if (after_cr_ || first == '\n') {  // CRLF, CR alone before this byte, or LF alone: one line end.
      out.append("\r\n");
      at_line_start_ = true;
      after_cr_ = false;
      if (first == '\n') bytes.remove_prefix(1);
      continue;
    }
    if (first == '\r') {
      after_cr_ = true;
      bytes.remove_prefix(1);
      continue;
    }
    const std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
    out.append(line);
    at_line_start_ = false;
    bytes.remove_prefix(line.size());
  }
}

void LineEndNormalizer::Finish(std::string& out) {
  if (after_cr_ || !at_line_start_) out.append("\r\n");
  after_cr_ = false;
  at_line_start_ = true;
}

}  // namespace mail
