// Power cuts: every device operation of a workload, each unflushed write kept, lost or torn, and recovery cut again.
// One question: is every acknowledged record there, nothing half there, and nothing released back?
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "mffs/format.h"
#include "mffs/volume_testing.h"

namespace mffs {
namespace {

enum class Op { kSmall, kLarge, kMany, kSeal, kRelease, kReleaseNewest, kCheckpoint, kSealDuringCheckpoint, kClean };

constexpr std::array kStreams{Stream::kTransit, Stream::kParked,  Stream::kMailbox,
                              Stream::kBrief,   Stream::kHistory, Stream::kMeta};

std::string BodyOf(std::uint64_t index, std::size_t bytes) {
  // Zeroes, with a number at both ends: the content that is hardest to tell from an empty disk.
  std::string body(bytes, '\0');
  const std::string number = std::to_string(index);
  body.replace(0, number.size(), number);
  if (bytes > 64) body.replace(bytes - number.size(), number.size(), number);
  return body;
}

// Does operations on a volume and keeps the model in step.
class Workload {
 public:
  Workload(ModelOwner* owner, std::uint64_t first_index) : owner_(owner), next_index_(first_index) {}

  async::Task<void> Run(std::vector<Op> ops) {
    for (const Op op : ops) {
      const bool ok = co_await Do(op);
      if (!ok) co_return;  // The power is gone.
    }
    is_complete_ = true;
  }
  // Done to the end, or as far as there was room.
  bool is_complete() const { return is_complete_ || is_full_; }
  const std::string& failure() const { return failure_; }

