#include "net/listen_socket.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace net {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr int kBacklog = 1024;

struct SocketAddress {
  sockaddr_storage raw{};
  socklen_t size = 0;
};

std::string ToText(const ListenAddress& address) {
  const bool is_v6 = address.ip.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.ip + "]" : address.ip) + ":" + std::to_string(address.port);
}

Result<SocketAddress> Parse(const ListenAddress& address) {
  SocketAddress out;
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.raw);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.raw);
  if (::inet_pton(AF_INET, address.ip.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    out.size = sizeof v4;
  } else if (::inet_pton(AF_INET6, address.ip.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    out.size = sizeof v6;
  } else {
    return Error(Errc::kInvalid,
                 "cannot listen on \"" + address.ip + "\": give a numeric address such as 127.0.0.1 or ::");
  }
  return out;
}

Error BindError(const ListenAddress& address, int code) {
  const std::string doing = "cannot listen on " + ToText(address) + ": ";
  switch (code) {
    case EADDRINUSE:
      return Error(Errc::kBusy,
                   doing +
                       "another program listens there; stop it (`ss -ltnp` shows it) or change the address "
                       "in the configuration");
    case EACCES:
      return Error(Errc::kDenied,
                   doing + "ports under 1024 need root or CAP_NET_BIND_SERVICE; grant it or use a higher port");
    case EADDRNOTAVAIL:
      return Error(Errc::kInvalid, doing + "this machine does not have that address; give one of its own");
    default:
      return Error(Errc::kIo, doing + std::strerror(code));
  }
}

std::uint16_t PortOf(int descriptor) {
  SocketAddress bound;
  bound.size = sizeof bound.raw;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound.raw), &bound.size) != 0) return 0;
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound.raw).sin_port);
}

enum class Sharing { kAlone, kReusePort };

int SetUp(int descriptor, const SocketAddress& address, Sharing sharing) {
  const int on = 1;
  // Without it a restart fails for a minute, while old connections linger.
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (address.raw.ss_family == AF_INET6) {
    // "::" means IPv6 only, so that "0.0.0.0" may stand beside it.
    ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (sharing == Sharing::kReusePort && ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return errno;
  }
  return ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address.raw), address.size) != 0 ? errno : 0;
}

}  // namespace

class ListenSocketOpener {
 public:
  static Result<ListenSocket> Bind(ListenAddress address, Sharing sharing) {
    ASSIGN_OR_RETURN(const SocketAddress raw, Parse(address));
    const int descriptor = ::socket(raw.raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return BindError(address, errno);
    ListenSocket socket(descriptor, std::move(address));
    if (const int code = SetUp(descriptor, raw, sharing); code != 0) return BindError(socket.address_, code);
    socket.address_.port = PortOf(descriptor);
    return socket;
  }

  static Result<ListenSocket> Open(ListenAddress address, Sharing sharing) {
    ASSIGN_OR_RETURN(ListenSocket socket, Bind(std::move(address), sharing));
    RETURN_IF_ERROR(socket.Listen());
    return socket;
  }
};

Result<ListenSocket> ListenSocket::Bind(const ListenAddress& address) {
  return ListenSocketOpener::Bind(address, Sharing::kAlone);
}

Result<> ListenSocket::Listen() {
  if (::listen(descriptor_, kBacklog) != 0) return BindError(address_, errno);
  return {};
}

Result<std::vector<ListenSocket>> ListenSocket::Open(const ListenAddress& address, std::size_t count) {
  std::vector<ListenSocket> sockets;
  ListenAddress at = address;
  {
    // SO_REUSEPORT lets any process of this user share the port: a second node, started by mistake, would get half of
    // the first one's connections. Opened alone once, the port shows whether anybody is there.
    ASSIGN_OR_RETURN(ListenSocket alone, ListenSocketOpener::Open(at, Sharing::kAlone));
    at.port = alone.address().port;
    if (count == 1) {
      sockets.push_back(std::move(alone));
      return sockets;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(ListenSocket shared, ListenSocketOpener::Open(at, Sharing::kReusePort));
    sockets.push_back(std::move(shared));
  }
  return sockets;
}

ListenSocket::~ListenSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace net
