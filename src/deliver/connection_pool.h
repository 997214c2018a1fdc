// ConnectionPool: connections to next hops between two mails, kept for the next mail for a moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "async/asio.h"
#include "async/task_group.h"
#include "base/clock.h"
#include "deliver/hop_session.h"

namespace deliver {

struct ConnectionPoolOptions {
  std::chrono::milliseconds idle_max{2000};  // As Postfix: longer than that nobody likes an idle client.
  std::chrono::seconds age_max{300};         // Then a new one is made, so that a change of the DNS is followed.
  std::uint32_t mails_max = 100;             // Over one connection: many servers count, and slow down.
  std::uint32_t idle_per_destination_max = 20;
  std::uint32_t idle_count_max = 200;
  std::uint32_t goodbyes_max = 200;  // QUITs under way at once; who comes after that just closes.
};

// Idle connections, by destination and by endpoint: many domains have the same hosts. The one that became idle last is
// taken first, since it is the likeliest to live. How many are in use at once is bounded by those who use them: the
// queue's claims for each destination, the dispatcher's workers in all.
//
// Thread: the queue's shard. Owns what is put in; borrows the clock. Start(), then await Stop() before destruction.
// Memory: a few KiB for each of idle_count_max.
class ConnectionPool {
 public:
  ConnectionPool(async::Executor executor, const base::Clock* clock, ConnectionPoolOptions options);
  ~ConnectionPool();

  void Start();
  // Says goodbye to all that are idle.
  async::Task<void> Stop();

  // Nothing: none is idle. It may be dead all the same.
  std::optional<HopSession> Take(const std::string& destination);
  // `scope` keeps apart who may not share connections; empty: nobody may.
  std::optional<HopSession> TakeEndpoint(const std::string& scope, const Endpoint& endpoint);
  // Of a usable session whose mail is done. One that is too old, or has no room, is said goodbye to.
  void Put(std::string destination, const std::string& scope, HopSession session);

  // Ends what has been idle for too long. Start() does it on a timer; a test does it by hand after moving its clock.
  void Sweep();

  std::size_t idle_count() const { return idle_.size(); }
  std::uint64_t reused_count() const { return reused_; }

 private:
  struct Idle;
  using Place = std::list<Idle>::iterator;
  using Places = std::multimap<std::string, Place>;
  struct Idle {
    HopSession session;
    base::SteadyTime since;
    Places::iterator by_destination;
    Places::iterator by_endpoint;
    bool has_endpoint = false;
  };

  async::Task<void> SweepLoop();
  std::optional<HopSession> TakeLast(Places* places, const std::string& key);
  HopSession Remove(Place place);
  bool MayBeKept(const HopSession& session) const;
  void SayGoodbye(HopSession session);

  const base::Clock* clock_;
  ConnectionPoolOptions options_;
  std::list<Idle> idle_;  // The oldest first.
  Places by_destination_;
  Places by_endpoint_;
  std::uint64_t reused_ = 0;
  async::TaskGroup sweeping_;
  async::TaskGroup goodbyes_;
};

}  // namespace deliver
