// HopSession: an open connection to a next hop with what deliver knows of it; and how one is opened.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "deliver/counting_connection.h"
#include "smtp/client/client_session.h"

namespace deliver {

// One address to connect to.
struct Endpoint {
  std::string name;  // The host's, or the socket's path.
  std::string ip;    // Empty: a Unix socket.
  std::uint16_t port = 0;
  std::string ToString() const;  // As log lines have it: "mx.example.org[192.0.2.1]:25".
};

// A value that one delivery or the pool owns. Destroyed without Quit() it just closes.
struct HopSession {
  std::shared_ptr<const smtp::ClientSettings> settings;  // The session borrows them: declared before it.
  std::unique_ptr<smtp::ClientSession> session;
  CountingConnection::Count heard;
  Endpoint endpoint;
  base::SteadyTime opened_at;
  std::uint32_t mails = 0;  // Offered over it so far.
};

// Connects to an endpoint within a time of its own. Errors: any, all of which mean the next address.
using Dial = std::function<async::Task<base::Result<std::unique_ptr<net::Connection>>>(Endpoint endpoint)>;

// Connects, and goes through greeting, hello, TLS and AUTH. Where TLS is opportunistic and fails, a second connection
// is made without (RFC 7435). Errors: those of ClientSession::Open and of `dial`, with the endpoint in the sentence.
// `dial` and `clock` outlive the task.
async::Task<base::Result<HopSession>> OpenHopSession(const Dial* dial, const base::Clock* clock, Endpoint endpoint,
                                                     smtp::ClientSettings settings);

}  // namespace deliver
