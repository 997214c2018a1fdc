// The words of the replicated log: partitions, epochs, entries, bodies. docs/format/replog.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "mail/class.h"
#include "mffs/types.h"

namespace replog {

// The high bit tells the kind: mailbox partitions count from 0, queue partitions from kFirstQueuePartition.
using PartitionId = base::Id<struct PartitionIdTag, std::uint32_t>;
inline constexpr PartitionId kFirstQueuePartition{1u << 31};
using Epoch = base::Id<struct EpochTag>;
using Index = base::Id<struct IndexTag>;  // Of an entry in its partition, from 1, without gaps.

// Names the bytes of one mail within its partition, for ever. A body in the entry's own record has the entry's index; a
// body of parts has a random number with the high bit set, since its parts are written before the entry.
using BodyId = base::Id<struct BodyIdTag>;
inline constexpr std::uint64_t kPartsBodyBit = std::uint64_t{1} << 63;

// Where the bytes of a mail lie. A value that state machines keep (in memory, in RocksDB, in their snapshots); cleaning
// changes the locations (StateMachine::BodiesMoved).
struct BodyRef {
  BodyId id;
  std::uint64_t size_bytes = 0;             // Of the mail; 0 with no extents: the entry has no body.
  std::vector<mffs::Location> extents;      // One: the entry's record (id < kPartsBodyBit). Else the parts in order.
  std::vector<std::uint32_t> extent_bytes;  // Bytes of the mail in each.

  bool empty() const { return extents.empty(); }
  void EncodeTo(base::Encoder& out) const;
  static BodyRef DecodeFrom(base::Decoder& in);
  // The same over one that was used before, whose memory serves again.
  void ReadFrom(base::Decoder& in);
};

// A committed entry, as a state machine applies it. Views are valid during the call only.
struct EntryView {
  PartitionId partition;
  Epoch epoch;
  Index index;
  std::uint8_t type = 0;  // The state machine's own; 0 is the log's empty entry, never handed out.
  mail::Class cls = mail::Class::kNormal;
  std::string_view meta;  // What the state machine encoded.
  BodyRef body;
  bool is_replay = false;  // Read back at start, not proposed now.
};

}  // namespace replog