 private:
  async::Task<bool> Do(Op op) {
    switch (op) {
      case Op::kSmall:
        co_return co_await AppendMany(1, 100);
      case Op::kLarge:
        co_return co_await AppendMany(1, 200'000);
      case Op::kMany:
        co_return co_await AppendMany(kStreams.size(), 3'000);
      case Op::kSeal:
        co_return co_await Seal();
      case Op::kRelease:
        ReleaseOldest();
        co_return true;
      case Op::kReleaseNewest:
        ReleaseNewest(3);
        co_return true;
      case Op::kSealDuringCheckpoint:
        co_return co_await SealDuringCheckpoint();
      case Op::kCheckpoint:
        co_return co_await Checkpoint();
      case Op::kClean:
        co_return co_await Clean();
    }
    co_return false;
  }

  async::Task<bool> Checkpoint() {
    const auto result = co_await owner_->volume->Checkpoint();
    if (!result.has_value()) failure_ = result.error().message();
    co_return result.has_value();
  }

  // All at once: they share a round, each in the lane of its stream.
  async::Task<bool> AppendMany(std::uint64_t count, std::size_t body_bytes) {
    async::TaskGroup group(co_await asio::this_coro::executor, "appends");
    bool all = true;
    for (std::uint64_t i = 0; i < count; ++i) group.Spawn(AppendOne(kStreams[i], body_bytes + i, &all));
    co_await group.Join();
    co_return all;
  }
  async::Task<void> AppendOne(Stream stream, std::size_t body_bytes, bool* all) {
    const std::uint64_t index = next_index_++;
    ModelRecord& record = owner_->records[index];
    record.head = "head " + std::to_string(index);
    record.body = BodyOf(index, body_bytes);
    const RecordKey key{.type = ModelOwner::kRecordType, .partition = 1, .epoch = 1, .index = index};
    auto location = co_await owner_->volume->AppendCopy(stream, key, record.head, record.body);
    if (location.has_value()) {
      record.location = *location;
    } else {
      *all = false;
      failure_ = location.error().message();
      is_full_ = location.error().code() == base::Errc::kNoSpace;
    }
  }
  async::Task<bool> Seal() {
    for (int i = 0; i < 3; ++i) {
      const bool ok = co_await AppendMany(1, 400'000);
      if (!ok) co_return false;
    }
    co_return true;
  }
  // Takes new segments at every moment of a checkpoint.
  async::Task<bool> SealDuringCheckpoint() {
    async::TaskGroup group(co_await asio::this_coro::executor, "checkpoint");
    bool all = true;
    group.Spawn(CheckpointOnce(&all));
    for (int i = 0; i < 2; ++i) {
      const bool ok = co_await Seal();
      all = all && ok;
    }
    co_await group.Join();
    co_return all;
  }
  async::Task<void> CheckpointOnce(bool* all) {
    const auto result = co_await owner_->volume->Checkpoint();
    *all = *all && result.has_value();
  }
  void ReleaseOldest() {
    for (auto& [index, record] : owner_->records) {
      if (!record.location.has_value() || record.release_begun) continue;
      record.release_begun = true;
      owner_->volume->Release(*record.location);
      return;
    }
  }
  void ReleaseNewest(int count) {
    for (auto it = owner_->records.rbegin(); it != owner_->records.rend() && count > 0; ++it, --count) {
      it->second.release_begun = true;
      owner_->volume->Release(*it->second.location);
    }
  }
  async::Task<bool> Clean() {
    const auto checkpoint = co_await owner_->volume->Checkpoint();
    if (!checkpoint.has_value()) co_return false;
    const std::uint64_t before = owner_->volume->Status().segments_cleaned;
    for (int turn = 0; turn < 300 && owner_->volume->Status().segments_cleaned == before; ++turn) {
      co_await asio::post(co_await asio::this_coro::executor, async::use_task);
    }
    co_return !owner_->volume->Status().read_only;
  }

  ModelOwner* owner_;
  std::uint64_t next_index_;
  bool is_complete_ = false;
  bool is_full_ = false;
  std::string failure_;
};

struct CrashRun {
  SimImage image{kSectorBytes};
  ModelOwner owner;
  bool was_cut = false;
  std::uint64_t operations = 0;
};

VolumeOptions Options() {
  VolumeOptions options = TestMachine::Options();
  options.clean_below_live_percent = 60;
  return options;
}

// A test's way through the images: what led to the one at hand.
struct Trail {
  std::string text;
  Trail operator+(const std::string& more) const { return {text + " " + more}; }
};

class CrashTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kIndexesOfALife = 100;

  using Visit = std::function<void(const SimImage&, const ModelOwner&, const Trail&)>;

  static const SimImage& Formatted() {
    static const SimImage image = [] {
      TestMachine machine{SimImage(TestMachine::kDiskBytes)};
      CHECK(machine.Format().has_value());
      return machine.device.Snapshot();
    }();
    return image;
  }

  // A disk, and what its owner knows of it.
  struct Before {
    SimImage image;
    ModelOwner model;
  };

  // Opens the disk and runs `ops`, with the power cut after `cut_after` operations. Visits each image that the cut may
  // leave. Returns whether the power was cut.
  bool RunCut(const Before& before, const std::vector<Op>& ops, std::uint64_t cut_after, const Trail& trail,
              const Visit& visit) {
    ModelOwner owner = before.model;
    TestMachine machine(before.image, seed_++);
    CHECK(machine.Open(Options()).has_value());
    owner.Adopt(machine);
    machine.device.CutPowerAfter(cut_after);
    // Never one of an earlier life: what the model has forgotten may still lie on the disk.
    Workload workload(&owner, next_index_);
    next_index_ += kIndexesOfALife;
    bool ended = false;
    machine.Start(&owner);
    asio::co_spawn(machine.context, RunAndClose(&machine, &workload, ops),
                   [&](const std::exception_ptr&) { ended = true; });
    machine.context.restart();
    while (!ended && machine.context.run_one() > 0) {
    }
    promises_ = PromisesOf(owner);
    if (machine.device.PowerWasCut()) {
      ForEachFate(machine.device, [&](const SimImage& after, const std::string& fates) {
        visit(after, owner, trail + ("cut after " + std::to_string(cut_after) + " fates " + fates));
      });
    } else {
      EXPECT_TRUE(workload.is_complete()) << trail.text << ": " << workload.failure();
      visit(machine.device.Snapshot(), owner, trail + "no cut");
    }
    const bool was_cut = machine.device.PowerWasCut();
    // What is left of the workload meets errors only, and closes the volume.
    if (was_cut) machine.device.FailWhatWasCut();
    machine.context.restart();
    while (!ended) CHECK(machine.context.run_one() > 0);
    machine.started = false;
    return was_cut;
  }

  static async::Task<void> RunAndClose(TestMachine* machine, Workload* workload, std::vector<Op> ops) {
    co_await workload->Run(std::move(ops));
    base::Ignore(co_await machine->volume->Close());
  }

  void ForEachFate(const SimDevice& device, const std::function<void(const SimImage&, const std::string&)>& visit) {
    const std::size_t writes = device.UnflushedWrites();
    std::vector<WriteFate> fates(writes, WriteFate::kLost);
    if (writes <= exhaustive_writes_max_) {
      do {
        VisitOnce(device.ImageAfter(fates, seed_), Name(fates), visit);
      } while (NextFates(fates));
      return;
    }
    for (int i = 0; i < samples_; ++i)
      VisitOnce(device.ImageAfter(seed_), "by seed " + std::to_string(seed_), visit), ++seed_;
  }
  void VisitOnce(const SimImage& image, const std::string& name,
                 const std::function<void(const SimImage&, const std::string&)>& visit) {
    // The same image may be seen again when more was acknowledged: then more is expected of it.
    if (seen_.insert({image.Hash(), promises_}).second) visit(image, name);
  }
  static std::uint64_t PromisesOf(const ModelOwner& owner) {
    std::uint64_t promises = 0;
    for (const auto& [index, record] : owner.records) {
      promises += (record.location.has_value() ? 1 : 0) + (record.release_is_durable ? 1'000'000 : 0);
    }
    return promises;
  }
  static std::string Name(const std::vector<WriteFate>& fates) {
    std::string name;
    for (const WriteFate fate : fates) name += std::to_string(static_cast<int>(fate));
    return name;
  }

  // Opens the image and compares it with the model.
  void Check(const SimImage& image, const ModelOwner& model, const Trail& trail) {
    SCOPED_TRACE(trail.text);
    ++images_;
    TestMachine machine(image);
    const auto opened = machine.Open(Options());
    ASSERT_TRUE(opened) << opened.error().message();
    ExpectMatches(machine, model);
  }

  // A volume on which few segments are free, so that those that become free are taken again at once.
  static std::pair<SimImage, ModelOwner> Crowded(std::uint64_t records) {
    ModelOwner owner;
    TestMachine machine(Formatted());
    CHECK(machine.Open(Options()).has_value());
    machine.Start(&owner);
    for (std::uint64_t i = 1; i <= records; ++i) {
      ModelRecord& record = owner.records[i];
      record.head = "head " + std::to_string(i);
      record.body = BodyOf(i, 400'000);
      const RecordKey key{.type = ModelOwner::kRecordType, .partition = 1, .epoch = 1, .index = i};
      record.location = *machine.Append(Stream::kTransit, key, record.head, record.body);
    }
    CHECK(machine.Close().has_value());
    return std::pair(machine.device.Snapshot(), owner);
  }

  // Every cut of `ops` from the formatted image; then, if asked, every cut of the recovery after each of those.
  void Explore(const std::vector<Op>& ops, bool cut_recovery_too) {
    for (std::uint64_t cut = 0;; ++cut) {
      const bool was_cut = RunCut({Formatted(), {}}, ops, cut, {}, [&](auto& image, auto& model, auto& trail) {
        Check(image, model, trail);
        if (!cut_recovery_too || HasFatalFailure()) return;
        for (std::uint64_t again = 0;; ++again) {
          const bool cut_again =
              RunCut({image, model}, {Op::kSmall}, again, trail, [this](auto& i, auto& m, auto& t) { Check(i, m, t); });
          if (!cut_again || HasFatalFailure()) break;
        }
      });
      if (!was_cut || HasFailure()) break;
    }
  }

  void ExploreFrom(const std::pair<SimImage, ModelOwner>& start, const std::vector<Op>& ops) {
    for (std::uint64_t cut = 0; !HasFailure(); ++cut) {
      const bool was_cut = RunCut({start.first, start.second}, ops, cut, {},
                                  [this](auto& image, auto& model, auto& trail) { Check(image, model, trail); });
      if (!was_cut) break;
    }
  }

  std::set<std::pair<std::uint64_t, std::uint64_t>> seen_;  // Images with promises.
  std::uint64_t promises_ = 0;
  std::size_t exhaustive_writes_max_ = 3;
  int samples_ = 40;
  std::uint64_t seed_ = 1;
  std::uint64_t images_ = 0;
  std::uint64_t next_index_ = kIndexesOfALife;  // Those below are of Crowded().
};

TEST_F(CrashTest, AcknowledgedRecordsSurviveACutAtEveryOperation) {
  const std::vector<std::vector<Op>> workloads = {
      {Op::kSmall, Op::kSmall},
      {Op::kMany, Op::kMany},
      {Op::kLarge, Op::kRelease, Op::kCheckpoint, Op::kSmall},
      {Op::kSeal, Op::kSmall},
      {Op::kSeal, Op::kRelease, Op::kRelease, Op::kClean, Op::kSmall},
      {Op::kMany, Op::kCheckpoint, Op::kRelease, Op::kCheckpoint, Op::kMany},
  };
  for (const auto& ops : workloads) Explore(ops, false);
  std::printf("%llu distinct images\n", static_cast<unsigned long long>(images_));
  EXPECT_GT(images_, 700u);
}

TEST_F(CrashTest, SegmentsAreReusedOnlyWhenNothingNeedsThemAnyMore) {
  samples_ = 10;
  for (std::uint64_t crowd = 8; crowd <= 16; ++crowd) {
    ExploreFrom(Crowded(crowd), {Op::kSeal, Op::kReleaseNewest, Op::kSealDuringCheckpoint, Op::kReleaseNewest,
                                 Op::kSealDuringCheckpoint});
  }
  std::printf("%llu distinct images\n", static_cast<unsigned long long>(images_));
  EXPECT_GT(images_, 100u);
}

TEST_F(CrashTest, RecoveryCutAgainLosesNothing) {
  exhaustive_writes_max_ = 1;
  samples_ = 4;
  for (const auto& ops : std::vector<std::vector<Op>>{{Op::kSmall, Op::kMany},
                                                      {Op::kMany, Op::kRelease, Op::kCheckpoint},
                                                      {Op::kSeal, Op::kRelease, Op::kClean}}) {
    Explore(ops, true);
  }
  std::printf("%llu distinct images\n", static_cast<unsigned long long>(images_));
  EXPECT_GT(images_, 500u);
}

// Lives of one volume, each ended by a power cut at a random operation, without any between them that could mend what a
// cut left.
TEST_F(CrashTest, ManyLivesInARowLoseNothing) {
  constexpr std::array kOps{Op::kSmall, Op::kLarge, Op::kMany, Op::kRelease, Op::kCheckpoint, Op::kCheckpoint};
  // Each life leaves up to seven segments nearly empty and is too short for cleaning them.
  TestMachine machine{SimImage(66 * kMiB)};
  ASSERT_TRUE(machine.Format());
  const SimImage formatted = machine.device.Snapshot();
  for (std::uint64_t seed = 1; seed <= 600 && !HasFailure(); ++seed) {
    base::Random random(seed);
    SimImage image = formatted;
    ModelOwner model;
    for (int life = 1; life <= 8 && !HasFailure(); ++life) {
      std::vector<Op> ops(random.Below(6));
      for (Op& op : ops) op = kOps[random.Below(kOps.size())];
      std::vector<std::pair<SimImage, ModelOwner>> after;
      seen_.clear();
      exhaustive_writes_max_ = 0;
      samples_ = 1;
      RunCut({image, model}, ops, random.Below(25), {"seed " + std::to_string(seed) + " life " + std::to_string(life)},
             [&](auto& left, auto& owner, auto& trail) {
               Check(left, owner, trail);
               after.emplace_back(left, owner);
             });
      ASSERT_EQ(after.size(), 1u);
      image = after[0].first;
      model = after[0].second;
    }
  }
}

}  // namespace
}  // namespace mffs
