// The commands of POP3 (RFC 1939 without APOP, RFC 2449, RFC 2595, RFC 5034) as values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pop3::proto {

// RFC 2449 §4: a command has 255 bytes at most with its CRLF. Twice that is taken, for long addresses and passwords.
inline constexpr std::size_t kCommandBytesMax = 512;
// An answer in a SASL exchange: base64 of two addresses and a password, of 254 and 511 bytes at most.
inline constexpr std::size_t kAuthBytesMax = 2000;

struct User {
  std::string name;
};
struct Pass {
  std::string password;  // All after the one space: passwords may have spaces, also at their ends.
};
struct Stat {};
struct List {
  std::optional<std::uint32_t> message;
};
struct Retr {
  std::uint32_t message = 0;
};
struct Dele {
  std::uint32_t message = 0;
};
struct Noop {};
struct Rset {};
struct Quit {};
struct Top {
  std::uint32_t message = 0;
  std::uint32_t lines = 0;
};
struct Uidl {
  std::optional<std::uint32_t> message;
};
struct Capa {};
struct Stls {};
struct Auth {
  std::string mechanism;               // Upper case.
  std::optional<std::string> initial;  // Base64 as it came; "=" stands for an empty one (RFC 5034 §4).
};
struct BadCommand {
  std::string reason;  // What follows "-ERR ".
};

using Command =
    std::variant<User, Pass, Stat, List, Retr, Dele, Noop, Rset, Quit, Top, Uidl, Capa, Stls, Auth, BadCommand>;

// Parses one line without its line end. Never fails: what it cannot read becomes a BadCommand. Message numbers are
// numbers only; whether there is such a message is the session's question.
Command ParseCommand(std::string_view line);

}  // namespace pop3::proto
