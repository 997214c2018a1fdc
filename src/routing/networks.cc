#include "routing/networks.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include <arpa/inet.h>
#include <fmt/format.h>

namespace routing {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

constexpr std::size_t kMappedBits = 96;

struct Ip {
  Bytes bytes{};
  bool is_v4 = false;
};

std::optional<Ip> ParseIp(std::string_view text) {
  char name[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof name) return std::nullopt;
  std::memcpy(name, text.data(), text.size());
  Ip ip;
  if (::inet_pton(AF_INET, name, ip.bytes.data() + 12) == 1) {
    ip.bytes[10] = ip.bytes[11] = 0xff;
    ip.is_v4 = true;
    return ip;
  }
  if (::inet_pton(AF_INET6, name, ip.bytes.data()) != 1) return std::nullopt;
  return ip;
}

Bytes WithPrefixOnly(Bytes bytes, std::size_t prefix_bits) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t kept = std::clamp<std::size_t>(prefix_bits, 8 * i, 8 * i + 8) - 8 * i;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00u >> kept));
  }
  return bytes;
}

base::Error Invalid(std::string_view network, std::string_view problem) {
  return base::Error(base::Errc::kInvalid, fmt::format("\"{}\" {}", network, problem));
}

}  // namespace

base::Result<> Networks::Add(std::string_view network) {
  const std::size_t slash = network.find('/');
  const auto ip = ParseIp(network.substr(0, slash));
  if (!ip) return Invalid(network, "is no network; write 192.0.2.0/24, 2001:db8::/32 or one address");
  const std::size_t bits_max = ip->is_v4 ? 32 : 128;
  std::size_t bits = bits_max;
  if (slash != std::string_view::npos) {
    const std::string_view text = network.substr(slash + 1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
    if (error != std::errc() || end != text.data() + text.size() || bits > bits_max) {
      return Invalid(network, fmt::format("needs a number from 1 to {} behind the slash", bits_max));
    }
  }
  if (bits == 0) return Invalid(network, "is everybody; name the networks");
  const std::size_t prefix_bits = bits + (ip->is_v4 ? kMappedBits : 0);
  if (WithPrefixOnly(ip->bytes, prefix_bits) != ip->bytes) {
    return Invalid(network,
                   fmt::format("has bits set behind its first {}: is one address meant, or another prefix?", bits));
  }
  networks_.push_back({ip->bytes, static_cast<std::uint8_t>(prefix_bits)});
  return {};
}

bool Networks::Contains(std::string_view ip) const {
  if (networks_.empty()) return false;
  const auto parsed = ParseIp(ip);
  return parsed && std::ranges::any_of(networks_, [&](const Network& network) {
           return WithPrefixOnly(parsed->bytes, network.prefix_bits) == network.bytes;
         });
}

}  // namespace routing
