// Volume: one MFFS, opened. A log-structured store of records on one block device; see docs/format/mffs.md.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/clock.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/scrub.h"
#include "mffs/space_watch.h"
#include "mffs/types.h"

namespace mffs {

struct FormatOptions {
  // A multiple of 1 MiB; 1 MiB in tests. 0: the largest power of two from 1 to 64 MiB of which the device holds a
  // thousand.
  std::uint32_t segment_bytes = 64u << 20;
  // Given only where the same work must give the same bytes; else chosen at random, as the checksums need it.
  std::optional<std::array<std::byte, 16>> uuid{};
};

// Where recovery starts from. All give the same result while the checkpoints are sound; the slower ones are for
// `check`, `rescue` and tests.
enum class RecoveryBase : std::uint8_t {
  kSuperblock,  // The newest checkpoint, else the previous one, else as below.
  kScan,        // The newest checkpoint that a scan of the meta segments finds, else as below.
  kNothing,     // All blocks of all segments; every record counts as live, the owner's state is empty.
};

struct VolumeOptions {
  std::uint32_t block_bytes_max = 1u << 20;         // One gathering write.
  std::chrono::milliseconds parked_wait{20};        // How long a patient record may wait for company.
  std::chrono::milliseconds cover_after{100};       // An idle writer appends an empty covering block after this.
  std::uint64_t checkpoint_bytes = 256u << 20;      // Written since the last checkpoint, or ...
  std::chrono::seconds checkpoint_interval{30};     // ... this long since, if anything was written.
  std::chrono::milliseconds write_deadline{30000};  // A write that takes longer counts as failed.
  std::uint32_t clean_below_live_percent = 20;
  std::uint64_t clean_bytes_per_second = 32u << 20;  // Without space pressure.
  // All sectors in use are read and verified once in this time (Scrubber); 0: only when BeginScrub asks for it.
  std::chrono::seconds scrub_within = std::chrono::days(14);
  // Says in a few words what a record is, for the sentences of a scrub; may be empty.
  std::function<std::string(const RecordKey& key, std::string_view head)> describe_record;
  bool gathering = true;    // Off only in the benchmark that measures its gain.
  bool prefetching = true;  // The same.
  RecoveryBase recover_from = RecoveryBase::kSuperblock;
  ProgressHook progress;  // Told by Open() ("segments after the checkpoint") and Scan() ("segments"); may be empty.
  // Asked before the first write to space that was never used: false passes it over for now. For
  // BackgroundZeroer::TryClaim. Call Volume::ClaimRetry() when a refused claim may succeed.
  std::function<bool(std::uint64_t offset, std::uint64_t size)> claim_unused;
  // Runs after a commit's completions were handed out, before the next block is closed: the owner lets the woken
  // writers queue again. Empty: one pass of the shard's ready handlers.
  std::function<void()> after_commit;
};

// What the volume asks of its owner (the log). Called on the volume's shard.
class RecordOwner {
 public:
  virtual ~RecordOwner() = default;
  struct Move {
    RecordKey key;
    Location from;
    Location to;
  };
  // Cleaning has copied live records; the copies are durable. The owner makes durable that the records are there now,
  // then returns; the old places are released then, by the volume. A record that the owner released while this ran it
  // releases at its new place too. Nothing is released after an error, and the segment is left alone until the next
  // opening. After a power cut a copy (RecordView::is_copy) may exist without the owner's note: the owner then keeps
  // one of the two and releases the other, and a copy of what it had released before. It appends its note to stream
  // meta and does not wait for a checkpoint here: checkpoints wait for the move.
  virtual async::Task<base::Result<>> Moved(std::vector<Move> moves) = 0;

  // What a checkpoint keeps for the owner. `releases` are records that the owner no longer needs once `state` is
  // durable (what an older state pointed to): the checkpoint records them as released, and only when it is durable are
  // they released in memory, so that their segments can't be reused while the older state still counts.
  struct CheckpointState {
    std::string state;
    std::vector<Location> releases;
  };
  // Called at the start of each checkpoint, on the shard; the answer holds together with all Release() calls made
  // before it.
  virtual CheckpointState TakeCheckpointState() = 0;
  // The checkpoint that holds the last answer is durable and its releases are done.
  virtual void CheckpointDurable() = 0;
};

// One record to append. Owned by the caller, untouched by it until `done` was called.
struct AppendRequest {
  Stream stream = Stream::kMeta;
  bool patient = false;  // May wait `parked_wait` for company; otherwise the record goes with the next write.
  bool is_copy = false;  // The volume's: made by cleaning.
  RecordKey key;
  std::string_view head;                 // At most kHeadBytesMax.
  std::array<std::string_view, 3> body;  // Written one after the other; in all at most kBodyBytesMax.
  // On the volume's shard, when the record is durable, or never will be (kReadOnly; kNoSpace if Admit was not asked).
  // In LSN order. The request may be destroyed inside.
  std::move_only_function<void(base::Result<Location>)> done;
  AppendRequest* next = nullptr;  // The volume's.
};

// One record read back.
struct Record {
  RecordKey key;
  std::string head;
  std::string body;
};

struct SpaceStatus {
  std::uint64_t capacity_bytes = 0;  // All segments.
  std::uint64_t live_bytes = 0;
  std::uint64_t free_segments = 0;
  std::uint64_t segments = 0;
  std::uint64_t FreeBytes() const { return capacity_bytes - live_bytes; }
};

struct VolumeStatus {
  SpaceStatus space;
  SpaceLevel space_level = SpaceLevel::kAllWelcome;
  bool read_only = false;
  std::string read_only_reason;
  Lsn durable_lsn;
  std::uint64_t commits = 0;        // Gathering writes since opening.
  std::uint64_t records = 0;        // Records appended since opening.
  std::uint64_t bytes_written = 0;  // At the device, everything included, since opening.
  std::uint64_t segments_cleaned = 0;
  std::uint64_t corrupt_blocks = 0;  // Found since opening, recovery included.
  std::array<std::uint64_t, kStreamCount> live_bytes_by_stream{};
};

// What recovery found, for the log and `posthorn mffs check`.
struct RecoveryReport {
  std::uint64_t blocks_scanned = 0;
  std::uint64_t records_found = 0;
  bool torn_tail = false;                // The last unacknowledged write was incomplete: normal after a power cut.
  bool ambiguous_tail = false;           // The last block is damaged and nothing proves that it was acknowledged.
  std::vector<std::string> corruptions;  // Acknowledged data that is damaged, each a sentence.
  std::chrono::milliseconds took{0};
};

// The volume.
//
// Thread: the shard of the executor given to Open; every call on it. Owns its buffers; borrows device, clock and owner,
// which outlive it. Durability: a record survives power loss once its `done` got a location. Completions come in LSN
// order. Errors: a failed or overdue write or flush is never retried: what was not yet durable is rewritten once to a
// fresh segment; if that fails too the volume is read-only until it is opened anew, and all pending and later appends
// get kReadOnly.
class Volume {
 public:
  // Writes an empty volume onto `device`. Destroys what is there. Errors: kNoSpace (too small), kIo.
  static async::Task<base::Result<>> Format(BlockDevice* device, FormatOptions options);

