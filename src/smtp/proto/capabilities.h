// What a server offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace smtp {

// All false: a server that knows HELO only.
struct Capabilities {
  bool pipelining = false;           // RFC 2920.
  bool size = false;                 // RFC 1870.
  std::uint64_t size_bytes_max = 0;  // 0: not said.
  bool eight_bit_mime = false;       // RFC 6152.
  bool smtputf8 = false;             // RFC 6531.
  bool dsn = false;                  // RFC 3461.
  bool starttls = false;             // RFC 3207.
  bool enhanced_status = false;      // RFC 2034.
  bool chunking = false;             // RFC 3030.
  // RFC 4954; of the mechanisms that are offered, those we know.
  bool auth_plain = false;
  bool auth_login = false;

  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

// Reads the lines of the reply; the first is the server's name and greeting. Unknown keywords are passed over, and a
// SIZE that is no number counts as one that is not said.
Capabilities ReadCapabilities(const std::vector<std::string>& lines);

// The name that a server gives itself in a greeting or an EHLO reply: the first word, where it looks like a name or an
// address literal; else empty.
std::string ReadServerName(std::string_view line);

}  // namespace smtp
