// Scrubber: reads every sector in use of an open volume again and again, so that rot is found while there is a remedy.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "async/asio.h"
#include "base/clock.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/device_io.h"
#include "mffs/scrub.h"
#include "mffs/segment_table.h"
#include "mffs/wake_signal.h"

namespace mffs {

// A pass reads the superblock copies, then the segments with live records in their order, each as it is when it is come
// to: up to its last durable block, so that a write under way is never looked at; then the summary of a sealed one. A
// segment that is freed or taken anew meanwhile is left, and nothing that was read of it counts. What is bad is read a
// second time before it is reported, and each bad sector is counted once a mount.
//
// In the background a pass takes 9/10 of `within`, whatever is in use; one by request goes at its own rate, from the
// beginning. Each read (256 KiB) waits for a moment in which nobody else has work for the device, at most 50 ms.
//
// Thread: one shard. Borrows all it is given. Writes nothing: how far it came is written with checkpoints
// (Superblock::scrub). Its task must not be cancelled.
class Scrubber {
 public:
  struct World {
    BlockDevice* device;
    const SegmentTable* table;
    Geometry geometry;
    IoDeadline deadline;
    const base::Clock* clock;
  };
  struct Options {
    std::chrono::seconds within{0};  // 0: only by request.
    std::function<bool()> is_busy;   // Whether others have work for the device.
    // Says in a few words what a record is, for sentences; may be empty.
    std::function<std::string(const RecordKey& key, std::string_view head)> describe;
  };
  Scrubber(async::Executor executor, World world, Options options, ScrubMark found);

  // Until Stop().
  async::Task<void> Run();
  void Stop();

  // Begins a pass at this rate (above 0). Errors: kBusy (one by request is under way).
  base::Result<> Begin(std::uint64_t bytes_per_second);
  // The pass goes on in the background, if there is one.
  void End();

  ScrubStatus Status() const;
  const ScrubMark& mark() const { return mark_; }

 private:
  struct InUse {
    std::uint64_t total = 0;
    std::uint64_t left = 0;  // From the pass's next segment on.
  };
  // A sector of a segment's generation. Superblock copies: of segment 2^32 - 1.
  using BadSector = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;
  // Of one segment.
  struct Verified {
    std::vector<std::uint32_t> bad;
    bool is_whole = false;  // False: the segment was freed, or the scrub was stopped or begun anew.
  };

  InUse BytesInUse() const;
  void FindBackgroundRate();
  std::uint64_t Rate() const { return requested_rate_.value_or(background_rate_); }
  std::optional<std::uint32_t> NextSegment() const;
  bool IsStill(std::uint32_t segment, std::uint32_t generation) const;
  async::Task<bool> AwaitTurn();
  void CountRead(std::uint64_t bytes);
  void EndPass();

  async::Task<void> ScrubSuperblocks();
  async::Task<std::vector<std::uint32_t>> BadSuperblocks();
  async::Task<void> ScrubSegment(std::uint32_t number);
  async::Task<Verified> VerifySegment(std::uint32_t number);
  async::Task<bool> SummaryIsBad(std::uint32_t number, std::uint32_t generation);
  async::Task<void> Report(std::uint32_t number, std::uint32_t generation, std::uint64_t new_bad);
  std::uint64_t CountNew(std::uint32_t segment, std::uint32_t generation, const std::vector<std::uint32_t>& bad);
  void Add(Finding finding);

  World world_;
  Options options_;
  ScrubMark mark_;
  ScrubStatus status_;  // What is counted.
  std::optional<std::uint64_t> requested_rate_;
  std::uint64_t background_rate_ = 0;
  std::set<BadSector> known_bad_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> lost_records_;  // By segment and generation.
  base::SteadyTime last_read_at_;
  std::uint64_t last_read_bytes_;
  bool begins_anew_ = false;
  bool stopping_ = false;
  WakeSignal wanted_;
};

}  // namespace mffs
