#include "pop3/proto/command.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace pop3::proto {
namespace {

using Arguments =
    std::string_view;  // All after the keyword and one space, with a client's superfluous spaces still there.

std::string ToUpper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// The first word of `text`, which it takes off.
std::string_view TakeWord(std::string_view& text) {
  text = Trim(text);
  const std::string_view word = text.substr(0, text.find(' '));
  text = Trim(text.substr(word.size()));
  return word;
}

std::optional<std::uint32_t> ParseNumber(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

BadCommand Usage(std::string_view form) {
  return {"the command is: " + std::string(form)};
}

template <class C>
Command WithoutArguments(Arguments arguments) {
  if (!Trim(arguments).empty()) return BadCommand{"this command has no arguments"};
  return C{};
}

template <class C>
Command WithMessage(Arguments arguments) {
  const auto number = ParseNumber(Trim(arguments));
  if (!number.has_value()) return BadCommand{"give one message number"};
  return C{*number};
}

template <class C>
Command WithOptionalMessage(Arguments arguments) {
  if (Trim(arguments).empty()) return C{};
  const auto number = ParseNumber(Trim(arguments));
  if (!number.has_value()) return BadCommand{"give one message number or none"};
  return C{number};
}

Command ParseUser(Arguments arguments) {
  const std::string_view name = Trim(arguments);
  if (name.empty()) return Usage("USER address");
  return User{std::string(name)};
}

Command ParsePass(Arguments arguments) {
  if (arguments.empty()) return Usage("PASS password");
  return Pass{std::string(arguments)};
}

Command ParseTop(Arguments arguments) {
  const auto message = ParseNumber(TakeWord(arguments));
  const auto lines = ParseNumber(arguments);
  if (!message.has_value() || !lines.has_value()) return Usage("TOP message lines");
  return Top{*message, *lines};
}

Command ParseAuth(Arguments arguments) {
  Auth auth{.mechanism = ToUpper(TakeWord(arguments)), .initial = std::nullopt};
  if (auth.mechanism.empty()) return Usage("AUTH mechanism; CAPA lists the mechanisms");
  if (!arguments.empty()) auth.initial = std::string(arguments);
  return auth;
}

struct Keyword {
  std::string_view name;
  Command (*parse)(Arguments);
};

constexpr std::array kKeywords{
    Keyword{"USER", ParseUser},
    Keyword{"PASS", ParsePass},
    Keyword{"STAT", WithoutArguments<Stat>},
    Keyword{"LIST", WithOptionalMessage<List>},
    Keyword{"RETR", WithMessage<Retr>},
    Keyword{"DELE", WithMessage<Dele>},
    Keyword{"NOOP", WithoutArguments<Noop>},
    Keyword{"RSET", WithoutArguments<Rset>},
    Keyword{"QUIT", WithoutArguments<Quit>},
    Keyword{"TOP", ParseTop},
    Keyword{"UIDL", WithOptionalMessage<Uidl>},
    Keyword{"CAPA", WithoutArguments<Capa>},
    Keyword{"STLS", WithoutArguments<Stls>},
    Keyword{"AUTH", ParseAuth},
};

bool IsControl(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
}

}  // namespace

Command ParseCommand(std::string_view line) {
  if (std::any_of(line.begin(), line.end(), IsControl)) return BadCommand{"control characters are not allowed"};
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string keyword = ToUpper(line.substr(0, space));
  const Arguments arguments = space < line.size() ? line.substr(space + 1) : Arguments();
  for (const Keyword& known : kKeywords) {
    if (known.name == keyword) return known.parse(arguments);
  }
  return BadCommand{"unknown command"};
}

}  // namespace pop3::proto
