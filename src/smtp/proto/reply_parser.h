// ReplyParser: what a server answers (RFC 5321 §4.2), with its enhanced status code (RFC 3463), as a value. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smtp {

// The longest reply line we take, without its line end; RFC 5321 §4.5.3.1.5 says 512, servers do not keep to it.
inline constexpr std::size_t kReplyLineBytesMax = 2048;
inline constexpr std::size_t kReplyLinesMax = 100;
// The longest text that is made of a reply.
inline constexpr std::size_t kReplyTextBytesMax = 1000;

struct ServerReply {
  int code = 0;                    // 200 to 599.
  std::string status;              // "5.1.1"; empty when there is none, or one that contradicts the code.
  std::vector<std::string> lines;  // Behind code and separator, the bytes as they came.

  bool is_positive() const { return code / 100 == 2; }
  bool is_intermediate() const { return code / 100 == 3; }
  bool is_transient() const { return code / 100 == 4; }
  bool is_permanent() const { return code / 100 == 5; }

  // The words on one line: control bytes are spaces, what is not UTF-8 is U+FFFD, the status stands once at the front.
  std::string Text() const;
};

// Takes the lines of one reply after the other.
//
// Strict where leniency would let a hostile server confuse one reply with another: each line begins with the same three
// digits, 200 to 599, then a hyphen, or a space or nothing on the last line.
class ReplyParser {
 public:
  enum class State : std::uint8_t { kMore, kDone, kMalformed };

  // The next line without its line end. After kMalformed the connection is of no use.
  State AddLine(std::string_view line);
  // After kDone, once; the parser is ready for the next reply then.
  ServerReply Take();

 private:
  ServerReply reply_;
};

// Makes one line of valid UTF-8 without control characters of any bytes, cut to `bytes_max` between characters.
std::string ToOneLine(std::string_view bytes, std::size_t bytes_max = kReplyTextBytesMax);

}  // namespace smtp
