// Charsets to UTF-8, over ICU. Pure functions of hostile bytes; linear in their input.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace mail {

// RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
bool IsValidUtf8(std::string_view text);

// Whether ToUtf8 knows how to read this charset (a MIME name, any case), other than by guessing.
bool IsKnownCharset(std::string_view charset);

// Converts `bytes` from `charset` (a MIME name, any case; empty = unknown). What cannot be converted becomes U+FFFD.
// An unknown charset, and us-ascii with 8-bit bytes, is read as UTF-8 when it is valid UTF-8, else as Latin-1.
// The result is always valid UTF-8.
std::string ToUtf8(std::string_view bytes, std::string_view charset);

// ToUtf8 for text that comes in pieces, however they are cut. Where it is not said that the text is UTF-8, it counts as
// such up to the first bytes that are not, and as Latin-1 from there on.
class Utf8Converter {
 public:
  explicit Utf8Converter(std::string_view charset);
  ~Utf8Converter();
  Utf8Converter(const Utf8Converter&) = delete;
  Utf8Converter& operator=(const Utf8Converter&) = delete;

  // Whole characters; the bytes of one that is not complete are held back.
  std::string Add(std::string_view bytes);
  // What was held back at the end of the text. Once.
  std::string Finish();

 private:
  struct Icu;
  enum class Source { kUtf8, kPerhapsUtf8, kLatin1, kIcu };

  std::string Convert(std::string_view bytes, bool at_end);

  Source source_;
  std::string held_;          // The beginning of a character (UTF-8).
  std::unique_ptr<Icu> icu_;  // kIcu.
};

// Lower case by Unicode's rules and in NFC: how user names are compared (RFC 8265 §3.3). For short texts: reordering
// many combining marks is not linear.
std::string LowerUtf8(std::string_view text);

// Full case folding (Unicode §3.13), locale-independent and linear; for search, not for display.
std::string FoldUtf8(std::string_view text);

}  // namespace mail
