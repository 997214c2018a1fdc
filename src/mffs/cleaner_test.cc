// Cleaning when something goes wrong meanwhile: nothing live is lost, nothing released comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/deadline.h"
#include "base/random.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

// Counts the moves; notes them, or says that it can't.
class MovingOwner final : public RecordOwner {
 public:
  async::Task<base::Result<>> Moved(std::vector<Move> moves) override {
    ++notes;
    if (on_move) std::exchange(on_move, nullptr)();
    if (!can_note) co_return base::Error(base::Errc::kIo, "the note was not written");
    for (const Move& move : moves) {
      places[move.key.index] = move.to;
      order.push_back(move.key.index);
    }
    co_return base::Result<>();
  }
  CheckpointState TakeCheckpointState() override { return {}; }
  void CheckpointDurable() override {}

  std::map<std::uint64_t, Location> places;  // Of what was moved.
  std::vector<std::uint64_t> order;          // In which it was.
  int notes = 0;
  bool can_note = true;
  std::function<void()> on_move;  // Called once.
};

// A sealed segment of which three small records are live, and which is about to be cleaned.
class Cleaning : public testing::Test {
 protected:
  Cleaning() : machine_(FormattedImage()) {
    CHECK(machine_.Open().has_value());
    machine_.volume->Start(&owner_);
    machine_.started = true;
    for (std::uint64_t i = 1; i <= 3; ++i) kept_.push_back(Append(i, 10'000));
    std::vector<Location> dead;
    while (dead.empty() || dead.back().segment == kept_[0].segment) dead.push_back(Append(100 + dead.size(), 300'000));
    for (const Location& location : dead) machine_.volume->Release(location);
    // Cleaning looks about when a checkpoint has ended.
    CHECK(machine_.Checkpoint().has_value());
    CHECK(Cleaned() == 0 && owner_.notes == 0);
  }

  Location Append(std::uint64_t index, std::size_t bytes) {
    const auto location = machine_.Append(Stream::kMailbox, TestKey(index), "head", BodyOf(index, bytes));
    CHECK(location.has_value());
    return *location;
  }
  static std::string BodyOf(std::uint64_t index, std::size_t bytes) {
    return std::string(bytes, static_cast<char>('a' + index % 26));
  }
  std::uint64_t Cleaned() const { return machine_.volume->Status().segments_cleaned; }
  std::uint64_t ColdBytes() const {
    return machine_.volume->Status().live_bytes_by_stream[static_cast<std::size_t>(Stream::kCold)];
  }
  void WaitUntil(const std::function<bool()>& condition) {
    for (int i = 0; i < 5000 && !condition(); ++i) async::RunTask(machine_.context, async::Sleep(1ms));
    ASSERT_TRUE(condition());
  }
  void ExpectOriginalsAreThere() {
    for (std::uint64_t i = 1; i <= 3; ++i) {
      EXPECT_TRUE(machine_.volume->IsLive(kept_[i - 1])) << "record " << i;
      const auto record = machine_.Read(kept_[i - 1]);
      ASSERT_TRUE(record) << record.error().message();
      EXPECT_EQ(record->body, BodyOf(i, 10'000));
    }
  }

  MovingOwner owner_;
  TestMachine machine_;
  std::vector<Location> kept_;
};

TEST_F(Cleaning, MovesWhatIsLiveAndTellsTheOwnerWhere) {
  WaitUntil([this] { return Cleaned() == 1; });
  ASSERT_EQ(owner_.places.size(), 3u);
  for (const auto& [index, place] : owner_.places) {
    EXPECT_TRUE(machine_.volume->IsLive(place));
    EXPECT_EQ(machine_.Read(place)->body, BodyOf(index, 10'000));
  }
  for (const Location& location : kept_) EXPECT_FALSE(machine_.volume->IsLive(location));
}

TEST_F(Cleaning, OriginalsStayLiveWhileTheirCopiesAreWritten) {
  machine_.device.HoldSyncs(true);
  WaitUntil([this] { return machine_.device.held() > 0; });
  ExpectOriginalsAreThere();
  machine_.device.HoldSyncs(false);
  WaitUntil([this] { return Cleaned() == 1; });
}

TEST_F(Cleaning, OriginalsStayWhenTheirCopiesCannotBeWritten) {
  machine_.device.Plant({.kind = PlantedFault::Kind::kFail, .times = PlantedFault::kAlways, .from = kMiB});
  WaitUntil([this] { return machine_.volume->Status().read_only; });
  RunReady(machine_.context);
  EXPECT_EQ(owner_.notes, 0);
  ExpectOriginalsAreThere();
}

TEST_F(Cleaning, OriginalsStayWhenTheOwnerCannotNoteTheMove) {
  owner_.can_note = false;
  WaitUntil([this] { return owner_.notes > 0; });
  RunReady(machine_.context);
  ExpectOriginalsAreThere();
  EXPECT_EQ(Cleaned(), 0u);
  // Each further try would leave more copies.
  ASSERT_TRUE(machine_.Checkpoint());
  RunReady(machine_.context);
  EXPECT_EQ(owner_.notes, 1);
}

TEST_F(Cleaning, ARecordReleasedWhileItIsCopiedIsGoneAtBothPlaces) {
  machine_.device.HoldSyncs(true);
  WaitUntil([this] { return machine_.device.held() > 0; });
  machine_.volume->Release(kept_[1]);
  machine_.device.HoldSyncs(false);
  WaitUntil([this] { return Cleaned() == 1; });
  EXPECT_THAT(owner_.places, testing::ElementsAre(testing::Key(1), testing::Key(3)));
  std::uint64_t moved = 0;
  for (const auto& [index, place] : owner_.places) moved += PaddedRecordBytes(place.size);
  EXPECT_EQ(ColdBytes(), moved) << "a copy that nobody knows is live";
}

// What is left of the older one has shown that it lasts. The younger one, though emptier, is still losing mail.
TEST(CleaningOrder, OfTwoNearlyEmptySegmentsTheOlderOneGoesFirst) {
  MovingOwner owner;  // Outlives the volume.
  TestMachine machine{SimImage(66 * kMiB)};
  ASSERT_TRUE(machine.Format());
  ASSERT_TRUE(machine.Open());
  machine.volume->Start(&owner);
  machine.started = true;
  std::vector<Location> dead;
  const auto append = [&](std::uint64_t index, std::size_t bytes) {
    const auto location = machine.Append(Stream::kMailbox, TestKey(index), "", std::string(bytes, 'm'));
    CHECK(location.has_value());
    return *location;
  };
  const auto fill = [&](const Location last) {
    do {
      dead.push_back(append(1000 + dead.size(), 300'000));
    } while (dead.back().segment == last.segment);
  };
  append(1, 10'000);
  append(2, 10'000);
  fill(append(3, 10'000));
  fill(dead.back());
  fill(append(11, 10'000));
  for (const Location& location : dead) machine.volume->Release(location);
  ASSERT_TRUE(machine.Checkpoint());
  for (int i = 0; i < 5000 && owner.order.size() < 4; ++i) async::RunTask(machine.context, async::Sleep(1ms));
  EXPECT_THAT(owner.order, testing::ElementsAre(1, 2, 3, 11));
}

// A victim of which a part was copied holds its segment and the room of its copies. With many of them a full volume
// would have no room left to finish any.
TEST(CleaningOrder, AVictimThatWasBegunIsFinishedThoughAnotherIsEmptierByNow) {
  constexpr std::uint64_t kSegmentBytes = 4 * kMiB;
  MovingOwner owner;  // Outlives the volume.
  TestMachine machine{SimImage(2 * kMiB + 20 * kSegmentBytes)};
  ASSERT_TRUE(machine.Format(kSegmentBytes));
  VolumeOptions options = TestMachine::Options();
  options.clean_below_live_percent = 94;
  options.clean_bytes_per_second = UINT32_MAX;
  ASSERT_TRUE(machine.Open(options));
  std::vector<Location> places;
  const auto append = [&] {
    const auto location = machine.Append(Stream::kMailbox, TestKey(places.size()), "", std::string(400'000, 'm'));
    CHECK(location.has_value());
    places.push_back(*location);
  };
  machine.volume->Start(&owner);
  machine.started = true;
  while (places.empty() || places.back().segment == places.front().segment) append();
  const std::size_t second = places.size() - 1;
  while (places.back().segment == places[second].segment) append();
  const std::size_t end = places.size() - 1;
  ASSERT_GE(second, 8u);
  // Two of the first go, so that it can be cleaned; when a part of it was copied, all but one of the second go.
  owner.on_move = [&] {
    for (std::size_t i = second; i + 1 < end; ++i) machine.volume->Release(places[i]);
  };
  machine.volume->Release(places[0]);
  machine.volume->Release(places[1]);
  ASSERT_TRUE(machine.Checkpoint());
  for (int i = 0; i < 5000 && owner.order.size() < second - 1; ++i) async::RunTask(machine.context, async::Sleep(1ms));
  ASSERT_EQ(owner.order.size(), second - 1);
  for (std::size_t i = 2; i < second; ++i) EXPECT_EQ(owner.order[i - 2], i);
  EXPECT_EQ(owner.order.back(), end - 1);
}

// Four fifths of each segment are live: a victim takes most of a fresh segment before it gives one back. Once cleaning
// stopped for ever with a victim half copied and no segment but the reserve.
TEST(CleaningUnderPressure, GoesOnWhenMailGoesAnywhereInAVolumeThatIsFourFifthsFull) {
  constexpr std::uint64_t kSeed = 1;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  MovingOwner owner;  // Outlives the volume.
  TestMachine machine{SimImage(std::uint64_t{130} << 20)};
  ASSERT_TRUE(machine.Format());
  ASSERT_TRUE(machine.Open());
  machine.volume->Start(&owner);
  machine.started = true;
  const std::string body(60'000, 'm');
  base::Random random(kSeed);
  std::vector<std::pair<std::uint64_t, Location>> live;
  const auto place_of = [&owner](const std::pair<std::uint64_t, Location>& record) {
    const auto moved = owner.places.find(record.first);
    return moved == owner.places.end() ? record.second : moved->second;
  };
  const auto append = [&](std::uint64_t index) {
    auto location = machine.Append(Stream::kMailbox, TestKey(index), "", body);
    for (int i = 0; i < 5000 && !location.has_value() && location.error().code() == base::Errc::kNoSpace; ++i) {
      async::RunTask(machine.context, async::Sleep(1ms));
      location = machine.Append(Stream::kMailbox, TestKey(index), "", body);
    }
    ASSERT_TRUE(location) << location.error().message();
    live.emplace_back(index, *location);
  };
  const std::uint64_t capacity = machine.volume->Status().space.capacity_bytes;
  std::uint64_t index = 0;
  while (machine.volume->Status().space.live_bytes < capacity / 5 * 4) ASSERT_NO_FATAL_FAILURE(append(++index));
  for (const std::uint64_t filled = index; index < 2 * filled;) {
    std::swap(live[random.Below(live.size())], live.back());
    machine.volume->Release(place_of(live.back()));
    live.pop_back();
    ASSERT_NO_FATAL_FAILURE(append(++index)) << "record " << index;
  }
  EXPECT_GT(machine.volume->Status().segments_cleaned, 0u);
  for (const auto& record : live) {
    const auto read = machine.Read(place_of(record));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->key.index, record.first);
  }
}

}  // namespace
}  // namespace mffs
