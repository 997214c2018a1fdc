// ASCII letters, digits and case: what mail protocols compare by. Never the C locale.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace mail {

inline bool IsAsciiDigit(char c) {
  return c >= '0' && c <= '9';
}
inline bool IsAsciiAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
inline bool IsAsciiAlnum(char c) {
  return IsAsciiAlpha(c) || IsAsciiDigit(c);
}
inline bool IsHighByte(char c) {
  return (static_cast<unsigned char>(c) & 0x80) != 0;
}
// A space or tab: RFC 5234 WSP.
inline bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}
// WSP and the bytes of a line break: what unfolding makes one run of.
inline bool IsSpace(char c) {
  return IsBlank(c) || c == '\r' || c == '\n';
}
// RFC 5322 §3.2.3 atext.
inline bool IsAtext(char c) {
  return IsAsciiAlnum(c) || (c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").contains(c));
}

inline char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

inline std::string LowerAscii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = LowerAscii(c);
  return lower;
}

inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return LowerAscii(x) == LowerAscii(y); });
}

inline bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

inline bool IsAscii(std::string_view text) {
  return std::ranges::none_of(text, IsHighByte);
}

// Without the white space at both ends.
inline std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace mail
