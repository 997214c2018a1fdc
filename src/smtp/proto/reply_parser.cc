#include "smtp/proto/reply_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "mail/ascii.h"
#include "mail/charset.h"

namespace smtp {
namespace {

std::optional<int> ReadCode(std::string_view line);
std::string_view ReadStatus(std::string_view text);
std::size_t CharacterSize(char first_byte);
bool IsControl(std::string_view character);

}  // namespace

std::string ServerReply::Text() const {
  std::string text;
  for (const std::string& line : lines) {
    std::string_view words = line;
    // RFC 2034 §3 has the status on each line; said once it is enough.
    if (!text.empty() && !status.empty() && ReadStatus(words) == status) words.remove_prefix(status.size());
    if (!text.empty()) text += ' ';
    text += words;
    if (text.size() > 2 * kReplyTextBytesMax) break;
  }
  return ToOneLine(text);
}

ReplyParser::State ReplyParser::AddLine(std::string_view line) {
  const std::optional<int> code = ReadCode(line);
  if (!code || (reply_.code != 0 && reply_.code != *code)) return State::kMalformed;
  if (line.size() > kReplyLineBytesMax || reply_.lines.size() >= kReplyLinesMax) return State::kMalformed;
  const bool goes_on = line.size() > 3 && line[3] == '-';
  if (line.size() > 3 && !goes_on && line[3] != ' ') return State::kMalformed;
  const std::string_view text = line.substr(std::min<std::size_t>(line.size(), 4));
  if (reply_.lines.empty()) {
    // RFC 2034 §4: its class is the code's first digit.
    const std::string_view status = ReadStatus(text);
    if (status.starts_with(line[0])) reply_.status = status;
  }
  reply_.code = *code;
  reply_.lines.emplace_back(text);
  return goes_on ? State::kMore : State::kDone;
}

ServerReply ReplyParser::Take() {
  return std::exchange(reply_, {});
}

std::string ToOneLine(std::string_view bytes, std::size_t bytes_max) {
  const std::string utf8 = mail::ToUtf8(bytes, "utf-8");
  std::string text;
  for (std::string_view rest = utf8; !rest.empty();) {
    const std::string_view character = rest.substr(0, CharacterSize(rest.front()));
    rest.remove_prefix(character.size());
    const std::string_view shown = IsControl(character) ? " " : character;
    if (shown == " " && (text.empty() || text.ends_with(' '))) continue;
    if (text.size() + shown.size() > bytes_max) break;
    text += shown;
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

namespace {

std::optional<int> ReadCode(std::string_view line) {
  if (line.size() < 3 || line[0] < '2' || line[0] > '5') return std::nullopt;
  if (!mail::IsAsciiDigit(line[1]) || !mail::IsAsciiDigit(line[2])) return std::nullopt;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

// RFC 3463 §2: class "." subject "." detail, at the front, before a space or the end. Empty when it is none.
std::string_view ReadStatus(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(' '));
  if (word.size() < 5 || word[1] != '.' || (word[0] != '2' && word[0] != '4' && word[0] != '5')) return {};
  const std::size_t second = word.find('.', 2);
  if (second == std::string_view::npos) return {};
  for (const std::string_view number : {word.substr(2, second - 2), word.substr(second + 1)}) {
    if (number.empty() || number.size() > 3 || !std::ranges::all_of(number, mail::IsAsciiDigit)) return {};
  }
  return word;
}

// Of valid UTF-8, by its first byte.
std::size_t CharacterSize(char first_byte) {
  const auto first = static_cast<unsigned char>(first_byte);
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

// C0 and C1, and the two separators of Unicode, which end lines to some who read logs.
bool IsControl(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  if (character.size() == 1) return first < ' ' || first == 0x7f;
  if (first == 0xc2) return static_cast<unsigned char>(character[1]) < 0xa0;
  return character == "\u2028" || character == "\u2029";
}

}  // namespace
}  // namespace smtp
