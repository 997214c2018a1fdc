// The full disk: what is refused, what is kept for checkpoints, what cleaning gives back.
#include <deque>
#include <functional>
#include <map>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

TEST(Space, AFullVolumeRefusesParkedMailFirstThenAllAndDrainsToNothing) {
  OpenVolume opened;
  std::vector<Location> all;
  std::uint64_t index = 1;
  const auto fill = [&](Stream stream) {
    for (;; ++index) {
      const auto location = opened.machine.Append(stream, TestKey(index), "", std::string(100'000, 'f'));
      if (!location.has_value()) return location.error().code();
      all.push_back(*location);
    }
  };
  EXPECT_EQ(fill(Stream::kParked), base::Errc::kNoSpace);
  const std::size_t parked = all.size();
  EXPECT_EQ(fill(Stream::kTransit), base::Errc::kNoSpace);
  EXPECT_GT(all.size(), parked);
  // The owner notes what it drains, as a log does.
  const auto note = opened.machine.Append(Stream::kMeta, TestKey(index), "", std::string(1000, 'n'));
  ASSERT_TRUE(note) << note.error().message();
  for (const Location& location : all) EXPECT_TRUE(opened.machine.Read(location));
  for (const Location& location : all) opened.machine.volume->Release(location);
  opened.machine.volume->Release(*note);
  ASSERT_TRUE(opened.machine.Checkpoint());
  EXPECT_TRUE(opened.machine.volume->Admit(Stream::kParked, 100'000));
  EXPECT_EQ(opened.machine.volume->Status().live_bytes_by_stream[1], 0u);
  EXPECT_EQ(opened.machine.volume->Status().live_bytes_by_stream[2], 0u);
  // And it can be filled again, up to the segments that are open now: for parked mail, notes, another checkpoint.
  const std::size_t first_time = all.size();
  all.clear();
  fill(Stream::kTransit);
  constexpr std::size_t kInASegment = 10;
  EXPECT_GE(all.size() + (3 + 1) * kInASegment, first_time);
}

// Appends without asking Admit.
base::Result<Location> AppendUnasked(OpenVolume& opened, Stream stream, std::size_t body_bytes) {
  const std::string body(body_bytes, 'm');
  AppendRequest request{.stream = stream, .key = TestKey(10'000), .body = {body}};
  std::optional<base::Result<Location>> result;
  request.done = [&result](base::Result<Location> location) { result.emplace(std::move(location)); };
  opened.machine.volume->Append(&request);
  opened.machine.context.restart();
  while (!result.has_value()) CHECK(opened.machine.context.run_one() > 0);
  return *std::move(result);
}

// Until the volume has no segment left for the stream.
void FillBeyondAdmission(OpenVolume& opened, Stream stream) {
  for (std::size_t body_bytes = 400'000; body_bytes >= 1000;) {
    const auto location = AppendUnasked(opened, stream, body_bytes);
    if (location.has_value()) continue;
    CHECK(location.error().code() == base::Errc::kNoSpace);
    body_bytes /= 2;
  }
}

TEST(Space, TheLastSegmentsAreKeptForTheCheckpointThatFreesOthers) {
  OpenVolume opened;
  std::vector<Location> mail;
  for (std::uint64_t i = 1; i <= 6; ++i) mail.push_back(opened.Append(i, std::string(400'000, 't')));
  FillBeyondAdmission(opened, Stream::kMeta);
  EXPECT_EQ(opened.machine.volume->Status().space.free_segments, 2u);
  for (const Location& location : mail) opened.machine.volume->Release(location);
  ASSERT_TRUE(opened.machine.Checkpoint());
  EXPECT_GE(opened.machine.volume->Status().space.free_segments, 2u);
}

TEST(Space, ACheckpointWithoutRoomIsTriedAgainWhenTimeHasPassedNotAtOnce) {
  OpenVolume opened;
  std::vector<Location> mail;
  for (std::uint64_t i = 1; i <= 6; ++i) mail.push_back(opened.Append(i, std::string(400'000, 't')));
  FillBeyondAdmission(opened, Stream::kMeta);
  // The second try of a write that failed may have what is kept for checkpoints.
  for (int i = 0; i < 2; ++i) {
    opened.machine.device.Plant({.on = SimOperation::kWrite});
    ASSERT_TRUE(AppendUnasked(opened, Stream::kTransit, 100));
  }
  EXPECT_EQ(opened.machine.volume->Status().space.free_segments, 0u);
  // Checkpoints fill the segment that they have; the one that needs another fails.
  int checkpoints = 0;
  while (opened.machine.Checkpoint()) ASSERT_LT(++checkpoints, 500);
  const std::uint64_t live_before = opened.machine.volume->Status().live_bytes_by_stream[0];
  const int before = opened.owner.states_taken;
  // A segment is empty now, and only a checkpoint can free it.
  opened.machine.volume->Release(mail[0]);
  opened.machine.volume->Release(mail[1]);
  RunReady(opened.machine.context, 5000);
  EXPECT_EQ(opened.owner.states_taken, before);
  opened.machine.clock.Advance(1s);
  opened.machine.volume->Release(mail[2]);
  opened.machine.volume->Release(mail[3]);
  RunReady(opened.machine.context, 5000);
  EXPECT_EQ(opened.owner.states_taken, before + 1);
  EXPECT_EQ(opened.machine.volume->Status().live_bytes_by_stream[0], live_before);
}

TEST(Space, AWriterWhoseClaimIsRefusedGoesOnWhenToldSoAndDoesNotSpin) {
  VolumeOptions options = TestMachine::Options();
  bool allowed = true;
  int asked = 0;
  options.claim_unused = [&](std::uint64_t, std::uint64_t) {
    ++asked;
    return allowed;
  };
  OpenVolume opened(options);
  for (const Stream stream : {Stream::kTransit, Stream::kMeta}) {
    SCOPED_TRACE(ToString(stream));
    allowed = true;
    opened.Append(1, std::string(400'000, 'x'), stream);
    allowed = false;
    const std::function<void()> retry = opened.machine.volume->ClaimRetry();
    std::string body(400'000, 'y');
    std::vector<base::Result<Location>> results;
    std::deque<AppendRequest> requests;
    for (std::uint64_t i = 2; i <= 4; ++i) {
      AppendRequest& request =
          requests.emplace_back(AppendRequest{.stream = stream, .key = TestKey(i), .body = {body}});
      request.done = [&results](base::Result<Location> location) { results.push_back(std::move(location)); };
      opened.machine.volume->Append(&request);
    }
    RunReady(opened.machine.context, 5000);
    EXPECT_LT(results.size(), 3u);
    const int asked_before = asked;
    retry();
    RunReady(opened.machine.context, 5000);
    EXPECT_GT(asked, asked_before);
    EXPECT_LE(asked, asked_before + 3 * 16);  // A few rounds over all segments.
    EXPECT_LT(results.size(), 3u);
    allowed = true;
    retry();
    RunReady(opened.machine.context, 5000);
    ASSERT_EQ(results.size(), 3u);
    for (const auto& result : results) EXPECT_TRUE(result);
  }
}

TEST(Space, CleaningGivesBackSegmentsOfWhichLittleIsLive) {
  OpenVolume opened;
  std::uint64_t index = 1;
  std::vector<std::uint64_t> kept;
  // Each segment keeps one small record of the many large ones.
  for (int segment = 0; segment < 5; ++segment) {
    const auto add = [&](std::size_t bytes) {
      ModelRecord& record = opened.owner.records[index];
      record.body = std::string(bytes, static_cast<char>('a' + segment));
      record.location = opened.Append(index, record.body, Stream::kMailbox);
      return index++;
    };
    kept.push_back(add(10'000));
    for (int i = 0; i < 3; ++i) {
      const std::uint64_t dead = add(300'000);
      opened.owner.records.at(dead).release_begun = true;
      opened.machine.volume->Release(*opened.owner.records.at(dead).location);
    }
  }
  ASSERT_TRUE(opened.machine.Checkpoint());
  for (int i = 0; i < 2000 && opened.machine.volume->Status().segments_cleaned < 4; ++i) {
    async::RunTask(opened.machine.context, async::Sleep(1ms));
  }
  EXPECT_GE(opened.machine.volume->Status().segments_cleaned, 4u);
  EXPECT_GT(opened.machine.volume->Status().live_bytes_by_stream[4], 40'000u);
  for (const std::uint64_t record : kept) {
    const ModelRecord& model = opened.owner.records.at(record);
    EXPECT_EQ(opened.machine.Read(*model.location)->body, model.body);
  }
}

// What users change goes to stream meta when a volume is full, and must not take the segments that cleaning needs:
// else nothing that they remove from segments in which other mail lies is ever given back.
TEST(Space, ChangesLeaveAloneWhatCleaningNeeds) {
  OpenVolume opened;
  std::uint64_t index = 1;
  const auto fill = [&](Stream stream, std::size_t bytes, Need need) {
    for (;; ++index) {
      ModelRecord record{.body = std::string(bytes, 'm')};
      const auto appended = async::RunTask(
          opened.machine.context, opened.machine.volume->AppendCopy(stream, TestKey(index), "", record.body, need));
      if (!appended.has_value()) return appended.error().code();
      record.location = *appended;
      opened.owner.records[index] = std::move(record);
    }
  };
  ASSERT_EQ(fill(Stream::kMailbox, 100'000, Need::kNew), base::Errc::kNoSpace);
  const std::uint64_t mails = index;
  ASSERT_EQ(fill(Stream::kMeta, 20'000, Need::kAccepted), base::Errc::kNoSpace);
  EXPECT_GE(opened.machine.volume->Status().space.free_segments, 5u);
  // Two mails of three go: no segment is empty, and all have much to give.
  for (std::uint64_t i = 1; i < mails; ++i) {
    if (i % 3 == 0) continue;
    opened.owner.records.at(i).release_begun = true;
    opened.machine.volume->Release(*opened.owner.records.at(i).location);
  }
  for (int i = 0; i < 8000 && !opened.machine.volume->Admit(Stream::kMailbox, 100'000); ++i) {
    async::RunTask(opened.machine.context, async::Sleep(1ms));
  }
  const auto admitted = opened.machine.volume->Admit(Stream::kMailbox, 100'000);
  EXPECT_TRUE(admitted.has_value()) << admitted.error().message() << "; "
                                    << opened.machine.volume->Status().segments_cleaned << " segments were cleaned";
}

TEST(Space, CountersEqualAScan) {
  OpenVolume opened;
  std::vector<Location> all;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    all.push_back(opened.Append(i, std::string(i * 500, 'c'), i % 2 == 0 ? Stream::kTransit : Stream::kHistory));
    if (i % 3 == 0) opened.machine.volume->Release(all[i / 2]);
  }
  ASSERT_TRUE(opened.machine.Close());
  const VolumeStatus before = opened.machine.volume->Status();
  TestMachine machine(opened.machine.device.Snapshot());
  ASSERT_TRUE(machine.Open());
  std::uint64_t live = 0;
  for (const SeenRecord& seen : machine.Scan()) {
    if (seen.is_live && seen.stream != Stream::kMeta) live += PaddedRecordBytes(seen.location.size);
  }
  const VolumeStatus after = machine.volume->Status();
  EXPECT_EQ(live, after.live_bytes_by_stream[1] + after.live_bytes_by_stream[5]);
  EXPECT_EQ(before.live_bytes_by_stream, after.live_bytes_by_stream);
}

// Spam that is parked until nothing more is taken, of which a quarter stays: each segment is too full to be free and
// too empty to be left.
TEST(Space, ParkedSpamThatLeavesFragmentsIsCleanedAwayAgainAndAgainAndDrainsToNothing) {
  OpenVolume opened;
  std::map<std::uint64_t, ModelRecord>& records = opened.owner.records;
  const auto release = [&](ModelRecord& record) {
    if (!std::exchange(record.release_begun, true)) opened.machine.volume->Release(*record.location);
  };
  std::uint64_t index = 1;
  for (int round = 1; round <= 8; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::uint64_t first = index;
    const auto fill = [&](Stream stream) {
      // Refused, and still so when cleaning has done what it can: full.
      for (int refusals = 0; refusals < 2;) {
        const std::string body(90'000 + index % 7 * 3000, static_cast<char>('a' + index % 26));
        const auto location = opened.machine.Append(stream, TestKey(index), "", body);
        if (location.has_value()) records[index++] = {.head = "", .body = body, .location = *location};
        if (!location.has_value()) ++refusals;
        if (!location.has_value()) RunReady(opened.machine.context, 50'000);
      }
    };
    fill(Stream::kParked);
    ASSERT_TRUE(opened.machine.volume->Admit(Stream::kTransit, 90'000)) << "spam takes no room of other mail";
    fill(Stream::kTransit);
    EXPECT_GE(index - first, 15u);
    for (auto& [number, record] : records) {
      const bool is_kept = number >= first && number % 4 == 0;
      if (!is_kept) release(record);
    }
    ASSERT_TRUE(opened.machine.Checkpoint());
    RunReady(opened.machine.context, 50'000);  // Cleaning.
    for (const auto& [number, record] : records) {
      if (!record.release_begun) EXPECT_EQ(opened.machine.Read(*record.location)->body, record.body);
    }
  }
  EXPECT_GT(opened.machine.volume->Status().segments_cleaned, 10u);
  for (auto& [number, record] : records) release(record);
  ASSERT_TRUE(opened.machine.Checkpoint());
  ASSERT_TRUE(opened.machine.Close());
  const auto live = opened.machine.volume->Status().live_bytes_by_stream;
  for (std::size_t i = 1; i < live.size(); ++i) EXPECT_EQ(live[i], 0u) << "stream " << i;
  TestMachine machine(opened.machine.device.Snapshot());
  ASSERT_TRUE(machine.Open());
  EXPECT_EQ(machine.volume->Status().live_bytes_by_stream, live);
}

}  // namespace
}  // namespace mffs
