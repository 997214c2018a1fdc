// Encoders to quoted-printable and base64 (RFC 2045 §6.7, §6.8), for a body that comes in lines. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mail {

// Lines of 76 bytes at most. What comes out decodes to what went in, with its line ends as hard line breaks.
class QuotedPrintableEncoder {
 public:
  // A line, or with an empty `line_end` a part of one.
  void Append(std::string_view text, std::string_view line_end, std::string& out);
  // The end of the body.
  void Finish(std::string& out) { FlushBlank(true, out); }

 private:
  void AppendByte(char c, bool escaped, std::string& out);
  // A space or tab at the end of a line would not survive: it waits for what follows.
  void FlushBlank(bool at_line_end, std::string& out);

  std::size_t column_ = 0;
  bool continues_ = false;  // The line began behind a soft line break.
  char blank_ = '\0';       // The one that waits; NUL: none.
};

// Makes the 8-bit bytes of a body that is quoted-printable already, and should have none, into escapes.
class QuotedPrintableMender {
 public:
  void Append(std::string_view text, std::string_view line_end, std::string& out);

 private:
  std::size_t column_ = 0;
};

class Base64Encoder {
 public:
  void Append(std::string_view bytes, std::string& out);
  // What is left, with a line end if anything was written.
  void Finish(std::string& out);

 private:
  static constexpr std::size_t kLineBytes = 57;  // Make 76 characters.
  std::string held_;
};

}  // namespace mail
