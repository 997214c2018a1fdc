#include "imap/proto/mailbox_name.h"

#include <cstdint>
#include <optional>

#include "imap/proto/flags.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
constexpr char32_t kReplacement = 0xFFFD;

bool IsPrintableAscii(char32_t c) {
  return c >= 0x20 && c <= 0x7e;
}
bool IsHighSurrogate(char32_t c) {
  return c >= 0xD800 && c <= 0xDBFF;
}
bool IsLowSurrogate(char32_t c) {
  return c >= 0xDC00 && c <= 0xDFFF;
}

Error BadEncoding() {
  return Error(Errc::kInvalid, "the mailbox name is not valid modified UTF-7 (RFC 3501 section 5.1.3)");
}

void AppendUtf8(std::string& out, char32_t c) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6));
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18));
    put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

// Takes one character off the front; what is no UTF-8 (overlong, surrogate, cut short) costs one byte and is U+FFFD.
char32_t TakeUtf8(std::string_view& in) {
  const auto byte = [&in](std::size_t i) { return static_cast<unsigned char>(in[i]); };
  const unsigned char lead = byte(0);
  const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 && lead < 0xF8 ? 4 : lead >= 0xE0 ? 3 : 2;
  char32_t c = size == 1 ? lead : lead & (0xFFu >> (size + 1));
  bool ok = lead < 0x80 || (lead >= 0xC2 && lead < 0xF5 && in.size() >= size);
  for (std::size_t i = 1; ok && i < size; ++i) {
    ok = (byte(i) & 0xC0) == 0x80;
    c = (c << 6) | (byte(i) & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (!ok || c < kSmallest[size] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
    in.remove_prefix(1);
    return kReplacement;
  }
  in.remove_prefix(size);
  return c;
}

// Joins UTF-16 units to characters.
class Utf16Joiner {
 public:
  explicit Utf16Joiner(std::string& out) : out_(out) {}
  // False when the unit cannot stand here, or stands for what must not be encoded (printable ASCII, NUL).
  bool Add(char32_t unit) {
    if (high_ != 0) {
      if (!IsLowSurrogate(unit)) return false;
      AppendUtf8(out_, 0x10000 + ((high_ - 0xD800) << 10) + (unit - 0xDC00));
      high_ = 0;
      return true;
    }
    if (IsHighSurrogate(unit)) {
      high_ = unit;
      return true;
    }
    if (IsLowSurrogate(unit) || IsPrintableAscii(unit) || unit == 0) return false;
    AppendUtf8(out_, unit);
    return true;
  }
  bool complete() const { return high_ == 0; }

 private:
  std::string& out_;
  char32_t high_ = 0;
};

// The base64 between "&" and "-", which is not empty. False when it is not canonical.
bool DecodeShifted(std::string_view base64, std::string& out) {
  Utf16Joiner joiner(out);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : base64) {
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 16) continue;
    count -= 16;
    if (!joiner.Add((bits >> count) & 0xFFFF)) return false;
    bits &= (1u << count) - 1;
  }
  return joiner.complete() && count < 6 && bits == 0;
}

void EncodeShifted(std::u16string_view units, std::string& out) {
  out.push_back('&');
  std::uint32_t bits = 0;
  int count = 0;
  for (const char16_t unit : units) {
    bits = (bits << 16) | unit;
    count += 16;
    while (count >= 6) {
      count -= 6;
      out.push_back(kBase64[(bits >> count) & 0x3F]);
    }
    bits &= (1u << count) - 1;
  }
  if (count > 0) out.push_back(kBase64[(bits << (6 - count)) & 0x3F]);
  out.push_back('-');
}

void AppendUtf16(std::u16string& out, char32_t c) {
  if (c >= 0x10000) {
    out.push_back(static_cast<char16_t>(0xD800 + ((c - 0x10000) >> 10)));
    out.push_back(static_cast<char16_t>(0xDC00 + ((c - 0x10000) & 0x3FF)));
  } else {
    out.push_back(static_cast<char16_t>(c));
  }
}

}  // namespace

Result<std::string> DecodeMailboxName(std::string_view wire) {
  if (wire.size() > kMailboxNameBytesMax) return Error(Errc::kInvalid, "the mailbox name is longer than 1000 bytes");
  if (EqualsIgnoreCase(wire, "INBOX")) return std::string("INBOX");
  std::string name;
  bool after_shift = false;  // "&AAA-&BBB-" has a superfluous shift (RFC 3501 §5.1.3) and is refused.
  while (!wire.empty()) {
    const char c = wire.front();
    if (c != '&') {
      if (!IsPrintableAscii(static_cast<unsigned char>(c))) return BadEncoding();
      name.push_back(c);
      wire.remove_prefix(1);
      after_shift = false;
      continue;
    }
    const std::size_t end = wire.find('-');
    if (end == std::string_view::npos) return BadEncoding();
    const std::string_view base64 = wire.substr(1, end - 1);
    if (base64.empty()) {
      name.push_back('&');
    } else if (after_shift || !DecodeShifted(base64, name)) {
      return BadEncoding();
    }
    after_shift = !base64.empty();
    wire.remove_prefix(end + 1);
  }
  return name;
}

std::string EncodeMailboxName(std::string_view name) {
  std::string out;
  std::u16string shifted;
  const auto flush = [&] {
    if (!shifted.empty()) EncodeShifted(shifted, out);
    shifted.clear();
  };
  while (!name.empty()) {
    const char32_t c = TakeUtf8(name);
    if (!IsPrintableAscii(c)) {
      AppendUtf16(shifted, c);
      continue;
    }
    flush();
    out.push_back(static_cast<char>(c));
    if (c == '&') out.push_back('-');
  }
  flush();
  return out;
}

Result<> CheckMailboxName(std::string_view name) {
  if (name.empty()) return Error(Errc::kInvalid, "a mailbox name must not be empty");
  if (name.size() > kMailboxNameBytesMax) return Error(Errc::kInvalid, "the mailbox name is longer than 1000 bytes");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Error(Errc::kInvalid, "a mailbox name must not have control characters");
    }
    if (c == '%' || c == '*') return Error(Errc::kInvalid, "a mailbox name must not have the wildcards % and *");
  }
  if (name.starts_with(kHierarchyDelimiter) || name.ends_with(kHierarchyDelimiter) ||
      name.find("//") != std::string_view::npos) {
    return Error(Errc::kInvalid, "a mailbox name must not have an empty level between its slashes");
  }
  return {};
}

}  // namespace imap
