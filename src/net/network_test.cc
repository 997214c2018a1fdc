#include "net/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "async/testing.h"
#include "net/connection_limit.h"
#include "net/deadline_sweep.h"

namespace net {
namespace {

using namespace std::chrono_literals;

TEST(ClientNetwork, KeepsTheLeadingBits) {
  const struct {
    const char* ip;
    NetworkBits bits;
    const char* expected;
  } rows[] = {
      {"192.0.2.77", {.v4 = 24}, "192.0.2.0/24"},
      {"192.0.2.77", {.v4 = 32}, "192.0.2.77/32"},
      {"192.0.2.77", {.v4 = 20}, "192.0.0.0/20"},
      {"255.255.255.255", {.v4 = 0}, "0.0.0.0/0"},
      {"2001:db8:1:2:3:4:5:6", {}, "2001:db8:1:2::/64"},
      {"2001:db8:1:2f3:3:4:5:6", {.v6 = 60}, "2001:db8:1:2f0::/60"},
      {"::1", {}, "::/64"},
      {"no address", {}, "no address"},
      {"", {}, ""},
  };
  for (const auto& row : rows) EXPECT_EQ(ClientNetwork(row.ip, row.bits), row.expected) << row.ip;
}

PeerAddress PeerOf(const char* ip) {
  sockaddr_storage raw{};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(raw);
  auto& v4 = reinterpret_cast<sockaddr_in&>(raw);
  if (::inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(99);
  } else {
    EXPECT_EQ(::inet_pton(AF_INET, ip, &v4.sin_addr), 1);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(99);
  }
  return ToPeerAddress(raw);
}

TEST(PeerAddress, IsTextAndKnowsLoopback) {
  const struct {
    const char* ip;
    const char* expected;
    bool is_loopback;
  } rows[] = {
      {"127.0.0.1", "127.0.0.1", true},        {"127.9.9.9", "127.9.9.9", true},
      {"192.0.2.1", "192.0.2.1", false},       {"::1", "::1", true},
      {"2001:db8::1", "2001:db8::1", false},   {"::ffff:192.0.2.1", "192.0.2.1", false},
      {"::ffff:127.0.0.1", "127.0.0.1", true},
  };
  for (const auto& row : rows) {
    const PeerAddress peer = PeerOf(row.ip);
    EXPECT_EQ(peer.ip, row.expected);
    EXPECT_EQ(peer.is_loopback, row.is_loopback) << row.ip;
    EXPECT_EQ(peer.port, 99) << row.ip;
  }
}

TEST(ConnectionLimit, CountsInAllAndByClientAndGivesPlacesBack) {
  ConnectionLimit limit({.connections_max = 3, .connections_per_client_max = 2});
  const PeerAddress a{.ip = "192.0.2.1"}, b{.ip = "192.0.2.2"}, c{.ip = "192.0.2.3"};
  auto a1 = std::make_unique<std::expected<ConnectionLimit::Slot, Refusal>>(limit.Admit(a));
  const auto a2 = limit.Admit(a);
  ASSERT_TRUE(a1->has_value());
  ASSERT_TRUE(a2.has_value());
  EXPECT_EQ(limit.Admit(a).error(), Refusal::kTooManyFromClient);
  const auto b1 = limit.Admit(b);
  ASSERT_TRUE(b1.has_value());
  EXPECT_EQ(limit.Admit(c).error(), Refusal::kTooManyConnections);
  EXPECT_EQ(limit.connections(), 3u);
  a1.reset();
  EXPECT_EQ(limit.connections(), 2u);
  EXPECT_TRUE(limit.Admit(a).has_value());
}

TEST(ConnectionLimit, TakesAnIpv6NetworkForOneClient) {
  ConnectionLimit limit({.connections_max = 10, .connections_per_client_max = 1});
  const auto first = limit.Admit({.ip = "2001:db8::1"});
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(limit.Admit({.ip = "2001:db8::2"}).error(), Refusal::kTooManyFromClient);
  EXPECT_TRUE(limit.Admit({.ip = "2001:db8:0:1::1"}).has_value());
}

class CountingEntry final : public DeadlineSweep::Entry {
 public:
  using Entry::Entry;
  int expiries = 0;

 private:
  void OnExpired() override { expiries += 1; }
};

TEST(DeadlineSweep, IsNeverEarlyAndAtMostASecondLate) {
  asio::io_context context;
  base::SimClock clock;
  DeadlineSweep sweep(context.get_executor(), &clock);
  CountingEntry entry(&sweep);
  // Armed just before a walk, when the coarse clock is oldest.
  clock.Advance(499ms);
  const auto armed_at = clock.SteadyNow();
  entry.Arm(5s);
  while (!entry.expired()) {
    clock.Advance(1ms);
    if ((clock.SteadyNow().time_since_epoch() / 1ms) % 500 == 0) sweep.Tick();
  }
  EXPECT_GE(clock.SteadyNow() - armed_at, 5s);
  EXPECT_LE(clock.SteadyNow() - armed_at, 6s);
}

TEST(DeadlineSweep, ExpiresEachEntryOnceAndForgetsTheDead) {
  asio::io_context context;
  base::SimClock clock;
  DeadlineSweep sweep(context.get_executor(), &clock);
  CountingEntry first(&sweep), unarmed(&sweep);
  auto dead = std::make_unique<CountingEntry>(&sweep);
  CountingEntry last(&sweep);
  first.Arm(1s);
  dead->Arm(1s);
  last.Arm(1s);
  dead.reset();
  clock.Advance(10s);
  sweep.Tick();
  sweep.Tick();
  EXPECT_EQ(first.expiries, 1);
  EXPECT_EQ(last.expiries, 1);
  EXPECT_EQ(unarmed.expiries, 0);
  first.Arm(1s);
  EXPECT_FALSE(first.expired());
  clock.Advance(2s);
  sweep.Tick();
  EXPECT_EQ(first.expiries, 2);
}

}  // namespace
}  // namespace net
