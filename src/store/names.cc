#include "store/names.h"

#include <algorithm>

namespace store {

namespace {

bool EqualsNoCase(std::string_view a, std::string_view upper) {
  return a.size() == upper.size() && std::ranges::equal(a, upper, [](char x, char y) {
           return (x >= 'a' && x <= 'z' ? static_cast<char>(x - 'a' + 'A') : x) == y;
         });
}

// Bytes of the well-formed UTF-8 sequence that `text` starts with (RFC 3629: no surrogates, no overlong forms); 0:
// none.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return length;
}

bool IsCleanText(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7f) return false;
    // C1 control characters, U+0080 to U+009F.
    if (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

base::Result<std::string> CanonicalMailboxName(std::string_view name, std::uint32_t bytes_max) {
  if (name.ends_with('/')) name.remove_suffix(1);
  if (name.empty()) return base::Error(base::Errc::kInvalid, "the mailbox name is empty");
  if (name.size() > bytes_max) {
    return base::Error(base::Errc::kInvalid, "the mailbox name is longer than " + std::to_string(bytes_max) + " bytes");
  }
  if (!IsCleanText(name)) {
    return base::Error(base::Errc::kInvalid, "the mailbox name is not UTF-8 text without control characters");
  }
  if (name.starts_with('/') || name.ends_with('/') || name.find("//") != std::string_view::npos) {
    return base::Error(base::Errc::kInvalid, "the mailbox name has an empty level");
  }
  if (std::ranges::count(name, '/') >= kMailboxDepthMax) {
    return base::Error(base::Errc::kInvalid,
                       "the mailbox name has more than " + std::to_string(kMailboxDepthMax) + " levels");
  }
  std::string canonical(name);
  const std::size_t first_level = std::min(name.find('/'), name.size());
  if (EqualsNoCase(name.substr(0, first_level), kInbox)) canonical.replace(0, first_level, kInbox);
  return canonical;
}

std::vector<std::string_view> ParentNames(std::string_view name) {
  std::vector<std::string_view> parents;
  for (std::size_t at = name.find('/'); at != std::string_view::npos; at = name.find('/', at + 1)) {
    parents.push_back(name.substr(0, at));
  }
  return parents;
}

}  // namespace store
