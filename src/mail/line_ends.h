// Line ends made CRLF, as all stored mail has them: IMAP and POP3 tell its size in the bytes that they send. Pure.
#pragma once

#include <string>
#include <string_view>

namespace mail {

// Fed a message in pieces, however it is cut. Bare CR and bare LF become CRLF, and a last line without an end gets one.
class LineEndNormalizer {
 public:
  // Appends `bytes` to `out` with every line end as CRLF.
  void Append(std::string_view bytes, std::string& out);
  // At the end of the message.
  void Finish(std::string& out);

 private:
  bool after_cr_ = false;
  bool at_line_start_ = true;
};

}  // namespace mail
