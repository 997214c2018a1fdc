// BackgroundZeroer: writes a new volume file's unwritten extents with zeroes, ahead of use, on its own thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "async/asio.h"
#include "base/result.h"

namespace mffs {

// The first write to an unwritten extent also changes file-system metadata, which makes a durable write several times
// slower. The zeroer spares the volume that. It is never needed for correctness: without it everything works, more
// slowly.
//
// The contract that keeps zeroes off live data:
// 1. The zeroer touches only what was Offered. The owner offers, before Start(), space that was never used
//    (segments of generation 0); what it forgets is merely slower.
// 2. Before the owner's first write to offered space it Claims it. A claim is final. Claims cover whole 1 MiB chunks
// that the
//    range touches; each chunk has one atomic state, offered -> taken -> done by the zeroer, offered -> claimed by the
//    owner, both by compare-and-swap: a chunk that the owner got is never written here, and TryClaim() is false as long
//    as the zeroer still writes into one.
// 3. A chunk's extents that are already written are skipped. So after a restart, or behind a crash between a claim and
// its
//    record on disk, data that was written is not zeroed even if the chunk is offered again by rule 1.
//
// Thread: Offer() before Start(); TryClaim(), Claim(), progress from the owner's shard. The thread is ended by the
// destructor. Errors end the zeroing with a warning; nobody waits for it.
class BackgroundZeroer {
 public:
  struct Options {
    // It also rests four times as long as a chunk took, so that a slow disk is left to the volume.
    std::uint64_t bytes_per_second = 64u << 20;
  };
  static constexpr std::uint64_t kChunkBytes = 1u << 20;

  // `path` as given to OpenDevice; a block device is accepted and has nothing to zero. Errors: kNotFound, kDenied, kIo.
  static base::Result<std::unique_ptr<BackgroundZeroer>> Open(const std::string& path, Options options);
  ~BackgroundZeroer();
  BackgroundZeroer(const BackgroundZeroer&) = delete;
  BackgroundZeroer& operator=(const BackgroundZeroer&) = delete;

  // Whole chunks within the range. It must be free of data, and stay so until claimed.
  void Offer(std::uint64_t offset, std::uint64_t size);
  // `call` runs on the zeroer's thread when a chunk is done for which a claim was refused. Before Start().
  void NotifyClaimable(std::function<void()> call) { claimable_ = std::move(call); }
  // Low to high. Once.
  void Start();

  // Takes the range away from the zeroer, for good. False: the zeroer is writing one chunk of it at this moment; the
  // rest is claimed; ask again, after the call of NotifyClaimable, until true before the first write. Never blocks.
  bool TryClaim(std::uint64_t offset, std::uint64_t size);
  // The same, waiting for that chunk (about a millisecond). Claim a segment ahead of its use and nobody waits.
  async::Task<void> Claim(std::uint64_t offset, std::uint64_t size);

  // Offered space that ends at or before this was zeroed or claimed: prefer it for the next segment.
  std::uint64_t ZeroedUpTo() const { return zeroed_up_to_.load(std::memory_order_acquire); }
  struct Progress {
    std::uint64_t offered_bytes = 0;
    std::uint64_t handled_bytes = 0;  // Zeroed, found written, or claimed.
    bool ended = false;
  };
  Progress progress() const;

 private:
  enum class Chunk : std::uint8_t { kNotOffered, kOffered, kTaken, kDone, kClaimed };

  BackgroundZeroer(int fd, std::uint64_t size_bytes, std::string path, Options options);
  bool ClaimChunks(std::uint64_t first, std::uint64_t end);
  void Run();
  bool HandleChunk(std::size_t index);
  base::Result<std::uint64_t> ZeroUnwritten(std::uint64_t offset);
  bool RestAfter(std::chrono::steady_clock::duration took, std::uint64_t bytes);

  int fd_;
  std::string path_;
  Options options_;
  std::vector<std::atomic<Chunk>> chunks_;
  std::atomic<std::uint64_t> zeroed_up_to_{0};
  std::atomic<std::uint64_t> handled_bytes_{0};
  std::uint64_t offered_bytes_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<bool> claim_was_refused_{false};
  std::function<void()> claimable_;
  std::unique_ptr<std::byte, void (*)(void*)> zeroes_;
  std::binary_semaphore stop_{0};  // Released by the destructor; a rest is a timed wait for it.
  std::thread thread_;
};

}  // namespace mffs
