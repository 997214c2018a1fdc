#include "deliver/next_hop.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include "mail/address.h"

namespace deliver {
namespace {

using Kind = NextHop::Kind;

constexpr std::string_view kMxPrefix = "mx:";
constexpr std::string_view kSmtpPrefix = "smtp:";
constexpr std::string_view kLmtpPrefix = "lmtp:";
constexpr std::uint16_t kSmtpPort = 25;
constexpr std::uint16_t kLmtpPort = 24;       // RFC 2033 §5.
constexpr std::size_t kSocketBytesMax = 107;  // sockaddr_un has room for so much.

base::Error Wrong(std::string_view text, std::string_view what) {
  return base::Error(base::Errc::kInvalid, fmt::format("the next hop \"{}\" {}", text, what));
}

// A host and perhaps its port. `text` is the whole, for the error.
base::Result<NextHop> ParseServer(Kind kind, std::string_view server, std::string_view text) {
  NextHop hop{.kind = kind, .host = {}, .port = kind == Kind::kSmtp ? kSmtpPort : kLmtpPort};
  const bool is_bracketed = server.starts_with('[');
  const std::size_t end = is_bracketed ? server.find(']') : server.find(':');
  if (is_bracketed && end == std::string_view::npos) return Wrong(text, "lacks the ']' after its address");
  hop.host = is_bracketed ? server.substr(1, end - 1) : server.substr(0, end);
  std::string_view port = end == std::string_view::npos ? "" : server.substr(end + (is_bracketed ? 1 : 0));
  if (hop.host.empty()) return Wrong(text, "names no host; write smtp:HOST:PORT or lmtp:HOST:PORT");
  // In brackets an address, outside of them a name or an IPv4 address: those have the bytes of a host name.
  const bool is_host = std::ranges::all_of(hop.host, [is_bracketed](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || (is_bracketed && (c == ':' || c == '%'));
  });
  if (!is_host) return Wrong(text, "has a host that is neither a name in ASCII nor an address");
  std::ranges::transform(hop.host, hop.host.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (port.empty()) return hop;
  if (port.front() == ':') port.remove_prefix(1);
  const auto read = std::from_chars(port.data(), port.data() + port.size(), hop.port);
  if (read.ec != std::errc() || read.ptr != port.data() + port.size() || hop.port == 0) {
    return Wrong(text, "has no port from 1 to 65535 after its host; put an IPv6 address into [brackets]");
  }
  return hop;
}

}  // namespace

base::Result<NextHop> NextHop::Parse(std::string_view text) {
  if (text.starts_with(kMxPrefix)) {
    auto domain = mail::CanonicalDomain(text.substr(kMxPrefix.size()), {.utf8 = true, .underscores = true});
    if (!domain.has_value()) return Wrong(text, "has no domain: " + domain.error().message());
    return NextHop{.kind = Kind::kMx, .host = *std::move(domain)};
  }
  if (text.starts_with(kSmtpPrefix)) return ParseServer(Kind::kSmtp, text.substr(kSmtpPrefix.size()), text);
  if (text.starts_with(kLmtpPrefix)) {
    const std::string_view server = text.substr(kLmtpPrefix.size());
    if (!server.starts_with('/')) return ParseServer(Kind::kLmtp, server, text);
    if (server.size() > kSocketBytesMax || server.find('\0') != std::string_view::npos) {
      return Wrong(text, fmt::format("has a path of more than {} bytes", kSocketBytesMax));
    }
    return NextHop{.kind = Kind::kLmtp, .host = std::string(server)};
  }
  return NextHop{.kind = Kind::kLocal, .host = std::string(text)};
}

std::string NextHop::ToString() const {
  if (kind == Kind::kLocal) return host;
  if (kind == Kind::kMx) return fmt::format("{}{}", kMxPrefix, host);
  const std::string_view prefix = kind == Kind::kSmtp ? kSmtpPrefix : kLmtpPrefix;
  if (is_socket()) return fmt::format("{}{}", prefix, host);
  const bool is_v6 = host.find(':') != std::string::npos;
  return is_v6 ? fmt::format("{}[{}]:{}", prefix, host, port) : fmt::format("{}{}:{}", prefix, host, port);
}

bool IsRemoteDestination(std::string_view destination) {
  return destination.starts_with(kMxPrefix) || destination.starts_with(kSmtpPrefix) ||
         destination.starts_with(kLmtpPrefix);
}

}  // namespace deliver
