#include "pop3/proto/uidl_format.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/check.h"

namespace pop3::proto {

namespace {

constexpr std::size_t kIdBytesMax = 70;  // RFC 1939 §7.

base::Error Bad(std::string_view why) {
  return base::Error(base::Errc::kInvalid,
                     fmt::format("{}; write text with %u (the UID) and %v (the UIDVALIDITY), such as \"{}\"", why,
                                 UidlFormat::kDefault));
}

constexpr std::size_t kUidDigitsMax = 10;

std::string Digits(bool is_hexadecimal, std::uint32_t value) {
  return is_hexadecimal ? fmt::format("{:x}", value) : fmt::format("{}", value);
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

UidlFormat::UidlFormat() {
  auto standard = Parse(kDefault);
  CHECK(standard.has_value());
  *this = *std::move(standard);
}

base::Result<UidlFormat> UidlFormat::Parse(std::string_view text) {
  const std::string_view whole = text;
  std::vector<Part> parts(1);
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '%') {
      parts.back().text.push_back(c);
    } else if (text.starts_with('%')) {
      parts.back().text.push_back('%');
      text.remove_prefix(1);
    } else {
      ASSIGN_OR_RETURN(Part variable, ParseVariable(&text));
      variable.text = std::move(parts.back().text);
      parts.back() = std::move(variable);
      parts.emplace_back();
    }
  }
  const bool has_uid = std::ranges::any_of(parts, [](const Part& part) { return part.variable == 'u'; });
  if (!has_uid) return Bad("the ids would not differ without %u");
  UidlFormat format(whole, std::move(parts));
  // The longest that it makes, and one with all its fill.
  for (const std::uint32_t number : {UINT32_MAX, 1u}) {
    const std::string id = format.Format(number, number);
    const bool is_id = std::ranges::all_of(id, [](char c) { return c >= 0x21 && c <= 0x7e; });
    if (id.size() > kIdBytesMax || !is_id) return Bad("ids have at most 70 characters, without spaces");
  }
  return format;
}

base::Result<UidlFormat::Part> UidlFormat::ParseVariable(std::string_view* rest) {
  Part part;
  part.is_zero_filled = rest->starts_with('0');
  while (!rest->empty() && IsDigit(rest->front())) {
    part.width = part.width * 10 + static_cast<std::uint32_t>(rest->front() - '0');
    if (part.width > kIdBytesMax) return Bad("a width is too large");
    rest->remove_prefix(1);
  }
  if (rest->starts_with('X')) {
    part.is_hexadecimal = true;
    rest->remove_prefix(1);
  }
  if (rest->empty() || (rest->front() != 'u' && rest->front() != 'v')) return Bad("there is an unknown variable");
  part.variable = rest->front();
  rest->remove_prefix(1);
  return part;
}

bool UidlFormat::has_uid_validity() const {
  return std::ranges::any_of(parts_, [](const Part& part) { return part.variable == 'v'; });
}

bool UidlFormat::Makes(std::uint32_t uid_validity, std::string_view id) const {
  // Any number in the id may be the UID: trying costs less than telling variables and text apart.
  for (const Part& part : parts_) {
    if (part.variable == 'v' && !id.contains(Digits(part.is_hexadecimal, uid_validity))) return false;
  }
  for (std::size_t begin = 0; begin < id.size(); ++begin) {
    for (const Part& part : parts_) {
      if (part.variable != 'u') continue;
      for (std::size_t size = 1; size <= kUidDigitsMax && begin + size <= id.size(); ++size) {
        std::uint32_t uid = 0;
        const char* const end = id.data() + begin + size;
        const auto parsed = std::from_chars(id.data() + begin, end, uid, part.is_hexadecimal ? 16 : 10);
        if (parsed.ec == std::errc() && parsed.ptr == end && Format(uid_validity, uid) == id) return true;
      }
    }
  }
  return false;
}

std::string UidlFormat::Format(std::uint32_t uid_validity, std::uint32_t uid) const {
  std::string id;
  for (const Part& part : parts_) {
    id += part.text;
    if (part.variable == '\0') continue;
    const std::uint32_t value = part.variable == 'u' ? uid : uid_validity;
    const std::string digits = Digits(part.is_hexadecimal, value);
    if (digits.size() < part.width) id.append(part.width - digits.size(), part.is_zero_filled ? '0' : ' ');
    id += digits;
  }
  return id;
}

}  // namespace pop3::proto
