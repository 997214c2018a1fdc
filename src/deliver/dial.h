// Dialling: how the node connects to next hops, over TCP or a Unix socket.
#pragma once

#include <chrono>
#include <string>

#include "deliver/hop_session.h"
#include "net/deadline_sweep.h"

namespace deliver {

struct DialOptions {
  std::chrono::seconds timeout{30};
  // Where connections come from, for machines with several addresses; empty: as the routes say. An endpoint of the
  // other family is dialled without.
  std::string source_v4;
  std::string source_v6;
};

// What the node uses; tests script their own. The sweep outlives all that is dialled.
Dial DialNetwork(net::DeadlineSweep* sweep, DialOptions options);

}  // namespace deliver
