#include "mail/charset.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/ucnv.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include "base/check.h"
#include "mail/ascii.h"

namespace mail {
namespace {

constexpr std::size_t kCharsetNameBytesMax = 64;

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

bool IsUtf8Name(std::string_view charset);
// Null when ICU does not know the charset, or it says nothing: nearly everything is sent as us-ascii.
Converter OpenConverter(std::string_view charset);
// Empty when the conversion fails as a whole; `bytes` is not empty.
std::string Convert(UConverter* converter, std::string_view bytes);
std::string Latin1ToUtf8(std::string_view bytes);
// Ill-formed sequences become U+FFFD.
std::string RepairUtf8(std::string_view bytes);
// How many bytes at the end may be the beginning of a character: 0 to 3.
std::size_t OpenUtf8Bytes(std::string_view bytes);

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

bool IsKnownCharset(std::string_view charset) {
  return IsUtf8Name(charset) || OpenConverter(charset) != nullptr;
}

std::string ToUtf8(std::string_view bytes, std::string_view charset) {
  if (!IsUtf8Name(charset)) {
    if (const Converter converter = OpenConverter(charset)) {
      std::string text = Convert(converter.get(), bytes);
      if (!text.empty() || bytes.empty()) return text;
    }
    return IsValidUtf8(bytes) ? std::string(bytes) : Latin1ToUtf8(bytes);
  }
  return IsValidUtf8(bytes) ? std::string(bytes) : RepairUtf8(bytes);
}

// The state that ucnv_convertEx keeps between two pieces.
struct Utf8Converter::Icu {
  explicit Icu(Converter opened) : from(std::move(opened)) {
    UErrorCode error = U_ZERO_ERROR;
    to.reset(ucnv_open("UTF-8", &error));
    CHECK(U_SUCCESS(error));
  }

  // False: the converter failed as a whole, and `text` has what came before.
  bool Convert(std::string_view bytes, bool at_end, std::string& text) {
    std::array<char, 4096> out;
    const char* source = bytes.data();
    UErrorCode error = U_BUFFER_OVERFLOW_ERROR;
    while (error == U_BUFFER_OVERFLOW_ERROR) {
      error = U_ZERO_ERROR;
      char* target = out.data();
      ucnv_convertEx(to.get(), from.get(), &target, out.data() + out.size(), &source, bytes.data() + bytes.size(),
                     pivot.data(), &pivot_source, &pivot_target, pivot.data() + pivot.size(), false, at_end, &error);
      text.append(out.data(), target);
    }
    return U_SUCCESS(error);
  }

  Converter from;
  Converter to;
  std::array<UChar, 1024> pivot;
  UChar* pivot_source = pivot.data();
  UChar* pivot_target = pivot.data();
};

Utf8Converter::Utf8Converter(std::string_view charset)
    : source_(IsUtf8Name(charset) ? Source::kUtf8 : Source::kPerhapsUtf8) {
  if (source_ == Source::kUtf8) return;
  Converter converter = OpenConverter(charset);
  if (converter == nullptr) return;
  icu_ = std::make_unique<Icu>(std::move(converter));
  source_ = Source::kIcu;
}

Utf8Converter::~Utf8Converter() = default;

std::string Utf8Converter::Add(std::string_view bytes) {
  if (source_ == Source::kIcu || source_ == Source::kLatin1) return Convert(bytes, false);
  held_.append(bytes);
  const std::string whole = std::exchange(held_, {});
  const std::size_t tail = OpenUtf8Bytes(whole);
  held_ = whole.substr(whole.size() - tail);
  return Convert(std::string_view(whole).substr(0, whole.size() - tail), false);
}

std::string Utf8Converter::Finish() {
  return Convert(std::exchange(held_, {}), true);
}

std::string Utf8Converter::Convert(std::string_view bytes, bool at_end) {
  if (source_ == Source::kIcu) {
    std::string text;
    // The rest may still be read as if nothing had been said of it.
    if (!icu_->Convert(bytes, at_end, text)) source_ = Source::kPerhapsUtf8;
    return IsValidUtf8(text) ? text : RepairUtf8(text);
  }
  if (source_ != Source::kLatin1 && IsValidUtf8(bytes)) return std::string(bytes);
  if (source_ == Source::kUtf8) return RepairUtf8(bytes);
  source_ = Source::kLatin1;
  return Latin1ToUtf8(bytes);
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

bool IsUtf8Name(std::string_view charset) {
  return EqualsIgnoreCase(charset, "utf-8") || EqualsIgnoreCase(charset, "utf8");
}

Converter OpenConverter(std::string_view charset) {
  if (charset.empty() || EqualsIgnoreCase(charset, "us-ascii")) return nullptr;
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

std::size_t OpenUtf8Bytes(std::string_view bytes) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const std::size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return size > back ? back : 0;
  }
  return 0;
}

}  // namespace
}  // namespace mail
