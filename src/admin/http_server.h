// HttpServer: HTTP/1.1 sessions (RFC 9112) on the connections of a net::Listener, over Beast's parser.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "admin/http_pages.h"
#include "async/asio.h"
#include "base/clock.h"
#include "net/connection.h"

namespace admin {

struct HttpServerOptions {
  std::uint32_t header_bytes_max = 8u << 10;         // Request line and fields; past it 431. Bodies are refused.
  std::uint32_t requests_per_connection_max = 1000;  // Then the connection is closed: kept ones don't live for ever.
  std::chrono::seconds request_max{30};              // From the last answer until a whole request is there.
  std::chrono::seconds answer_max{30};               // For the client to take an answer.
};

// Thread: the shard of the connections. Borrows pages and clock, which outlive it; outlives its sessions, which belong
// to the listener. Connections in all and a client are the listener's limit (net::ConnectionLimit).
class HttpServer {
 public:
  HttpServer(const HttpPages* pages, const base::Clock* clock, HttpServerOptions options)
      : pages_(pages), clock_(clock), options_(options) {}

  // One session, to be given to ListenerOptions::session.
  async::Task<void> Serve(std::unique_ptr<net::Connection> connection) const;

 private:
  const HttpPages* pages_;
  const base::Clock* clock_;
  HttpServerOptions options_;
};

}  // namespace admin
