#include "deliver/connection_pool.h"

#include <utility>

#include "async/deadline.h"
#include "base/check.h"

namespace deliver {
namespace {

constexpr std::chrono::milliseconds kTick{500};

std::string EndpointKey(const std::string& scope, const Endpoint& endpoint) {
  return scope + '|' + endpoint.ip + '|' + std::to_string(endpoint.port);
}

async::Task<void> Quit(HopSession session) {
  co_await session.session->Quit();
}

}  // namespace

ConnectionPool::ConnectionPool(async::Executor executor, const base::Clock* clock, ConnectionPoolOptions options)
    : clock_(clock), options_(options), sweeping_(executor, "connection pool"), goodbyes_(executor, "goodbyes") {}

ConnectionPool::~ConnectionPool() = default;

void ConnectionPool::Start() {
  sweeping_.Spawn(SweepLoop());
}

async::Task<void> ConnectionPool::Stop() {
  co_await sweeping_.Stop();
  while (!idle_.empty()) SayGoodbye(Remove(idle_.begin()));
  co_await goodbyes_.Join();
}

async::Task<void> ConnectionPool::SweepLoop() {
  for (;;) {
    co_await async::Sleep(kTick);
    Sweep();
  }
}

void ConnectionPool::Sweep() {
  const base::SteadyTime now = clock_->SteadyNow();
  while (!idle_.empty() && now - idle_.front().since >= options_.idle_max) SayGoodbye(Remove(idle_.begin()));
}

std::optional<HopSession> ConnectionPool::Take(const std::string& destination) {
  return TakeLast(&by_destination_, destination);
}

std::optional<HopSession> ConnectionPool::TakeEndpoint(const std::string& scope, const Endpoint& endpoint) {
  if (scope.empty()) return std::nullopt;
  return TakeLast(&by_endpoint_, EndpointKey(scope, endpoint));
}

std::optional<HopSession> ConnectionPool::TakeLast(Places* places, const std::string& key) {
  // Of equal keys the one inserted last stands last.
  const auto after = places->upper_bound(key);
  if (after == places->begin() || std::prev(after)->first != key) return std::nullopt;
  reused_ += 1;
  return Remove(std::prev(after)->second);
}

void ConnectionPool::Put(std::string destination, const std::string& scope, HopSession session) {
  CHECK(session.session != nullptr && session.session->is_usable());
  if (!MayBeKept(session) || by_destination_.count(destination) >= options_.idle_per_destination_max) {
    SayGoodbye(std::move(session));
    return;
  }
  if (idle_.size() >= options_.idle_count_max) SayGoodbye(Remove(idle_.begin()));
  const std::string endpoint = EndpointKey(scope, session.endpoint);
  const Place place = idle_.insert(idle_.end(), Idle{.session = std::move(session),
                                                     .since = clock_->SteadyNow(),
                                                     .by_destination = {},
                                                     .by_endpoint = {},
                                                     .has_endpoint = !scope.empty()});
  place->by_destination = by_destination_.emplace(std::move(destination), place);
  if (place->has_endpoint) place->by_endpoint = by_endpoint_.emplace(endpoint, place);
}

bool ConnectionPool::MayBeKept(const HopSession& session) const {
  return options_.idle_count_max > 0 && session.mails < options_.mails_max &&
         clock_->SteadyNow() - session.opened_at < options_.age_max && !sweeping_.stopping();
}

HopSession ConnectionPool::Remove(Place place) {
  by_destination_.erase(place->by_destination);
  if (place->has_endpoint) by_endpoint_.erase(place->by_endpoint);
  HopSession session = std::move(place->session);
  idle_.erase(place);
  return session;
}

void ConnectionPool::SayGoodbye(HopSession session) {
  // Servers that do not answer QUIT must not pile up.
  if (goodbyes_.size() >= options_.goodbyes_max) return;
  goodbyes_.Spawn(Quit(std::move(session)));
}

}  // namespace deliver
