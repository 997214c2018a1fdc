// DotStuffer: makes of a mail the bytes that follow 354 (RFC 5321 §4.5.2). Pure.
#pragma once

#include <string>
#include <string_view>

namespace smtp {

// Fed a mail in pieces, however it is cut. A dot that begins a line is doubled, and the end is CRLF "." CRLF.
//
// All lines leave with CRLF: a bare CR or LF, which stored mail should not have, becomes one. What a careless server
// takes for the end of a mail is never in the middle of one of ours (SMTP smuggling, CERT VU#302671).
class DotStuffer {
 public:
  void Append(std::string_view bytes, std::string& out);
  // The end of the mail, once.
  void Finish(std::string& out);

 private:
  enum class State : std::uint8_t { kLineStart, kInLine, kAfterCr };
  void AppendLine(std::string_view text, std::string& out);

  State state_ = State::kLineStart;
};

}  // namespace smtp
