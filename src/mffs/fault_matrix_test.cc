// Faults of the device, each at every one of its operations in turn: errors, short writes, hangs, writes that go astray
// or are claimed and lost, and rot in every sector. docs/testing.md, "Faults".
#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/crash_matrix_testing.h"
#include "mffs/format.h"

namespace mffs {
namespace {

using Kind = PlantedFault::Kind;
using namespace std::chrono_literals;

// What a fault is tried with. The last mail is a witness: its block proves that all before it was acknowledged.
const std::vector<std::vector<LogOp>>& Workloads() {
  static const std::vector<std::vector<LogOp>> workloads = {
      {LogOp::kMulti, LogOp::kRelease, LogOp::kSmall},
      {LogOp::kSeal, LogOp::kCheckpoint, LogOp::kSmall},
      {LogOp::kClean, LogOp::kSmall},
      {LogOp::kSmall, LogOp::kSnapshot, LogOp::kRelease, LogOp::kSmall},
  };
  return workloads;
}

// One run on a device with a fault, and all that it leaves.
class FaultyRun {
 public:
  FaultyRun(const std::vector<LogOp>& ops, const PlantedFault& fault, bool close)
      : run_(AgedDisk(), {.ops = ops, .close = close, .write_deadline = DeadlineFor(fault)}), is_closed_(close) {
    run_.machine.device.Plant(fault);
    failure_ = run_.Run({});
  }

  bool opened() const { return run_.machine.volume != nullptr; }
  const std::string& failure() const { return failure_; }
  // Whether the volume has said that something is damaged.
  bool has_reported() const {
    return opened() && (!run_.machine.volume->recovery().corruptions.empty() ||
                        (!is_closed_ && run_.machine.volume->Status().corrupt_blocks > 0));
  }

  // Acknowledged records that the volume, still open, gives back with other bytes.
  std::vector<std::string> WrongBytes(bool may_fail) {
    std::vector<std::string> wrong;
    if (!opened() || is_closed_) return wrong;
    run_.machine.device.ClearFaults();
    const auto places = run_.log.places();
    for (const auto& [key, place] : places) {
      const auto record = run_.machine.Read(place);
      const bool is_right = record.has_value() && record->body == BodyOf(run_.log.model, key);
      const bool is_reported = !record.has_value() && record.error().code() == base::Errc::kCorrupt;
      if (!is_right && !(may_fail && is_reported)) {
        wrong.push_back(fmt::format("type {} index {}: {}", key.type, key.index,
                                    record.has_value() ? "wrong bytes" : record.error().message()));
      }
    }
    return wrong;
  }

  // What a restart may find, with the power cut now.
  std::vector<SimImage> Left() const {
    const SimCut cut = run_.machine.device.IfCutNow();
    std::vector<SimImage> left;
    std::set<std::uint64_t> seen;
    for (const WriteFate all : {WriteFate::kLost, WriteFate::kKept, WriteFate::kTornHead, WriteFate::kTornTail}) {
      const std::vector<WriteFate> fates(cut.UnflushedUnits().size(), all);
      SimImage image = cut.ImageAfter(fates, 1);
      if (seen.insert(image.Hash()).second) left.push_back(std::move(image));
    }
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      SimImage image = cut.ImageAfter(seed);
      if (seen.insert(image.Hash()).second) left.push_back(std::move(image));
    }
    return left;
  }
  const LogModel& model() const { return run_.log.model; }
  SimCounters counters() const { return run_.machine.device.counters(); }

