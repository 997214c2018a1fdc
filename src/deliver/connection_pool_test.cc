#include "deliver/connection_pool.h"

#include <gtest/gtest.h>

#include "deliver/remote_testing.h"

namespace deliver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ConnectionPoolTest : public ::testing::Test {
 protected:
  ~ConnectionPoolTest() override { bed_.Run(pool_.Stop()); }

  HopSession Open(const std::string& ip) {
    bed_.Server(ip);
    auto opened = bed_.Run(OpenHopSession(&bed_.dial, &bed_.clock, {"mx.test", ip, 25}, settings_));
    CHECK(opened.has_value());
    opened->mails = 1;
    return *std::move(opened);
  }
  int Quits(const std::string& ip) {
    bed_.Settle();
    return bed_.Server(ip).quits;
  }

  RemoteBed bed_;
  smtp::ClientSettings settings_{.tls = smtp::ClientTls::kNever};
  ConnectionPool pool_{bed_.rig.context.get_executor(),
                       &bed_.clock,
                       {.idle_max = seconds(2),
                        .age_max = seconds(100),
                        .mails_max = 3,
                        .idle_per_destination_max = 2,
                        .idle_count_max = 3}};
};

TEST_F(ConnectionPoolTest, GivesWhatWasPutForTheSameDestinationOrEndpoint) {
  pool_.Put("mx:a.test", "mx", Open("192.0.2.1"));
  EXPECT_FALSE(pool_.Take("mx:b.test").has_value());
  EXPECT_FALSE(pool_.TakeEndpoint("mx", {"mx.test", "192.0.2.2", 25}).has_value());
  EXPECT_FALSE(pool_.TakeEndpoint("", {"mx.test", "192.0.2.1", 25}).has_value());
  auto by_endpoint = pool_.TakeEndpoint("mx", {"other.name", "192.0.2.1", 25});
  ASSERT_TRUE(by_endpoint.has_value());
  EXPECT_EQ(pool_.idle_count(), 0u);
  pool_.Put("mx:b.test", "mx", *std::move(by_endpoint));
  EXPECT_TRUE(pool_.Take("mx:b.test").has_value());
  EXPECT_FALSE(pool_.TakeEndpoint("mx", {"mx.test", "192.0.2.1", 25}).has_value());
  EXPECT_EQ(pool_.reused_count(), 2u);
}

TEST_F(ConnectionPoolTest, WithoutAScopeNobodySharesTheEndpoint) {
  pool_.Put("smtp:a.test:25", "", Open("192.0.2.1"));
  EXPECT_FALSE(pool_.TakeEndpoint("mx", {"mx.test", "192.0.2.1", 25}).has_value());
  EXPECT_FALSE(pool_.TakeEndpoint("", {"mx.test", "192.0.2.1", 25}).has_value());
  EXPECT_TRUE(pool_.Take("smtp:a.test:25").has_value());
}

TEST_F(ConnectionPoolTest, TakesTheOneThatBecameIdleLast) {
  pool_.Put("mx:a.test", "mx", Open("192.0.2.1"));
  pool_.Put("mx:a.test", "mx", Open("192.0.2.2"));
  EXPECT_EQ(pool_.Take("mx:a.test")->endpoint.ip, "192.0.2.2");
  EXPECT_EQ(pool_.Take("mx:a.test")->endpoint.ip, "192.0.2.1");
}

TEST_F(ConnectionPoolTest, SaysGoodbyeToWhatIsIdleForTooLong) {
  pool_.Put("mx:a.test", "mx", Open("192.0.2.1"));
  bed_.clock.Advance(milliseconds(1900));
  pool_.Sweep();
  EXPECT_EQ(pool_.idle_count(), 1u);
  bed_.clock.Advance(milliseconds(200));
  pool_.Sweep();
  EXPECT_EQ(pool_.idle_count(), 0u);
  EXPECT_EQ(Quits("192.0.2.1"), 1);
  EXPECT_EQ(bed_.Server("192.0.2.1").open_now, 0);
}

TEST_F(ConnectionPoolTest, KeepsNoMoreThanItsLimits) {
  for (int i = 0; i < 3; ++i) pool_.Put("mx:a.test", "mx", Open("192.0.2.1"));
  EXPECT_EQ(pool_.idle_count(), 2u);
  EXPECT_EQ(Quits("192.0.2.1"), 1);
  // In all: the oldest goes.
  pool_.Put("mx:b.test", "mx", Open("192.0.2.2"));
  pool_.Put("mx:c.test", "mx", Open("192.0.2.3"));
  EXPECT_EQ(pool_.idle_count(), 3u);
  EXPECT_EQ(Quits("192.0.2.1"), 2);
}

TEST_F(ConnectionPoolTest, KeepsNoConnectionForEver) {
  HopSession worn = Open("192.0.2.1");
  worn.mails = 3;
  pool_.Put("mx:a.test", "mx", std::move(worn));
  HopSession old = Open("192.0.2.1");
  old.opened_at -= seconds(100);
  pool_.Put("mx:a.test", "mx", std::move(old));
  EXPECT_EQ(pool_.idle_count(), 0u);
  EXPECT_EQ(Quits("192.0.2.1"), 2);
}

TEST_F(ConnectionPoolTest, StopSaysGoodbyeToAllAndWaitsForNobodyWhoDoesNotAnswer) {
  pool_.Put("mx:a.test", "mx", Open("192.0.2.1"));
  bed_.Server("192.0.2.2").answer = [](const std::string& line) { return line == "QUIT" ? "HANG" : ""; };
  pool_.Put("mx:b.test", "mx", Open("192.0.2.2"));
  bed_.Run(pool_.Stop());
  EXPECT_EQ(pool_.idle_count(), 0u);
  EXPECT_EQ(bed_.Server("192.0.2.1").quits, 1);
  EXPECT_EQ(bed_.Server("192.0.2.2").quits, 1);
}

}  // namespace
}  // namespace deliver