  // Recovers and opens. Errors: kCorrupt (no superblock agrees: names what was found), kUnsupported (another format
  // version), kIo. A device shorter than the volume is kCorrupt and says both sizes.
  static async::Task<base::Result<std::unique_ptr<Volume>>> Open(BlockDevice* device, const base::Clock* clock,
                                                                 VolumeOptions options);
  ~Volume();

  const RecoveryReport& recovery() const;

  // The owner's bytes as of the last durable checkpoint (empty after Format).
  const std::string& owner_state() const;

  // Space that was never used, as offsets and sizes on the device: for BackgroundZeroer::Offer. Only before Start().
  std::vector<std::pair<std::uint64_t, std::uint64_t>> UnusedSpace() const;

  // A function to be called when a claim that was refused may succeed now: from any thread, also after the end of the
  // volume, but not of its executor's context. Without such calls a refused claim is retried after a second.
  std::function<void()> ClaimRetry();

  // Hands `visit` every record with lsn > `after` in LSN order, live or not, without reading bodies where a summary has
  // them. Stops at the first error that `visit` returns. Only before Start().
  async::Task<base::Result<>> Scan(Lsn after, std::function<base::Result<>(const RecordView&)> visit);

  // From here on the volume may write, clean and checkpoint by itself. The owner is asked for its state at each
  // checkpoint. Null: nothing is cleaned, so space comes back only with a segment of which every record was released,
  // and checkpoints keep the state that was found.
  void Start(RecordOwner* owner);

  // Whether a record of this size may be appended now: kNoSpace by the watermark of the stream (docs/format/mffs.md
  // "Space"), kReadOnly. An accepted record is not refused later for space.
  base::Result<> Admit(Stream stream, std::uint64_t bytes, Need need = Need::kNew) const;

  // After Admit has said kNoSpace: returns when a checkpoint has freed what there was to free, or after `patience`. The
  // caller asks again, a few times: cleaning makes a segment of room at a time.
  async::Task<void> AwaitRoom(std::chrono::milliseconds patience);
  // Queues a record; `done` is called later, never inside. The caller has asked Admit.
  void Append(AppendRequest* request);
  // The same as a task, for callers off the hot path; asks Admit itself. `body` is copied.
  async::Task<base::Result<Location>> AppendCopy(Stream stream, RecordKey key, std::string head, std::string body,
                                                 Need need = Need::kNew);

  // Reads a record; its location is known when it is durable. Errors: kNotFound (the segment was freed), kCorrupt (a
  // sector that the device cannot read counts as damaged).
  async::Task<base::Result<Record>> Read(Location location);
  // Part of a record's body, checked by the sectors' checksums: for windows into large bodies.
  async::Task<base::Result<std::string>> ReadBody(Location location, std::uint32_t offset, std::uint32_t size);
  // Reads at least `bytes` of the location's stream in disk order, starting there, in one large read (sequential
  // grouping prefetch); live records only.
  async::Task<base::Result<std::vector<std::pair<Location, Record>>>> ReadRun(Location location, std::uint32_t bytes);

  // The owner needs the record no longer. Idempotent. Becomes durable with the next checkpoint: until then the owner
  // repeats it after a restart (its own log tells it to). A segment without a live record is free at once.
  void Release(const Location& location);
  bool IsLive(const Location& location) const;

  // Makes all releases so far and the owner's state durable. One at a time; a second call waits for the first, then
  // runs.
  async::Task<base::Result<>> Checkpoint();

  VolumeStatus Status() const;

  // Verifies all sectors in use from now on at this rate (above 0), instead of in the background. Only after Start().
  // Errors: kBusy (such a scrub is under way).
  base::Result<> BeginScrub(std::uint64_t bytes_per_second);
  // What BeginScrub began goes on in the background, if that is on.
  void EndScrub();
  ScrubStatus Scrub() const;

  // Finishes what is queued, writes a last checkpoint, ends background work. After it no call but the destructor. Must
  // be awaited before the destructor if Start() was called, also when the volume is read-only (it answers that then).
  async::Task<base::Result<>> Close();

 private:
  class Engine;
  explicit Volume(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace mffs
