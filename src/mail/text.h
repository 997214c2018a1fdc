// The text of a message in UTF-8: encoded words, transfer encodings and charsets undone, and searched (IMAP SEARCH).
//
// The one place that calls GMime. It is set up once, at the first call; it sees only input that was cut to the limits
// here, and no object of it outlives a call, so that any thread may call.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "mail/mime.h"

namespace mail {

struct TextLimits {
  std::size_t header_bytes_max = 64u << 10;  // Of one field; the rest is left out.
  std::size_t part_bytes_max = 4u << 20;     // Of one part as it is stored; the rest is left out.
};

// A field body, unfolded, with its encoded words (RFC 2047) decoded. Always valid UTF-8.
std::string DecodeHeaderText(std::string_view body, const TextLimits& limits = {});

// The body of a part without children, decoded by its transfer encoding and its charset. An unknown transfer encoding
// is left as it is; an unknown charset is read as UTF-8 or Latin-1 (mail/charset.h). Always valid UTF-8.
std::string DecodePartText(std::string_view message, const MimePart& part, const TextLimits& limits = {});

// DecodePartText for a body that comes in pieces, of any length: what of it is held is a character or two.
class PartTextDecoder {
 public:
  explicit PartTextDecoder(const MimePart& part);
  ~PartTextDecoder();
  PartTextDecoder(const PartTextDecoder&) = delete;
  PartTextDecoder& operator=(const PartTextDecoder&) = delete;

  // The text of the next bytes, always valid UTF-8.
  std::string Add(std::string_view body);
  // What was held back at the end. Once.
  std::string Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whether the needle occurs in the haystack whatever the case (both UTF-8); like i;unicode-casemap (RFC 5051) but
// without decomposition. Linear, whatever the bytes. An empty needle occurs everywhere.
bool ContainsText(std::string_view haystack, std::string_view needle);

// ContainsText for one needle and many haystacks.
class TextSearch {
 public:
  explicit TextSearch(std::string_view needle);
  bool Matches(std::string_view haystack) const;
  // The same for a haystack that was folded (FoldUtf8), once for many needles.
  bool MatchesFolded(std::string_view folded) const;
  // The folded needle's size. A haystack in pieces: keep one byte less of each folded piece before the next.
  std::size_t size_bytes() const { return folded_needle_.size(); }

 private:
  std::string folded_needle_;
};

}  // namespace mail
