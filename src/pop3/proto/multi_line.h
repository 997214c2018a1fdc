// Messages on their way to the client: the multi-line response of RFC 1939 §3, and the cut that TOP makes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pop3::proto {

// Pieces of a message in, pieces of a multi-line response out: a dot before each line that begins with one, CRLF at
// each line's end, and the final ".". However the message is cut into pieces, the response is the same.
//
// Stored mail has CRLF at every line's end (SMTP and APPEND see to that), so its size is the octets sent but for the
// dots (RFC 1939 §11). What does not is sent in lines all the same: a lone LF before a dot must not look like an end.
class DotStuffer {
 public:
  void Add(std::string_view piece, std::string& out);
  // Ends the last line if the message did not, and the response.
  void Finish(std::string& out);

 private:
  char previous_ = '\n';  // The last byte that went out; a message begins at the beginning of a line.
};

// Lets the header, the empty line and the first lines of the body pass (RFC 1939 §7, TOP).
class TopFilter {
 public:
  explicit TopFilter(std::uint32_t body_lines) : lines_left_(body_lines) {}

  // The part of the piece that belongs to the answer: a prefix of it.
  std::string_view Pass(std::string_view piece);
  // Nothing of what follows will pass.
  bool IsDone() const { return !in_header_ && lines_left_ == 0; }

 private:
  void EndLine();

  std::uint32_t lines_left_;
  bool in_header_ = true;
  bool line_is_empty_ = true;  // But for a CR.
};

}  // namespace pop3::proto
