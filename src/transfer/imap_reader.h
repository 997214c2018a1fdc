// ImapReader: the responses of another IMAP server (RFC 3501 §7), for the client that imports from it. Pure: hostile
// bytes in, responses out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace transfer {

// One word of a response: an atom (flags and "BODY[]" too), a string (quoted or literal), or a parenthesis.
struct ImapToken {
  enum class Kind : std::uint8_t { kAtom, kString, kOpen, kClose };
  Kind kind = Kind::kAtom;
  std::string text;
};

// "* 12 FETCH (UID 5)": tag "*", then tokens. Of status responses and greetings the words of the text are tokens like
// all others; `line` has them as they came, without literals.
struct ImapResponse {
  std::string tag;  // "*", "+", or that of a command.
  std::vector<ImapToken> tokens;
  std::string line;

  bool IsAtom(std::size_t at, std::string_view text) const;  // In any case of letters.
};

struct ImapReaderOptions {
  std::size_t line_bytes_max = 4u << 20;         // Of a response without its literals.
  std::uint64_t literal_bytes_max = 1ull << 30;  // One mail: all literals of a response.
};

// Fed as the bytes come.
class ImapReader {
 public:
  explicit ImapReader(ImapReaderOptions options) : options_(options) {}

  void Add(std::string_view bytes) { buffer_ += bytes; }
  // The next whole response; empty: more bytes are needed. Errors: kInvalid (no IMAP, or too large): of no use any
  // more.
  base::Result<std::optional<ImapResponse>> Next();

 private:
  base::Result<bool> TakePart();
  base::Result<> Tokenize(std::string_view line);

  ImapReaderOptions options_;
  std::string buffer_;
  std::size_t scanned_ = 0;          // Of the buffer: no line end before.
  std::uint64_t literal_bytes_ = 0;  // Of the literal that is due.
  std::uint64_t response_bytes_ = 0;
  bool in_literal_ = false;
  std::size_t line_bytes_ = 0;
  ImapResponse response_;
};

// What a FETCH response says of a mail.
struct ImapFetched {
  std::uint32_t uid = 0;
  std::uint64_t size_bytes = 0;
  std::vector<std::string> flags;  // Without \Recent.
  std::optional<std::int64_t> date_us;
  std::optional<std::string> body;
};
// Empty: no FETCH response, or one without a UID. Moves strings out of the response.
std::optional<ImapFetched> ParseFetch(ImapResponse& response);

// "* LIST (\HasNoChildren) "." "INBOX.Sent"".
struct ImapListed {
  std::vector<std::string> attributes;  // In lower case.
  char separator = '\0';                // None.
  std::string name;                     // As it came.
};
std::optional<ImapListed> ParseList(const ImapResponse& response, std::string_view command);

// A string as a command has it: quoted. Empty: it can only be a literal.
std::optional<std::string> QuoteImap(std::string_view text);

}  // namespace transfer
