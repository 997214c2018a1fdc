// SimDevice: a simulated disk in memory, whose power can be cut at any operation and whose faults are planted by the
// test.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/random.h"
#include "mffs/block_device.h"
#include "mffs/sim_cut.h"
#include "mffs/sim_image.h"

namespace mffs {

enum class SimOperation : std::uint8_t { kWrite, kRead, kFlush };

// A fault that a test plants: it hits matching operations, from the (skip + 1)-th on, `times` times.
struct PlantedFault {
  enum class Kind : std::uint8_t {
    kFail,   // kIo. A write leaves its sectors in an unknown state; a flush makes what it covered doubtful for ever.
    kShort,  // A write or read of the first half only, reported as kIo.
    kHang,   // Nothing happens until Unhang().
    kLose,   // A write or flush that claims success and did nothing.
    kMisdirect,  // A write that lands, and a read that is taken, `shift_bytes` further on (modulo the size).
  };
  static constexpr std::uint64_t kAlways = ~std::uint64_t{0};

  Kind kind = Kind::kFail;
  SimOperation on = SimOperation::kWrite;
  std::uint64_t skip = 0;
  std::uint64_t times = 1;
  // Only writes and reads that touch these bytes.
  std::uint64_t from = 0;
  std::uint64_t to = kAlways;
  std::uint64_t shift_bytes = kSectorBytes;
};

struct SimCounters {
  std::uint64_t writes = 0;
  std::uint64_t reads = 0;
  std::uint64_t flushes = 0;
  std::uint64_t syncs = 0;  // Flushes, and writes with Sync::kYes.
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t operations() const { return writes + reads + flushes; }
};

// Fault model. An operation begins at Submit() and has its turn later, from the executor: in the order of the calls,
// or, with a reorder seed, in any. At its turn a write becomes visible to reads and is *unflushed*. It is durable when
// it has completed with Sync::kYes, or when a flush that began after its completion has completed; neither says
// anything about other writes. A power cut comes at the turn of an operation: that one and all others in flight do not
// complete, ever, and their writes are unflushed too. At the restart each unflushed write on its own is kept, lost or
// torn in 512-byte units, replayed in the order of their turns over what is durable. After a failed flush the writes
// that it covered stay unflushed even if a later flush succeeds, as with Linux's page cache and fsync. Planted faults,
// rot (FlipBit) and a disk that lies about syncs (IgnoreSync) come on top. The device CHECKs that a buffer is unchanged
// between the call and its turn.
//
// Thread: one shard, that of the executor. May be destroyed with operations in flight: their callbacks are dropped
// uncalled.
class SimDevice final : public BlockDevice {
 public:
  struct Options {
    std::string name = "sim";
    std::uint64_t seed = 0;                       // Of what failed writes leave behind.
    std::optional<std::uint64_t> reorder_seed{};  // Operations in flight have their turns in a random order.
    std::function<void()> on_power_cut{};  // Called within the turn that is cut; a test stops its io_context here.
    // Called at the turn of each write and flush, before it has an effect: the moments at which CutPowerAfter cuts. A
    // test looks at IfCutNow() here.
    std::function<void()> before_operation{};
  };
  struct Throttle {
    std::uint64_t operations_per_second = 0;  // 0: unlimited.
    std::uint64_t bytes_per_second = 0;
  };

  SimDevice(async::Executor executor, std::uint64_t size_bytes)
      : SimDevice(executor, SimImage(size_bytes), Options()) {}
  SimDevice(async::Executor executor, SimImage image) : SimDevice(executor, std::move(image), Options()) {}
  SimDevice(async::Executor executor, SimImage image, Options options);
  ~SimDevice() override;
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;

