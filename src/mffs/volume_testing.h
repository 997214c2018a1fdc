// For tests: a volume on a simulated disk, an owner that keeps a model of what it wrote, and crashes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "mffs/record_reader.h"
#include "mffs/sim_device.h"
#include "mffs/volume.h"

namespace mffs {

// One record as the test knows it.
struct ModelRecord {
  std::string head;
  std::string body;
  std::optional<Location> location;  // Acknowledged.
  bool release_begun = false;
  bool release_is_durable = false;  // A checkpoint that began after the release has succeeded.
};

// Keeps the model in step with what the volume acknowledged. Outlives crashes.
class ModelOwner final : public RecordOwner {
 public:
  static constexpr std::uint8_t kRecordType = 1;
  static constexpr std::uint8_t kMoveType = 2;

  async::Task<base::Result<>> Moved(std::vector<Move> moves) override {
    std::string text;
    base::Encoder out(text);
    for (const Move& move : moves) {
      move.from.EncodeTo(out);
      move.to.EncodeTo(out);
    }
    CO_RETURN_IF_ERROR(co_await volume->AppendCopy(Stream::kMeta, {.type = kMoveType}, "", text));
    for (const Move& move : moves) {
      const auto known = records.find(move.key.index);
      // Its own notes, and what a test keeps no model of.
      if (move.key.type != kRecordType || known == records.end()) continue;
      ModelRecord& record = known->second;
      record.location = move.to;
      if (record.release_begun) volume->Release(move.to);
    }
    co_return base::Result<>();
  }
  CheckpointState TakeCheckpointState() override {
    releases_in_image.clear();
    for (const auto& [index, record] : records) {
      if (record.release_begun) releases_in_image.push_back(index);
    }
    return {.state = "state " + std::to_string(++states_taken), .releases = {}};
  }
  void CheckpointDurable() override {
    for (const std::uint64_t index : releases_in_image) records.at(index).release_is_durable = true;
    states_durable = states_taken;
  }

  // Takes over what recovery found, as a log would: repeats releases and forgets what was never acknowledged.
  void Adopt(class TestMachine& machine);

  Volume* volume = nullptr;
  std::map<std::uint64_t, ModelRecord> records;
  std::vector<std::uint64_t> releases_in_image;
  int states_taken = 0;
  int states_durable = 0;
};

// A record as a scan after recovery showed it.
struct SeenRecord {
  RecordKey key;
  Location location;
  Lsn lsn;
  Stream stream;
  std::string head;
  bool is_live;
  bool is_copy;
  friend auto operator<=>(const SeenRecord&, const SeenRecord&) = default;
};

// One computer: an executor, a disk, perhaps a volume on it. A crash makes the next one from the image.
class TestMachine {
 public:
  static constexpr std::uint64_t kDiskBytes = std::uint64_t{18} << 20;  // 16 segments of 1 MiB.

  explicit TestMachine(SimImage image, std::optional<std::uint64_t> reorder_seed = {})
      : device(context.get_executor(), std::move(image),
               {.reorder_seed = reorder_seed,
                .on_power_cut = [this] { context.stop(); },
                .before_operation =
                    [this] {
                      if (before_operation) before_operation();
                    }}) {
    // Faults are what these tests are about; their log lines would hide a failure.
    base::SetLogSink([](std::string_view) {});
  }
  ~TestMachine() { Shutdown(); }

  static VolumeOptions Options() {
    VolumeOptions options;
    // Far away: tests that want one of these set it.
    options.cover_after = std::chrono::hours(1);
    options.checkpoint_interval = std::chrono::hours(1);
    options.parked_wait = std::chrono::milliseconds(1);
    return options;
  }

  base::Result<> Format(std::uint32_t segment_bytes = 1u << 20) {
    return async::RunTask(context, Volume::Format(&device, {.segment_bytes = segment_bytes}));
  }
  base::Result<> Open(VolumeOptions options = Options()) {
    auto opened = async::RunTask(context, Volume::Open(&device, &clock, std::move(options)));
    if (!opened.has_value()) return std::move(opened).error();
    volume = *std::move(opened);
    return {};
  }
  void Start(ModelOwner* owner) {
    owner->volume = volume.get();
    StartFor(owner);
  }
  void StartFor(RecordOwner* owner) {
    started = true;
    volume->Start(owner);
  }
  std::vector<SeenRecord> Scan(Lsn after = Lsn()) {
    std::vector<SeenRecord> seen;
    const auto result = async::RunTask(context, volume->Scan(after, [&seen](const RecordView& view) {
      seen.push_back(
          {view.key, view.location, view.lsn, view.stream, std::string(view.head), view.is_live, view.is_copy});
      return base::Result<>();
    }));
    CHECK(result.has_value());
    return seen;
  }
  base::Result<Location> Append(Stream stream, RecordKey key, std::string head, std::string body) {
    return async::RunTask(context, volume->AppendCopy(stream, key, std::move(head), std::move(body)));
  }
  base::Result<Record> Read(Location location) { return async::RunTask(context, volume->Read(location)); }
  base::Result<> Checkpoint() { return async::RunTask(context, volume->Checkpoint()); }
  base::Result<> Close() {
    started = false;
    return async::RunTask(context, volume->Close());
  }
  // Ends the volume's tasks, whatever state the disk is in.
  void Shutdown() {
    if (!volume) return;
    if (started) {
      if (device.PowerWasCut()) device.FailWhatWasCut();
      device.ClearFaults();
      device.Unhang();
      device.HoldSyncs(false);
      base::Ignore(Close());
    }
    volume.reset();
  }

