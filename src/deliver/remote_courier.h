// RemoteCourier: delivers to next hops, over SMTP and LMTP.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "deliver/connection_pool.h"
#include "deliver/courier.h"
#include "deliver/hop_session.h"
#include "deliver/mail_hosts.h"
#include "deliver/next_hop_table.h"
#include "net/resolver.h"

namespace deliver {

struct RemoteCourierOptions {
  // Our name, the time-outs, and how servers are spoken to that have no settings in the table. Its protocol is unused.
  smtp::ClientSettings client;
  MailHostOptions hosts;
  std::uint32_t endpoints_max = 5;     // Tried in one attempt.
  std::uint32_t recipients_max = 100;  // Of one mail on the wire (RFC 5321 §4.5.3.1.8).
  ConnectionPoolOptions pool;
};

// What a courier stands on; all borrowed. The table may change between two deliveries.
struct RemoteCourierWorld {
  queue::MailQueue* queue = nullptr;
  net::Resolver* resolver = nullptr;
  const base::Clock* clock = nullptr;
  const NextHopTable* table = nullptr;
  Dial dial;
};

// One attempt: a connection that is idle, else the next hop's addresses in their order until one of them takes part in
// a dialogue; it then decides on every recipient. A recipient that it puts off is not offered to another host: it may
// be greylisting, which another host would only learn anew.
//
// What counts as an attempt of no recipient: a connection that was dead when it was taken from the pool.
// Whether a destination could be reached is told to the queue, which slows down and pauses.
// Each recipient's end is a log line "delivery".
//
// Thread: the queue's shard. Memory of a delivery that waits: the claim and what a ClientSession has (128 KiB at most).
// Start(), then await Stop() after the dispatcher's and before destruction.
class RemoteCourier final : public Courier {
 public:
  RemoteCourier(async::Executor executor, RemoteCourierWorld world, RemoteCourierOptions options);
  ~RemoteCourier() override;

  void Start() { pool_.Start(); }
  async::Task<void> Stop() { return pool_.Stop(); }
  async::Task<void> Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) override;

  const ConnectionPool& pool() const { return pool_; }
  // Connections that were made.
  std::uint64_t opened_count() const { return opened_; }

 private:
  class Attempt;

  RemoteCourierWorld world_;
  RemoteCourierOptions options_;
  ConnectionPool pool_;
  std::uint64_t opened_ = 0;
  base::Random random_;
};

}  // namespace deliver
