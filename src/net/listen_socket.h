// ListenSocket: a TCP socket at an address, bound and then listening, one a shard for each address.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace net {

struct ListenAddress {
  std::string ip;          // Numeric: "127.0.0.1", "::", "0.0.0.0".
  std::uint16_t port = 0;  // 0: the kernel chooses (tests).
};

// Owns the descriptor: non-blocking, close-on-exec, TCP_NODELAY (inherited by what it accepts).
class ListenSocket {
 public:
  // Listens on `address` once for each of `count` shards (SO_REUSEPORT spreads the connections); all have the same
  // port. Errors: one sentence that names the address and what to do: kInvalid (no address), kBusy (in use), kDenied (a
  // port that needs root), kIo.
  static base::Result<std::vector<ListenSocket>> Open(const ListenAddress& address, std::size_t count);

  // Takes the address without listening yet: what root alone may do comes first, and nobody waits in the backlog of a
  // server that is still starting. Errors: as Open().
  static base::Result<ListenSocket> Bind(const ListenAddress& address);
  // Begins to listen on what Bind() took. Errors: kBusy (another program did so first), kIo.
  base::Result<> Listen();

  ListenSocket(ListenSocket&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), address_(std::move(other.address_)) {}
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  const ListenAddress& address() const { return address_; }
  // Gives the descriptor away.
  int Release() { return std::exchange(descriptor_, -1); }

 private:
  friend class ListenSocketOpener;
  ListenSocket(int descriptor, ListenAddress address) : descriptor_(descriptor), address_(std::move(address)) {}

  int descriptor_;
  ListenAddress address_;
};

}  // namespace net
