// DataScanner: finds the end of DATA and undoes dot-stuffing in place (RFC 5321 §4.5.2). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace smtp {

// What is left when a line ends in anything but CRLF is the hole that SMTP smuggling goes through (CERT VU#302671):
// such mail is refused whole, and only CRLF "." CRLF ever ends it, so nothing behind a bare LF is taken for a command.
class DataScanner {
 public:
  enum class Framing : std::uint8_t {
    kDots,   // DATA: lines, a leading dot is stuffing, a lone dot ends it.
    kChunk,  // BDAT: bytes; only the line ends are looked at.
  };
  explicit DataScanner(Framing framing = Framing::kDots) : framing_(framing) {}

  struct Step {
    std::size_t kept = 0;   // Bytes of the mail, now at the front of the span.
    std::size_t taken = 0;  // Bytes of the span that belong to the data; what follows is the next command.
    bool at_end = false;    // The final dot was seen.
    // A CR that an earlier call took, since it might have been that of the final dot, is a bare one of the mail and
    // belongs before the kept bytes. Only whoever normalises line ends needs it: others refuse the mail.
    bool cr_before = false;
  };

  // Takes the next bytes as they came; rewrites them in place. Not called again after at_end.
  Step Scan(std::span<char> bytes);

  // All lines that were seen have ended: of kChunk, where nothing else says so.
  bool at_line_start() const { return state_ == State::kLineStart; }
  // A CR without LF, or a LF without CR, was seen so far (or, for kChunk, ends the data: ask at the last chunk).
  bool has_bare_line_end() const { return bare_ || state_ == State::kAfterCr; }

 private:
  enum class State : std::uint8_t { kLineStart, kInLine, kAfterCr, kAfterDot, kAfterDotCr };

  Framing framing_;
  State state_ = State::kLineStart;
  bool bare_ = false;
};

}  // namespace smtp
