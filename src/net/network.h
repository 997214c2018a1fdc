// Client addresses as text and as networks, for limits that count by who a client is.
#pragma once

#include <string>
#include <string_view>

#include <sys/socket.h>

#include "net/connection.h"

namespace net {

// Reads what accept4 or getpeername gave. An IPv4 address in IPv6 clothes (::ffff:192.0.2.1) is written as IPv4.
PeerAddress ToPeerAddress(const sockaddr_storage& address);

// How many leading bits of an address name one client. A household or a server has a whole /64 of IPv6.
struct NetworkBits {
  int v4 = 32;
  int v6 = 64;
};

// "192.0.2.0/24" for "192.0.2.77" and 24 bits. Text that is no address is returned as it is.
std::string ClientNetwork(std::string_view ip, NetworkBits bits);

}  // namespace net
