#include "net/network.h"

#include <span>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace net {
namespace {

// Clears all bits of `address` after the first `bits`.
void Mask(std::span<unsigned char> address, int bits) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    const int kept = bits - static_cast<int>(8 * i);
    if (kept >= 8) continue;
    address[i] = kept <= 0 ? 0 : static_cast<unsigned char>(address[i] & (0xff << (8 - kept)));
  }
}

std::string ToText(int family, const void* address) {
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(family, address, text, sizeof text) != nullptr ? text : "";
}

}  // namespace

PeerAddress ToPeerAddress(const sockaddr_storage& address) {
  PeerAddress peer;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    peer.ip = ToText(AF_INET, &v4.sin_addr);
    peer.port = ntohs(v4.sin_port);
    peer.is_loopback = ntohl(v4.sin_addr.s_addr) >> 24 == 127;
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    peer.port = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      peer.ip = ToText(AF_INET, &v6.sin6_addr.s6_addr[12]);
      peer.is_loopback = v6.sin6_addr.s6_addr[12] == 127;
    } else {
      peer.ip = ToText(AF_INET6, &v6.sin6_addr);
      peer.is_loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
  }
  return peer;
}

std::string ClientNetwork(std::string_view ip, NetworkBits bits) {
  const std::string text(ip);
  unsigned char raw[16] = {};
  if (::inet_pton(AF_INET, text.c_str(), raw) == 1) {
    Mask(std::span(raw, 4), bits.v4);
    return ToText(AF_INET, raw) + "/" + std::to_string(bits.v4);
  }
  if (::inet_pton(AF_INET6, text.c_str(), raw) == 1) {
    Mask(raw, bits.v6);
    return ToText(AF_INET6, raw) + "/" + std::to_string(bits.v6);
  }
  return text;
}

}  // namespace net
