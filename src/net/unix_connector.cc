#include "net/unix_connector.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace net {
namespace {

using base::Errc;
using base::Error;

Error Failed(const std::string& path, int code) {
  const std::string doing = "connect to " + path + ": ";
  switch (code) {
    case ECONNREFUSED:
      return Error(Errc::kClosed, doing + "nobody listens there");
    case ENOENT:
      return Error(Errc::kNotFound, doing + "there is no such socket");
    case EACCES:
    case EPERM:
      return Error(Errc::kDenied, doing + "no permission; give it to the account that Posthorn runs as");
    case EAGAIN:
      return Error(Errc::kBusy, doing + "the server does not keep up");
    default:
      return Error(Errc::kIo, doing + std::strerror(code));
  }
}

}  // namespace

base::Result<std::unique_ptr<TcpConnection>> ConnectUnix(async::Executor executor, const std::string& path,
                                                         DeadlineSweep* sweep) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(Errc::kInvalid, "the path of a socket has 1 to " + std::to_string(sizeof address.sun_path - 1) +
                                     " bytes, not " + std::to_string(path.size()));
  }
  path.copy(address.sun_path, path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Failed(path, errno);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int code = errno;
    ::close(descriptor);
    return Failed(path, code);
  }
  TcpSocket socket(executor);
  boost::system::error_code refused;
  socket.assign(asio::ip::tcp::v4(), descriptor, refused);
  if (refused) {
    ::close(descriptor);
    return Error(Errc::kIo, "connect to " + path + ": " + refused.message());
  }
  return std::make_unique<TcpConnection>(std::move(socket), PeerAddress{.ip = path, .port = 0, .is_loopback = true},
                                         sweep);
}

}  // namespace net
