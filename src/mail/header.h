// The header section of a message, field by field (RFC 5322 §2.2), as views into the message.
//
// Pure functions of hostile bytes, linear, without allocation. CRLF and bare LF both end a line; a bare CR does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mail {

// One field: views into the header that was read.
struct HeaderField {
  std::string_view name;     // As written, without the space before the colon; empty when the line is no field.
  std::string_view body;     // After the colon, folded as it is, without the last line break.
  std::string_view raw;      // The whole field with its continuation lines and line breaks.
  std::uint64_t offset = 0;  // Of `raw` in the header.
};

// Iterates over the fields, up to the empty line or the end of the text. A line that is neither a field nor a
// continuation is given as a field without a name, so that no byte of the header is skipped.
class HeaderReader {
 public:
  // The text must outlive the reader and the fields it gave. A whole message is fine.
  explicit HeaderReader(std::string_view text) : text_(text) {}

  std::optional<HeaderField> Next();

  // Where the next field would begin; after the last one, where the empty line begins.
  std::size_t position() const { return position_; }

 private:
  std::string_view text_;
  std::size_t position_ = 0;
};

// The size of the header of a message: its fields and the empty line. All of the text when there is no empty line.
std::size_t HeaderSize(std::string_view message);

// The bodies of the field (any case): the first, or all in order.
std::optional<std::string_view> FindHeader(std::string_view header, std::string_view name);
std::vector<std::string_view> FindHeaders(std::string_view header, std::string_view name);

// A field body on one line: each line break with the white space around it becomes one space (a break inside a word
// without white space vanishes), NUL bytes vanish, both ends are trimmed.
std::string Unfold(std::string_view body);

}  // namespace mail