  asio::io_context context;
  base::SimClock clock;
  std::function<void()> before_operation;  // SimDevice::Options has it.
  SimDevice device;
  std::unique_ptr<Volume> volume;
  bool started = false;
};

inline RecordKey TestKey(std::uint64_t index) {
  return {.type = ModelOwner::kRecordType, .partition = 7, .epoch = 1, .index = index};
}

// An empty volume of TestMachine::kDiskBytes.
inline SimImage FormattedImage() {
  TestMachine machine{SimImage(TestMachine::kDiskBytes)};
  CHECK(machine.Format().has_value());
  return machine.device.Snapshot();
}

// A volume that is open and started, and has made the checkpoint that every mount makes first.
struct OpenVolume {
  explicit OpenVolume(VolumeOptions options = TestMachine::Options(), std::optional<std::uint64_t> reorder_seed = {})
      : machine(FormattedImage(), reorder_seed) {
    CHECK(machine.Open(std::move(options)).has_value());
    machine.Start(&owner);
    CHECK(machine.Checkpoint().has_value());
  }
  Location Append(std::uint64_t index, std::string body, Stream stream = Stream::kTransit) {
    const auto location = machine.Append(stream, TestKey(index), "head", std::move(body));
    CHECK(location.has_value());
    return *location;
  }
  ModelOwner owner;
  TestMachine machine;
};

// Appends without waiting; notes the order of the completions.
class TestAppender {
 public:
  TestAppender(Volume* volume, std::size_t body_bytes) : volume_(volume), body_(body_bytes, 'b') {}
  void Append(Stream stream, std::uint64_t index, bool patient = false) {
    AppendRequest& request = requests_.emplace_back();
    request.stream = stream;
    request.patient = patient;
    request.key = TestKey(index);
    request.body[0] = body_;
    request.done = [this](base::Result<Location> location) {
      CHECK(location.has_value());
      done_.push_back(*location);
    };
    volume_->Append(&request);
  }
  const std::vector<Location>& done() const { return done_; }

 private:
  Volume* volume_;
  std::string body_;
  std::deque<AppendRequest> requests_;
  std::vector<Location> done_;
};

inline void RunUntil(asio::io_context& context, const std::function<bool()>& condition) {
  context.restart();
  const auto work = asio::make_work_guard(context);
  while (!condition()) CHECK(context.run_one() > 0);
}

// Runs what is ready, and what that makes ready; waits for no timer. The limit is for those that never come to rest.
inline void RunReady(asio::io_context& context, int handlers_max = 100'000) {
  context.restart();
  for (int i = 0; i < handlers_max && context.poll_one() > 0; ++i) {
  }
}

inline void ModelOwner::Adopt(TestMachine& machine) {
  std::map<std::uint64_t, Location> live;
  for (const SeenRecord& seen : machine.Scan()) {
    if (seen.key.type != kRecordType || !seen.is_live) continue;
    const auto [at, is_new] = live.emplace(seen.key.index, seen.location);
    if (!is_new) machine.volume->Release(seen.location);  // A copy whose original is still there.
  }
  for (auto it = records.begin(); it != records.end();) {
    const auto found = live.find(it->first);
    ModelRecord& record = it->second;
    if (found != live.end()) {
      record.location = found->second;
      if (record.release_begun) machine.volume->Release(found->second);
    }
    const bool is_gone = found == live.end() && (!record.location.has_value() || record.release_is_durable);
    it = is_gone ? records.erase(it) : std::next(it);
  }
}

// Every acknowledged record that was not released is there, byte for byte; what else is there is whole and was written;
// nothing comes back that a checkpoint knows as released.
inline void ExpectMatches(TestMachine& machine, const ModelOwner& model) {
  EXPECT_THAT(machine.volume->recovery().corruptions, testing::IsEmpty());
  std::set<std::uint64_t> live;
  std::set<std::uint64_t> originals;
  for (const SeenRecord& seen : machine.Scan()) {
    if (seen.key.type != ModelOwner::kRecordType) continue;
    const auto known = model.records.find(seen.key.index);
    if (known == model.records.end()) {
      // Forgotten after a durable release; its bytes may still be there.
      EXPECT_FALSE(seen.is_live) << "record " << seen.key.index << " was never written, or came back";
      continue;
    }
    if (!seen.is_copy) {
      EXPECT_TRUE(originals.insert(seen.key.index).second) << "record " << seen.key.index << " twice";
    }
    if (!seen.is_live) continue;
    EXPECT_FALSE(known->second.release_is_durable) << "record " << seen.key.index << " came back";
    const auto record = machine.Read(seen.location);
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->head, known->second.head);
    EXPECT_TRUE(record->body == known->second.body) << "record " << seen.key.index;
    live.insert(seen.key.index);
  }
  for (const auto& [index, record] : model.records) {
    if (record.location.has_value() && !record.release_begun) {
      EXPECT_TRUE(live.contains(index)) << "acknowledged record " << index << " is gone";
    }
  }
}

}  // namespace mffs
