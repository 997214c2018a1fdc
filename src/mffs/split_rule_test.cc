#include "mffs/split_rule.h"

#include <deque>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

// A rule that has seen some commits of 64 records.
SplitRule After(std::chrono::nanoseconds a_record, std::chrono::nanoseconds a_write, std::size_t records = 64) {
  SplitRule rule;
  base::SteadyTime now;
  for (int i = 0; i < 10; ++i) {
    rule.Written(records, now, now + a_write);
    now += a_write;
    rule.HandingOut(records, now);
    now += a_record * records;
    rule.WokenHadTheirTurn(now);
  }
  return rule;
}

TEST(SplitRule, HalvesPayOffWhereTheProcessorTakesHalfAsLongAsTheDevice) {
  struct Case {
    const char* what;
    std::chrono::nanoseconds a_record;
    std::chrono::nanoseconds a_write;
    bool pays_off;
  };
  for (const Case& test :
       {Case{"a fast disk", 1us, 200us, false}, Case{"a rotating disk", 10us, 8ms, false},
        Case{"a slow flush", 5us, 1ms, false}, Case{"writers with much to do", 2us, 200us, true},
        Case{"writers with very much to do", 70us, 8ms, true}, Case{"a clock that stands", 0ns, 0ns, false}}) {
    SCOPED_TRACE(test.what);
    EXPECT_EQ(After(test.a_record, test.a_write).PaysOff(64), test.pays_off);
  }
}

TEST(SplitRule, FewRecordsAreNeverSplit) {
  EXPECT_FALSE(After(100us, 200us).PaysOff(31));
  EXPECT_FALSE(After(100us, 200us, 8).PaysOff(64)) << "nothing was measured";
  EXPECT_FALSE(SplitRule().PaysOff(1000)) << "nothing was measured";
}

TEST(SplitRule, FollowsADeviceThatBecomesSlow) {
  SplitRule rule = After(5us, 200us);
  for (auto now = base::SteadyTime(1s); now < base::SteadyTime(1100ms); now += 5ms) rule.Written(64, now, now + 5ms);
  EXPECT_FALSE(rule.PaysOff(64));
}

TEST(SplitRule, AWriteThatWaitsForTheOneBeforeDoesNotCountThat) {
  SplitRule rule = After(5us, 200us);
  for (auto now = base::SteadyTime(1s); now < base::SteadyTime(1100ms); now += 200us) {
    rule.Written(32, now - 200us, now + 200us);
  }
  EXPECT_TRUE(rule.PaysOff(64));
}

// Writers that append again inside their completion, each with work of its own before that.
class Halves : public testing::Test {
 protected:
  static constexpr std::uint64_t kWriters = 64;

  Halves() { opened_.machine.device.HoldSyncs(true); }

  void Append(std::uint64_t writer) {
    Writer& state = writers_[writer];
    state.body.assign(1000, static_cast<char>('a' + writer % 26));
    state.request = AppendRequest{.stream = Stream::kTransit, .key = TestKey(++last_), .body = {state.body}};
    state.request.done = [this, writer](const base::Result<Location>& location) {
      ASSERT_TRUE(location.has_value()) << location.error().message();
      acknowledged_.push_back(*location);
      opened_.machine.clock.Advance(work_);
      if (goes_on_) Append(writer);
    };
    opened_.machine.volume->Append(&state.request);
  }
  // Lets the device end one write, as long after its begin as a write takes, and hold what comes then. Returns how many
  // records it held.
  std::size_t EndWrite() {
    const std::size_t before = acknowledged_.size();
    opened_.machine.clock.Advance(write_);
    opened_.machine.device.HoldSyncs(false);
    RunUntil(opened_.machine.context, [&] { return acknowledged_.size() > before; });
    opened_.machine.device.HoldSyncs(true);
    RunReady(opened_.machine.context);
    return acknowledged_.size() - before;
  }
  // Returns how many records each of the last writes held.
  std::vector<std::size_t> Run() {
    goes_on_ = true;
    for (std::uint64_t i = 0; i < kWriters; ++i) Append(i);
    RunReady(opened_.machine.context);
    for (int i = 0; i < 40; ++i) EndWrite();
    std::vector<std::size_t> records;
    for (int i = 0; i < 10; ++i) records.push_back(EndWrite());
    goes_on_ = false;
    opened_.machine.device.HoldSyncs(false);
    RunReady(opened_.machine.context);
    return records;
  }

  struct Writer {
    std::string body;
    AppendRequest request;
  };
  std::chrono::microseconds work_{5};
  std::chrono::microseconds write_{200};
  bool goes_on_ = false;
  std::uint64_t last_ = 0;
  std::deque<Writer> writers_{kWriters};
  std::vector<Location> acknowledged_;
  OpenVolume opened_;
};

TEST_F(Halves, KeepADeviceAtWorkThatWouldWaitForTheWriters) {
  EXPECT_THAT(Run(), testing::Contains(testing::AllOf(testing::Ge(16u), testing::Le(48u))).Times(testing::Ge(8)));
  EXPECT_TRUE(
      std::ranges::is_sorted(acknowledged_, {}, [](const Location& l) { return std::pair(l.segment, l.offset); }));
  opened_.machine.device.CutPowerNow();
  TestMachine machine(opened_.machine.device.ImageAfter(1));
  ASSERT_TRUE(machine.Open());
  std::size_t found = 0;
  for (const SeenRecord& seen : machine.Scan()) found += seen.stream == Stream::kTransit ? 1 : 0;
  EXPECT_EQ(found, acknowledged_.size());
  EXPECT_GT(found, 40 * kWriters / 3);
}

TEST_F(Halves, AreNotWrittenWhereAWriteTakesLong) {
  write_ = 8ms;
  // All but where a segment ends.
  EXPECT_THAT(Run(), testing::Contains(kWriters).Times(testing::Ge(8)));
}

}  // namespace
}  // namespace mffs