  std::uint64_t size_bytes() const override { return current_.size_bytes(); }
  const std::string& name() const override { return options_.name; }
  void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) override;
  void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) override;
  void Flush(IoDone done) override;
  void Submit() override;
  void RegisterBuffers(base::MutableByteSpan memory) override;

  // --- Power ---
  // Writes and flushes that have had their turn so far, failed ones included: the count that CutPowerAfter goes by.
  std::uint64_t operations_done() const { return operations_done_; }
  // `operations` more writes and flushes complete; the power goes at the turn of the next one.
  void CutPowerAfter(std::uint64_t operations) { cut_at_ = operations_done_ + operations; }
  void CutPowerNow();
  // What a power cut at this moment would leave. The power stays on.
  SimCut IfCutNow() const;
  bool PowerWasCut() const { return power_was_cut_; }
  // After a cut: all operations in flight then, and all begun since, end with kIo; the disk does not change. So that
  // the owner of the device can be shut down properly in a test that goes on.
  void FailWhatWasCut();

  // The process that used the device was killed, and the next one begins: what was in flight never happens, what was
  // written is there to be read, and is no more durable than before.
  void BeginNextProcess();

  // The next three only after a cut. The number of writes whose fate it decides, in the order in which `fates` names
  // them.
  std::size_t UnflushedWrites() const;
  // As SimCut has them.
  SimImage ImageAfter(std::span<const WriteFate> fates, std::uint64_t seed) const;
  SimImage ImageAfter(std::uint64_t seed) const;
  // Cuts the power if it is on, then switches it on again with such an image; what was in flight is dropped, planted
  // faults are gone.
  void Restart(std::uint64_t seed);
  void RestartWith(std::span<const WriteFate> fates, std::uint64_t seed);

  // What reads see now.
  const SimImage& Snapshot() const { return current_; }

  // --- Faults ---
  void Plant(PlantedFault fault) { faults_.push_back(fault); }
  void ClearFaults() { faults_.clear(); }
  // What hung has its turn now; hanging faults are gone.
  void Unhang();
  std::size_t hanging() const { return hanging_.size(); }
  // Rot: on the medium, in memory of the device, everywhere.
  void FlipBit(std::uint64_t offset, int bit);
  // While held, flushes and writes with Sync::kYes do not have their turn.
  void HoldSyncs(bool hold);
  std::size_t held() const { return held_.size(); }
  // A disk that lies: syncs succeed, nothing becomes durable by them.
  void IgnoreSync(bool ignore) { ignore_sync_ = ignore; }
  // By the real clock; operations one after the other.
  void SetThrottle(Throttle throttle) { throttle_ = throttle; }

  const SimCounters& counters() const { return counters_; }

 private:
  struct Operation {
    SimOperation kind = SimOperation::kWrite;
    std::uint64_t offset = 0;
    base::ByteSpan data{};         // kWrite.
    base::MutableByteSpan into{};  // kRead.
    Sync sync = Sync::kNo;
    IoDone done{};
    std::uint32_t checksum = 0;  // Of `data` at the call.
    std::uint64_t begun = 0;     // Value of completions_ at Submit(): a flush covers what completed before.
    bool is_sync() const { return kind == SimOperation::kFlush || sync == Sync::kYes; }
  };
  // A write since the oldest one that is not durable, in the order of their turns.
  struct Pending {
    SimWrite write{};
    std::optional<std::uint64_t> completed{};  // Value of completions_ at its completion, when it succeeded.
    bool durable = false;
    bool doubtful = false;  // No flush can make it durable any more.
  };

  void Begin(Operation operation);
  void ScheduleTurn();
  std::chrono::steady_clock::duration TurnCost(const Operation& operation) const;
  void TakeTurn();
  Operation PopNext();
  base::Result<> Perform(const Operation& operation, const PlantedFault* fault);
  base::Result<> PerformWrite(const Operation& operation, const PlantedFault* fault);
  base::Result<> PerformRead(const Operation& operation, const PlantedFault* fault);
  base::Result<> PerformFlush(const Operation& operation, const PlantedFault* fault);
  static Pending MakePending(std::uint64_t offset, base::ByteSpan data);
  void Abandon(Operation operation);
  void PostDone(IoDone done, base::Result<> result);
  void FoldDurable();
  const PlantedFault* FaultFor(const Operation& operation);
  void PowerOn(SimImage image);

  async::Executor executor_;
  Options options_;
  SimImage durable_;
  SimImage current_;
  std::deque<Pending> pending_;
  base::Random random_;
  std::optional<base::Random> reorder_;

  std::vector<Operation> started_;  // Not yet submitted.
  std::deque<Operation> queue_;     // Waiting for their turns.
  std::vector<Operation> held_;
  std::vector<Operation> hanging_;
  std::vector<IoDone> cut_;  // Of operations that the cut left without an end.
  std::vector<PlantedFault> faults_;
  PlantedFault hit_;  // The fault that hits the operation at its turn.

  bool power_was_cut_ = false;
  bool fail_what_was_cut_ = false;
  bool hold_syncs_ = false;
  bool ignore_sync_ = false;
  bool turn_scheduled_ = false;
  std::optional<std::uint64_t> cut_at_;
  std::uint64_t operations_done_ = 0;
  std::uint64_t completions_ = 0;
  Throttle throttle_;
  async::SteadyTimer throttle_timer_;
  std::chrono::steady_clock::time_point free_at_{};
  SimCounters counters_;
  bool buffers_registered_ = false;
  std::shared_ptr<SimDevice*> self_;  // Owners: this, and posted turns, which find null after the destructor.
};

}  // namespace mffs
