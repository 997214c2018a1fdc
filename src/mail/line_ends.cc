#include "smtp/proto/line_ends.h"

namespace smtp {

void LineEndNormalizer::Append(std::string_view bytes, std::string& out) {
  for (const char c : bytes) {
    const bool is_lf = c == '\n';
    if (after_cr_ || is_lf) out.append("\r\n");  // CRLF, CR alone before this byte, or LF alone: one line end.
    after_cr_ = c == '\r';
    if (!is_lf && !after_cr_) out.push_back(c);
  }
}

void LineEndNormalizer::Finish(std::string& out) {
  if (after_cr_) out.append("\r\n");
  after_cr_ = false;
}

}  // namespace smtp
