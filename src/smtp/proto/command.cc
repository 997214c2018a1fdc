#include "smtp/proto/command.h"

#include <charconv>
#include <optional>
#include <utility>

#include "mail/ascii.h"
#include "smtp/proto/parameters.h"

namespace smtp {
namespace {

struct Verb {
  std::string_view name;
  Command (*parse)(std::string_view arguments);
};

Command ParseHelo(std::string_view arguments, bool extended);
Command ParseMail(std::string_view arguments);
Command ParseRcpt(std::string_view arguments);
Command ParseBdat(std::string_view arguments);
Command ParseAuth(std::string_view arguments);

// A command that takes no argument (RFC 5321 §4.3.2: 501 when it has one).
template <class Plain>
Command ParsePlain(std::string_view arguments) {
  if (!arguments.empty()) return BadCommand{501, "5.5.4 This command takes no argument"};
  return Plain{};
}

constexpr Verb kVerbs[] = {
    {"MAIL", ParseMail},
    {"RCPT", ParseRcpt},
    {"DATA", ParsePlain<Data>},
    {"BDAT", ParseBdat},
    {"EHLO", [](std::string_view a) { return ParseHelo(a, true); }},
    {"HELO", [](std::string_view a) { return ParseHelo(a, false); }},
    {"QUIT", ParsePlain<Quit>},
    {"RSET", ParsePlain<Rset>},
    // RFC 5321 §4.1.1.9: a parameter of NOOP is ignored; VRFY, EXPN and HELP have one too.
    {"NOOP", [](std::string_view) -> Command { return Noop{}; }},
    {"VRFY", [](std::string_view) -> Command { return Vrfy{}; }},
    {"EXPN", [](std::string_view) -> Command { return Expn{}; }},
    {"HELP", [](std::string_view) -> Command { return Help{}; }},
    {"STARTTLS", ParsePlain<StartTls>},
    {"AUTH", ParseAuth},
};

}  // namespace

Command ParseCommand(std::string_view line) {
  for (const char c : line) {
    // RFC 5321 §4.1.2: no control bytes in commands. A NUL or a bare CR is never meant well.
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f)
      return BadCommand{500, "5.5.2 Control characters are not allowed"};
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  const std::size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  std::string_view arguments = end == std::string_view::npos ? std::string_view() : line.substr(end + 1);
  while (!arguments.empty() && arguments.front() == ' ') arguments.remove_prefix(1);
  for (const Verb& verb : kVerbs) {
    if (mail::EqualsIgnoreCase(word, verb.name)) return verb.parse(arguments);
  }
  return BadCommand{500, "5.5.1 Command not recognized"};
}

namespace {

Command ParseHelo(std::string_view arguments, bool extended) {
  if (arguments.empty() || arguments.size() > 255 || arguments.contains('\t')) {
    return BadCommand{501, extended ? "5.5.4 Say EHLO and your host name" : "5.5.4 Say HELO and your host name"};
  }
  return Helo{extended, std::string(arguments)};
}

// Reads "FROM:" or "TO:" and the path after it: returns the text between the angle brackets and leaves the parameters.
// A space after the colon is forgiven, since many clients send one. A source route is dropped (RFC 5321 §4.1.1.3).
std::optional<std::string_view> TakePath(std::string_view& arguments, std::string_view keyword) {
  if (arguments.size() < keyword.size() || !mail::EqualsIgnoreCase(arguments.substr(0, keyword.size()), keyword)) {
    return std::nullopt;
  }
  arguments.remove_prefix(keyword.size());
  while (!arguments.empty() && arguments.front() == ' ') arguments.remove_prefix(1);
  if (arguments.empty() || arguments.front() != '<') return std::nullopt;
  bool quoted = false;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (quoted && arguments[i] == '\\') {
      ++i;
    } else if (arguments[i] == '"') {
      quoted = !quoted;
    } else if (arguments[i] == '>' && !quoted) {
      std::string_view path = arguments.substr(1, i - 1);
      arguments.remove_prefix(i + 1);
      const std::size_t colon = path.starts_with('@') ? path.find(':') : std::string_view::npos;
      if (colon != std::string_view::npos) path.remove_prefix(colon + 1);
      return path;
    }
  }
  return std::nullopt;
}

Command ParseMail(std::string_view arguments) {
  const auto path = TakePath(arguments, "FROM:");
  if (!path) return BadCommand{501, "5.5.4 Say MAIL FROM:<address>"};
  MailFrom mail_from;
  if (auto bad = ParseMailParameters(arguments, mail_from)) return *std::move(bad);
  if (path->empty()) {
    mail_from.null_path = true;
    return mail_from;
  }
  auto address = mail::Address::Parse(*path, {.utf8 = mail_from.smtputf8, .underscores = true});
  if (!address) return BadCommand{501, "5.1.7 " + address.error().message()};
  mail_from.sender = *std::move(address);
  return mail_from;
}

Command ParseRcpt(std::string_view arguments) {
  const auto path = TakePath(arguments, "TO:");
  if (!path || path->empty()) return BadCommand{501, "5.5.4 Say RCPT TO:<address>"};
  RcptTo rcpt;
  if (auto bad = ParseRcptParameters(arguments, rcpt)) return *std::move(bad);
  // Whether UTF-8 is allowed here was said with MAIL; the session checks it, since only it knows.
  auto address = mail::Address::Parse(*path, {.utf8 = true, .bare_postmaster = true});
  if (!address) return BadCommand{501, "5.1.3 " + address.error().message()};
  rcpt.recipient = *std::move(address);
  return rcpt;
}

Command ParseBdat(std::string_view arguments) {
  Bdat bdat;
  const auto [end, error] = std::from_chars(arguments.data(), arguments.data() + arguments.size(), bdat.size_bytes);
  const std::string_view rest = arguments.substr(static_cast<std::size_t>(end - arguments.data()));
  bdat.last = mail::EqualsIgnoreCase(rest, " LAST");
  bdat.malformed = !rest.empty() && !bdat.last;
  // Bytes of unknown number follow.
  if (error != std::errc()) return BadCommand{501, "5.5.4 Say BDAT and a size", true};
  return bdat;
}

Command ParseAuth(std::string_view arguments) {
  Auth auth;
  const std::size_t space = arguments.find(' ');
  auth.mechanism = mail::LowerAscii(arguments.substr(0, space));
  for (char& c : auth.mechanism) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  if (auth.mechanism.empty()) return BadCommand{501, "5.5.4 Say AUTH and a mechanism"};
  if (space != std::string_view::npos) {
    auth.initial = arguments.substr(space + 1);
    auth.has_initial = true;
  }
  return auth;
}

}  // namespace
}  // namespace smtp