 private:
  static std::chrono::milliseconds DeadlineFor(const PlantedFault& fault) {
    return fault.kind == Kind::kHang ? 20ms : 30s;
  }
  LogRun run_;
  bool is_closed_;
  std::string failure_;
};

SimCounters CountersOf(const std::vector<LogOp>& ops, bool close) {
  // One that never strikes.
  const FaultyRun run(ops, {.skip = PlantedFault::kAlways}, close);
  CHECK(run.failure().empty());
  return run.counters();
}

std::vector<std::string> ComplaintsAbout(const SimImage& image, const LogModel& model, bool is_damaged) {
  TestMachine machine(image);
  const auto opened = machine.Open();
  if (!opened.has_value()) return {opened.error().message()};
  return LogCheck::Complaints(machine, model, is_damaged);
}

// Runs each workload with the fault at each of its writes, with and without closing, until something failed. Returns
// the number of runs.
std::uint64_t ForEachWrite(PlantedFault fault, const std::function<void(FaultyRun&)>& expect) {
  std::uint64_t tried = 0;
  for (const auto& ops : Workloads()) {
    for (const bool close : {false, true}) {
      const std::uint64_t writes = CountersOf(ops, close).writes;
      for (fault.skip = 0; fault.skip < writes; ++fault.skip) {
        SCOPED_TRACE(NameOf(ops) + (close ? " and close" : "") + ", write " + std::to_string(fault.skip));
        FaultyRun run(ops, fault, close);
        ++tried;
        expect(run);
        if (testing::Test::HasFailure()) return tried;
      }
    }
  }
  std::printf("%llu runs\n", static_cast<unsigned long long>(tried));
  return tried;
}

// --- Sync failures ---

struct Failure {
  std::string name;
  PlantedFault fault;
};

class SyncFailures : public testing::TestWithParam<Failure> {};

TEST_P(SyncFailures, OfAnyWriteLeadToNoFalseAcknowledgement) {
  const std::uint64_t tried = ForEachWrite(GetParam().fault, [](FaultyRun& run) {
    EXPECT_THAT(run.WrongBytes(false), testing::IsEmpty());
    for (const SimImage& image : run.Left()) {
      EXPECT_THAT(ComplaintsAbout(image, run.model(), false), testing::IsEmpty());
    }
  });
  EXPECT_GT(tried, 150u);
}

INSTANTIATE_TEST_SUITE_P(Each, SyncFailures,
                         testing::Values(Failure{"Once", {.kind = Kind::kFail}},
                                         Failure{"TwiceThenSuccess", {.kind = Kind::kFail, .times = 2}},
                                         Failure{"Always", {.kind = Kind::kFail, .times = PlantedFault::kAlways}},
                                         Failure{"ShortOnce", {.kind = Kind::kShort}},
                                         Failure{"ShortAlways", {.kind = Kind::kShort, .times = PlantedFault::kAlways}},
                                         Failure{"Hang", {.kind = Kind::kHang}}),
                         [](const auto& info) { return info.param.name; });

TEST(RecoveryFailures, AFlushThatFailsOrHangsOpensNothingAndChangesNothing) {
  for (const Kind kind : {Kind::kFail, Kind::kHang}) {
    const FaultyRun run({LogOp::kSmall}, {.kind = kind, .on = SimOperation::kFlush}, true);
    EXPECT_FALSE(run.opened());
    EXPECT_EQ(run.counters().writes, 0u);
    for (const SimImage& image : run.Left()) {
      EXPECT_THAT(ComplaintsAbout(image, AgedDisk().model, false), testing::IsEmpty());
    }
  }
}

// Of the mount and of cleaning: like rot, so reported if it harms anything.
TEST(RecoveryFailures, AReadThatFailsIsReportedOrHarmless) {
  std::uint64_t tried = 0;
  for (const auto& ops : Workloads()) {
    const std::uint64_t reads = CountersOf(ops, false).reads;
    for (const Kind kind : {Kind::kFail, Kind::kShort}) {
      for (std::uint64_t read = 0; read < reads; ++read) {
        SCOPED_TRACE(NameOf(ops) + ", read " + std::to_string(read));
        FaultyRun run(ops, {.kind = kind, .on = SimOperation::kRead, .skip = read}, false);
        ++tried;
        if (!run.opened() || run.has_reported()) continue;
        EXPECT_THAT(run.WrongBytes(false), testing::IsEmpty());
        for (const SimImage& image : run.Left()) {
          EXPECT_THAT(ComplaintsAbout(image, run.model(), false), testing::IsEmpty());
        }
        if (testing::Test::HasFailure()) return;
      }
    }
  }
  EXPECT_GT(tried, 100u);
}

// --- Writes that the device lost or put elsewhere ---

struct Lie {
  std::string name;
  PlantedFault fault;
};

class LyingDevice : public testing::TestWithParam<Lie> {};

// The last mail is lost without a trace if its own write is: nothing on the disk differs from a power cut during it.
LogModel WithoutWitness(LogModel model) {
  if (!model.mails.empty()) model.mails.rbegin()->second.acknowledged = false;
  return model;
}

TEST_P(LyingDevice, IsFoundOutOrHasHarmedNothing) {
  std::uint64_t reported = 0;
  const std::uint64_t tried = ForEachWrite(GetParam().fault, [&reported](FaultyRun& run) {
    EXPECT_THAT(run.WrongBytes(true), testing::IsEmpty());
    const LogModel model = WithoutWitness(run.model());
    for (const SimImage& image : run.Left()) {
      EXPECT_THAT(ComplaintsAbout(image, model, true), testing::IsEmpty());
      TestMachine machine(image);
      if (machine.Open().has_value()) reported += machine.volume->recovery().corruptions.empty() ? 0 : 1;
    }
  });
  std::printf("%llu with corruption reported at the next opening\n", static_cast<unsigned long long>(reported));
  EXPECT_GT(tried, 150u);
  EXPECT_GT(reported, 20u);
}

INSTANTIATE_TEST_SUITE_P(
    Each, LyingDevice,
    testing::Values(Lie{"LosesAWrite", {.kind = Kind::kLose}},
                    Lie{"WritesToTheNextSector", {.kind = Kind::kMisdirect, .shift_bytes = kSectorBytes}},
                    Lie{"WritesToAnotherSegment", {.kind = Kind::kMisdirect, .shift_bytes = 7 * kMiB}},
                    Lie{"WritesToAnotherPlace", {.kind = Kind::kMisdirect, .shift_bytes = 3 * kMiB + 2 * kSectorBytes}},
                    Lie{"WritesBeforeItsPlace", {.kind = Kind::kMisdirect, .shift_bytes = 27 * kMiB - kSectorBytes}}),
    [](const auto& info) { return info.param.name; });

// --- Torn against rotten ---

TEST(RotMatrix, ABitFlippedInAnySectorIsNeverASilentCut) {
  std::uint64_t flipped = 0;
  for (const auto& ops : Workloads()) {
    FaultyRun run(ops, {.skip = PlantedFault::kAlways}, false);
    const LogModel model = WithoutWitness(run.model());
    const SimImage image = run.Left().front();
    for (std::uint64_t sector = 0; sector < image.size_bytes() / kSectorBytes; ++sector) {
      if (!image.Sector(sector)) continue;
      SCOPED_TRACE(NameOf(ops) + ", sector " + std::to_string(sector));
      SimImage rotten = image;
      rotten.FlipBit(sector * kSectorBytes + sector * 1237 % kSectorBytes, static_cast<int>(sector % 8));
      EXPECT_THAT(ComplaintsAbout(rotten, model, true), testing::IsEmpty());
      ++flipped;
      if (testing::Test::HasFailure()) return;
    }
  }
  std::printf("%llu bits flipped\n", static_cast<unsigned long long>(flipped));
  EXPECT_GT(flipped, 300u);
}

}  // namespace
}  // namespace mffs
