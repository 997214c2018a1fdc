// Crash loops: mount after mount, each cut short within its first operations. None may use the volume up: the first
// mount that is left alone must succeed, lose nothing, and have room for mail again once its owner drains it.
#include <array>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "mffs/format.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

using namespace std::chrono_literals;

using Streams = std::span<const Stream>;
constexpr std::array kStreams{Stream::kMeta,    Stream::kTransit, Stream::kParked,
                              Stream::kMailbox, Stream::kHistory, Stream::kBrief};

// Each keeps a segment open, and a volume of 16 has none to spare for mail that goes soon.
Streams StreamsOf(std::uint64_t segments) {
  return Streams(kStreams).first(segments < 32 ? kStreams.size() - 1 : kStreams.size());
}

async::Task<void> AppendOne(ModelOwner* owner, Stream stream, std::uint64_t index) {
  ModelRecord& record = owner->records[index];
  record.head = "head " + std::to_string(index);
  record.body = std::string(1000 + index % 3000, static_cast<char>('a' + index % 26));
  const auto location = co_await owner->volume->AppendCopy(stream, TestKey(index), record.head, record.body);
  if (location.has_value()) record.location = *location;
}

// What a log does at once: entries in all streams, each alone, and again.
async::Task<void> Write(ModelOwner* owner, Streams streams, std::uint64_t first) {
  for (std::uint64_t i = 0; i < 20; ++i) co_await AppendOne(owner, streams[i % streams.size()], first + i);
}

class CrashLoop {
 public:
  explicit CrashLoop(std::uint64_t segments) : streams_(StreamsOf(segments)), image_(MakeVolume(segments)) {}

  // One life of the volume: opened, written to, and cut after `operations`.
  void CutAfter(std::uint64_t operations) {
    TestMachine machine(image_, ++seed_);
    const auto opened = machine.Open(TestMachine::Options());
    ASSERT_TRUE(opened) << opened.error().message();
    ExpectMatches(machine, owner_);
    owner_.Adopt(machine);
    machine.device.CutPowerAfter(operations);
    machine.Start(&owner_);
    const std::uint64_t first = owner_.records.empty() ? 1 : owner_.records.rbegin()->first + 1;
    bool ended = false;
    asio::co_spawn(machine.context, Write(&owner_, streams_, first), [&](const std::exception_ptr&) { ended = true; });
    machine.context.restart();
    // A life that comes to rest before it is cut is cut then.
    for (int i = 0; i < 20'000 && !machine.device.PowerWasCut() && machine.context.poll_one() > 0; ++i) {
    }
    if (!machine.device.PowerWasCut()) machine.device.CutPowerNow();
    image_ = machine.device.ImageAfter(seed_);
    // What is left of the life meets errors only.
    machine.device.FailWhatWasCut();
    machine.context.restart();
    while (!ended) CHECK(machine.context.run_one() > 0);
  }

  // Mounts it undisturbed, gives all mail up, and expects room.
  void ExpectItRecovers() {
    TestMachine machine(image_, ++seed_);
    ASSERT_TRUE(machine.Open(TestMachine::Options()));
    ExpectMatches(machine, owner_);
    owner_.Adopt(machine);
    machine.Start(&owner_);
    for (auto& [index, record] : owner_.records) {
      if (!record.location.has_value() || std::exchange(record.release_begun, true)) continue;
      machine.volume->Release(*record.location);
    }
    const auto checkpoint = machine.Checkpoint();
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    ASSERT_TRUE(machine.Checkpoint());  // Frees what the first one gave up.
    const VolumeStatus status = machine.volume->Status();
    EXPECT_GE(status.space.free_segments + streams_.size(), status.space.segments);
    for (const Stream stream : streams_) {
      const auto mail = machine.Append(stream, {.type = 9}, "mail", std::string(300'000, 'm'));
      EXPECT_TRUE(mail) << mail.error().message();
    }
    EXPECT_TRUE(machine.Close());
  }

 private:
  static SimImage MakeVolume(std::uint64_t segments) {
    TestMachine machine{SimImage((segments + 2) * kMiB)};
    CHECK(machine.Format().has_value());
    return machine.device.Snapshot();
  }

  Streams streams_;
  SimImage image_;
  ModelOwner owner_;
  std::uint64_t seed_ = 0;
};

class CrashLoops : public testing::TestWithParam<std::uint64_t> {};

TEST_P(CrashLoops, OfAnyLengthLeaveTheVolumeUsable) {
  for (std::uint64_t operations = 1; operations <= 40 && !HasFailure(); ++operations) {
    SCOPED_TRACE("each cut after " + std::to_string(operations));
    CrashLoop loop(GetParam());
    for (int life = 1; life <= 40 && !HasFailure(); ++life) loop.CutAfter(operations);
    if (!HasFailure()) loop.ExpectItRecovers();
  }
}

TEST_P(CrashLoops, OfChangingLengthLeaveTheVolumeUsable) {
  for (std::uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    CrashLoop loop(GetParam());
    for (int life = 1; life <= 60 && !HasFailure(); ++life) loop.CutAfter(1 + random.Below(40));
    if (!HasFailure()) loop.ExpectItRecovers();
  }
}

INSTANTIATE_TEST_SUITE_P(Segments, CrashLoops, testing::Values(16, 32));

}  // namespace
}  // namespace mffs
