// SMTP commands (RFC 5321 and the extensions that the EHLO reply names) as values. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "mail/address.h"
#include "mail/envelope.h"

namespace smtp {

struct Helo {
  bool extended = false;  // EHLO.
  std::string name;       // As the client said it: 1 to 255 bytes, none of them a control byte; not verified.
};

// RFC 5321 §3.3, with the parameters of RFC 1870, 6152, 6531, 3461 and 4954.
struct MailFrom {
  bool null_path = false;  // "<>".
  mail::Address sender;
  std::uint64_t size_bytes = 0;  // SIZE=, 0 when not declared.
  mail::BodyType body = mail::BodyType::k7Bit;
  bool smtputf8 = false;
  mail::DsnReturn dsn_return = mail::DsnReturn::kUnspecified;
  std::string envelope_id;
};

struct RcptTo {
  mail::Address recipient;  // Without a domain only for "postmaster" (RFC 5321 §4.5.1).
  std::uint8_t notify = 0;
  std::string original;
};

struct Data {};

// RFC 3030. `size_bytes` bytes follow the command line at once.
struct Bdat {
  std::uint64_t size_bytes = 0;
  bool last = false;
  // Something else than LAST follows the size: the chunk is read, as RFC 3030 §4.2 wants it before any refusal, and
  // answered with 501. (A size that cannot be read is a BadCommand that ends the session.)
  bool malformed = false;
};

struct Rset {};
struct Noop {};
struct Quit {};
struct Vrfy {};
struct Expn {};
struct Help {};
struct StartTls {};

// RFC 4954. `initial` is still base64; "=" means an empty one.
struct Auth {
  std::string mechanism;  // Upper case.
  std::string initial;
  bool has_initial = false;
};

// A line that is no command, or a command with wrong arguments: the reply to send.
struct BadCommand {
  int code = 500;
  std::string text;           // With the enhanced status code: "5.5.2 ...".
  bool ends_session = false;  // What follows the line can't be told from commands.
};

using Command =
    std::variant<Helo, MailFrom, RcptTo, Data, Bdat, Rset, Noop, Quit, Vrfy, Expn, Help, StartTls, Auth, BadCommand>;

// The longest command line we take, without its CRLF: RFC 5321 §4.5.3.1.4 says 512, extensions add to it, and RFC 4954
// §4 asks for 12288 where AUTH carries an initial response.
inline constexpr std::size_t kCommandBytesMax = 12'288 - 2;

// Parses one command line without its CRLF. Never fails: what it cannot read becomes a BadCommand.
Command ParseCommand(std::string_view line);

}  // namespace smtp
