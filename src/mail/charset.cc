#include "mail/charset.h"

#include <cstdint>
#include <memory>

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/ucnv.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include "mail/ascii.h"

namespace mail {
namespace {

constexpr std::size_t kCharsetNameBytesMax = 64;

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

// Null when ICU does not know the charset.
Converter OpenConverter(std::string_view charset);
// Empty when the conversion fails as a whole; `bytes` is not empty.
std::string Convert(UConverter* converter, std::string_view bytes);
std::string Latin1ToUtf8(std::string_view bytes);
// Ill-formed sequences become U+FFFD.
std::string RepairUtf8(std::string_view bytes);

}  // namespace

bool IsValidUtf8(std::string_view text) {
  const char* bytes = text.data();
  const auto size = static_cast<std::int64_t>(text.size());
  std::int64_t at = 0;
  while (at < size) {
    UChar32 code_point = 0;
    U8_NEXT(bytes, at, size, code_point);
    if (code_point < 0) return false;
  }
  return true;
}

std::string ToUtf8(std::string_view bytes, std::string_view charset) {
  const bool is_utf8 = EqualsIgnoreCase(charset, "utf-8") || EqualsIgnoreCase(charset, "utf8");
  if (is_utf8) return IsValidUtf8(bytes) ? std::string(bytes) : RepairUtf8(bytes);
  const bool is_unlabelled = charset.empty() || EqualsIgnoreCase(charset, "us-ascii");
  if (!is_unlabelled) {
    if (const Converter converter = OpenConverter(charset)) {
      std::string text = Convert(converter.get(), bytes);
      if (!text.empty() || bytes.empty()) return text;
    }
  }
  return IsValidUtf8(bytes) ? std::string(bytes) : Latin1ToUtf8(bytes);
}

std::string LowerUtf8(std::string_view text) {
  icu::UnicodeString unicode =
      icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<int>(text.size())));
  unicode.toLower(icu::Locale::getRoot());
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_SUCCESS(error)) {
    icu::UnicodeString normal = nfc->normalize(unicode, error);
    if (U_SUCCESS(error)) unicode = std::move(normal);
  }
  std::string lower;
  unicode.toUTF8String(lower);
  return lower;
}

std::string FoldUtf8(std::string_view text) {
  if (IsAscii(text)) return LowerAscii(text);
  std::string folded;
  icu::StringByteSink<std::string> sink(&folded, static_cast<std::int32_t>(text.size()));
  UErrorCode error = U_ZERO_ERROR;
  icu::CaseMap::utf8Fold(0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink, nullptr,
                         error);
  return U_SUCCESS(error) ? folded : LowerAscii(text);
}

namespace {

Converter OpenConverter(std::string_view charset) {
  if (charset.size() > kCharsetNameBytesMax || charset.contains('\0')) return nullptr;
  // ICU takes options after a comma in the name; a mail must not reach them.
  if (charset.find_first_of(",=+") != std::string_view::npos) return nullptr;
  UErrorCode error = U_ZERO_ERROR;
  Converter converter(ucnv_open(std::string(charset).c_str(), &error));
  return U_SUCCESS(error) ? std::move(converter) : nullptr;
}

std::string Convert(UConverter* converter, std::string_view bytes) {
  std::string text(bytes.size() + bytes.size() / 2 + 16, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    UErrorCode error = U_ZERO_ERROR;
    const std::int32_t size =
        ucnv_toAlgorithmic(UCNV_UTF8, converter, text.data(), static_cast<std::int32_t>(text.size()), bytes.data(),
                           static_cast<std::int32_t>(bytes.size()), &error);
    if (U_SUCCESS(error)) {
      text.resize(static_cast<std::size_t>(size));
      return IsValidUtf8(text) ? text : RepairUtf8(text);
    }
    if (error != U_BUFFER_OVERFLOW_ERROR) return {};
    text.resize(static_cast<std::size_t>(size) + 1);
  }
  return {};
}

std::string Latin1ToUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() + bytes.size() / 4);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text.push_back(c);
    } else {
      text.push_back(static_cast<char>(0xc0 | (byte >> 6)));
      text.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return text;
}

std::string RepairUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  const auto size = static_cast<std::int64_t>(bytes.size());
  std::int64_t at = 0;
  while (at < size) {
    const std::int64_t start = at;
    UChar32 code_point = 0;
    U8_NEXT(bytes.data(), at, size, code_point);
    if (code_point < 0) {
      text.append("\xef\xbf\xbd");
    } else {
      text.append(bytes.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(at - start)));
    }
  }
  return text;
}

}  // namespace
}  // namespace mail
