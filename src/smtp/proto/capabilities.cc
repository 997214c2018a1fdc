#include "smtp/proto/capabilities.h"

#include <algorithm>
#include <charconv>

#include "mail/ascii.h"

namespace smtp {
namespace {

std::string_view TakeWord(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

void ReadSize(std::string_view rest, Capabilities& into) {
  into.size = true;
  const std::string_view word = TakeWord(rest);
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), bytes);
  if (error == std::errc() && end == word.data() + word.size()) into.size_bytes_max = bytes;
}

void ReadMechanisms(std::string_view rest, Capabilities& into) {
  for (std::string_view word = TakeWord(rest); !word.empty(); word = TakeWord(rest)) {
    if (mail::EqualsIgnoreCase(word, "PLAIN")) into.auth_plain = true;
    if (mail::EqualsIgnoreCase(word, "LOGIN")) into.auth_login = true;
  }
}

void ReadLine(std::string_view line, Capabilities& into) {
  const struct {
    std::string_view keyword;
    bool Capabilities::* flag;
  } flags[] = {
      {"PIPELINING", &Capabilities::pipelining}, {"8BITMIME", &Capabilities::eight_bit_mime},
      {"SMTPUTF8", &Capabilities::smtputf8},     {"DSN", &Capabilities::dsn},
      {"STARTTLS", &Capabilities::starttls},     {"ENHANCEDSTATUSCODES", &Capabilities::enhanced_status},
      {"CHUNKING", &Capabilities::chunking},
  };
  std::string_view rest = line;
  const std::string_view keyword = TakeWord(rest);
  for (const auto& known : flags) {
    if (mail::EqualsIgnoreCase(keyword, known.keyword)) into.*known.flag = true;
  }
  if (mail::EqualsIgnoreCase(keyword, "SIZE")) ReadSize(rest, into);
  if (mail::EqualsIgnoreCase(keyword, "AUTH")) ReadMechanisms(rest, into);
  // "AUTH=LOGIN PLAIN": as servers wrote it before RFC 2554.
  if (mail::StartsWithIgnoreCase(keyword, "AUTH=")) ReadMechanisms(line.substr(line.find('=') + 1), into);
}

}  // namespace

Capabilities ReadCapabilities(const std::vector<std::string>& lines) {
  Capabilities capabilities;
  for (std::size_t i = 1; i < lines.size(); ++i) ReadLine(lines[i], capabilities);
  return capabilities;
}

std::string ReadServerName(std::string_view line) {
  const std::string_view word = TakeWord(line);
  const auto is_part_of_name = [](char c) {
    return mail::IsAsciiAlnum(c) || std::string_view("-._:[]").find(c) != std::string_view::npos;
  };
  if (word.size() > 255 || !std::ranges::all_of(word, is_part_of_name)) return {};
  return std::string(word);
}

}  // namespace smtp
