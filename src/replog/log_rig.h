// A log on a simulated disk with a small state machine, for the tests of this folder. It survives power cuts by image.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "async/testing.h"
#include "base/clock.h"
#include "mffs/buffer_pool.h"
#include "mffs/sim_device.h"
#include "mffs/volume.h"
#include "replog/log.h"

namespace replog {

// Epochs in memory, kept over restarts by the test.
class MapCoordinator final : public Coordinator {
 public:
  async::Task<base::Result<Epoch>> TakeEpoch(PartitionId partition, Epoch own_log) override;
  std::map<PartitionId, Epoch> epochs;
  std::optional<base::Error> error;
};

// Keeps mails by index. Entry types: kPut keeps the mail with its meta, kRemove (meta: an index in decimal) gives one
// up.
class KeepingMachine final : public StateMachine {
 public:
  static constexpr std::uint8_t kPut = 1;
  static constexpr std::uint8_t kRemove = 2;
  struct Kept {
    std::string meta;
    BodyRef body;
  };
  struct PartitionState {
    Index reached;
    std::map<Index, Kept> kept;
    std::vector<Index> replayed;
    std::vector<std::string> in_force;  // The pieces of the snapshot in force.
    std::vector<std::string> written;   // Of the one written last.
  };

  explicit KeepingMachine(Log* log) : log_(log) {}

  void Apply(const EntryView& entry, std::function<void(base::Result<std::string>)> done) override;
  void BodiesMoved(PartitionId partition, std::vector<BodyMove> moves) override;
  async::Task<base::Result<Index>> WriteSnapshot(PartitionId partition, SnapshotWriter* writer) override;
  Held HeldOf(PartitionId) override { return held; }
  bool BeginSnapshot(PartitionId partition, Index reached) override;
  base::Result<> LoadSnapshotPiece(PartitionId partition, std::string_view piece) override;
  void SnapshotInForce(PartitionId partition, Index reached) override;
  async::Task<base::Result<>> EndSnapshot(PartitionId partition) override;
  async::Task<base::Result<>> Recovered() override;

  std::map<PartitionId, PartitionState> partitions;
  std::uint64_t bodies_moved = 0;
  std::uint64_t pieces_kept = 0;
  bool recovered = false;
  Held held;               // Of every partition: what it says it has from an earlier life.
  bool hold_done = false;  // Answers wait in held_done.
  std::vector<std::function<void(base::Result<std::string>)>> held_done;

 private:
  async::Task<base::Result<>> WritePiece(PartitionId partition, SnapshotWriter* writer, std::string piece);

  Log* log_;
};

struct RigOptions {
  std::uint64_t device_bytes = 26u << 20;
  std::optional<std::uint64_t> reorder_seed;
  LogOptions log{.mailbox_partitions = 4, .queue_partitions = 2};
  mffs::VolumeOptions volume;
  mffs::BufferPool::Options pool{.budget_bytes = 16u << 20, .wait_max = std::chrono::milliseconds(10'000)};
};

// Members in the order of their lives. A rig is one process: Open, work, then Close or destruction after a power cut.
class LogRig {
 public:
  LogRig(RigOptions options, MapCoordinator* coordinator);
  // On what an earlier rig's disk holds.
  LogRig(RigOptions options, MapCoordinator* coordinator, mffs::SimImage image);
  ~LogRig();

  // Formats when the disk is new. `recover` false: only the volume.
  base::Result<> Open();
  // Ends as a process that is asked to.
  base::Result<> Close();
  // Cuts the power unless it is cut, lets everything fail, and ends.
  void Crash();

  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(context, std::move(task));
  }
  // As one entry. An empty mail: none.
  base::Result<Committed> Put(PartitionId partition, std::string meta, std::string mail,
                              mffs::Stream stream = mffs::Stream::kMailbox);
  base::Result<Committed> Remove(PartitionId partition, Index index);
  base::Result<std::string> Mail(PartitionId partition, Index index);

  const RigOptions options;
  asio::io_context context{1};
  base::SimClock clock;
  mffs::SimDevice device;
  mffs::BufferPool pool;
  std::unique_ptr<mffs::Volume> volume;
  std::unique_ptr<Log> log;
  std::unique_ptr<KeepingMachine> machine;
  MapCoordinator* coordinator;
  StateMachine::Held held;  // See KeepingMachine.

 private:
  async::Task<base::Result<>> OpenTask();
  async::Task<base::Result<>> CloseTask();
  mffs::SimDevice::Options DeviceOptions();

  bool is_new_;
};

// The proposals above as tasks, for concurrent use.
async::Task<base::Result<Committed>> PutTask(LogRig* rig, PartitionId partition, std::string meta, std::string mail,
                                             mffs::Stream stream);
async::Task<base::Result<Committed>> RemoveTask(LogRig* rig, PartitionId partition, Index index);
async::Task<base::Result<std::string>> MailTask(LogRig* rig, BodyRef body);
// Text that tells where it is cut or mixed.
std::string PatternText(std::uint64_t seed, std::size_t bytes);

}  // namespace replog
