// ClassSpace: how much of a volume the mail of each class takes, from the heads of its records.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mail/class.h"
#include "mffs/record_reader.h"
#include "mffs/types.h"
#include "replog/found_records.h"
#include "salvage/queue_replay.h"

namespace salvage {

struct MailSpace {
  std::uint64_t mails = 0;
  std::uint64_t bytes = 0;  // Of their records, padded.
};

// Of a volume's live bytes. A mail in mailboxes counts once however many copies name it, and has no class any more.
struct ClassSpace {
  static constexpr std::size_t kClasses = 6;
  std::array<MailSpace, kClasses> queued;  // By mail::Class.
  MailSpace leaving;                       // Has left the queue; its room comes back with the log's next snapshot.
  MailSpace mailboxes;
  std::uint64_t log_bytes = 0;  // All other records of the log: changes, snapshots, notes.
  std::uint64_t own_bytes = 0;  // MFFS's own: checkpoints.
};

// Add() every record of the volume in any order, then Finish(). Thread: one. Memory: the queue of a node, the heads of
// its entries, and 40 bytes a mail in parts.
class ClassSurvey {
 public:
  void Add(const mffs::RecordView& record);
  // `state`: the log's, of the newest checkpoint. Errors: kCorrupt (what the queue holds cannot be told).
  async::Task<base::Result<ClassSpace>> Finish(replog::OwnerState state, const mffs::RecordReader* reader);

 private:
  async::Task<base::Result<>> LoadMoves(const mffs::RecordReader* reader);
  async::Task<base::Result<>> LoadQueue(replog::PartitionId partition, const mffs::RecordReader* reader);
  async::Task<base::Result<>> LoadSnapshot(replog::OwnerState::PartitionState saved, const mffs::RecordReader* reader);
  async::Task<base::Result<>> Apply(replog::PartitionId partition, const replog::FoundEntry* entry,
                                    const mffs::RecordReader* reader);
  void CountQueues();

  replog::OwnerState state_;
  replog::FoundRecords found_;
  base::Result<> added_;  // The first error of Add().
  replog::MovedPlaces moved_;
  QueueReplay queues_;
  std::unordered_map<replog::BodyId, std::uint64_t> parts_;                             // Bytes of the live parts.
  std::unordered_map<mffs::Location, std::uint64_t, replog::PlaceHash> queue_entries_;  // With a mail; their bytes.
  ClassSpace space_;
};

}  // namespace salvage
