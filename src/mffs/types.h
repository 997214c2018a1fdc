// The words of MFFS that its users share: streams, record keys, locations.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/bytes.h"
#include "base/id.h"

namespace mffs {

// Mail that dies together lies together. On disk as one byte (docs/format/mffs.md): never renumber.
enum class Stream : std::uint8_t {
  kMeta = 0,     // States, checkpoints, moves.
  kTransit = 1,  // Normal mail in the queue.
  kParked = 2,   // Suspect, bulk and held mail.
  kMailbox = 3,  // Long-lived.
  kCold = 4,     // Survivors of cleaning.
  kHistory = 5,  // The trace of each mail, released by age.
  kBrief = 6,    // Mail of mailboxes that turn over quickly (Turnover).
};
inline constexpr std::size_t kStreamCount = 7;
std::string_view ToString(Stream stream);

inline constexpr std::uint32_t kHeadBytesMax = 1024;
inline constexpr std::uint32_t kBodyBytesMax = 512u << 10;  // A larger mail is parts (replog::BodyWriter).
inline constexpr std::uint8_t kOwnTypesFirst = 0xf0;

// Log sequence number of a commit block: one order over all streams of a volume. The first block has 1.
using Lsn = base::Id<struct LsnTag>;

// What a record is, to its owner. MFFS stores and returns it and orders nothing by it.
// Types from 0xf0 on are MFFS's own.
struct RecordKey {
  std::uint8_t type = 0;
  std::uint32_t partition = 0;
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;
  friend auto operator<=>(const RecordKey&, const RecordKey&) = default;
};

// Where a record lies. A value that owners store (20 bytes encoded). The generation makes a location of a recycled
// segment fail instead of reading someone else's mail.
struct Location {
  std::uint32_t segment = 0;
  std::uint32_t generation = 0;  // Of the segment; 0 is never used, so a default Location is "nowhere".
  std::uint32_t offset = 0;      // Of the record header, in bytes from the start of the segment.
  std::uint32_t size = 0;        // Record header, head and body, in bytes, without padding.
  std::uint32_t ordinal = 0;     // Of the record within its segment: its bit in the live map.
  friend auto operator<=>(const Location&, const Location&) = default;

  static constexpr std::size_t kEncodedSize = 20;
  bool IsNowhere() const { return generation == 0; }
  void EncodeTo(base::Encoder& out) const {
    out.U32(segment);
    out.U32(generation);
    out.U32(offset);
    out.U32(size);
    out.U32(ordinal);
  }
  static Location DecodeFrom(base::Decoder& in) {
    Location location;
    location.segment = in.U32();
    location.generation = in.U32();
    location.offset = in.U32();
    location.size = in.U32();
    location.ordinal = in.U32();
    return location;
  }
};

// What the room is for, where the stream alone does not say it (docs/format/mffs.md, "Space").
enum class Need : std::uint8_t {
  kNew,  // Refused at the stream's watermark. In meta: the owner's note of a move, without which cleaning frees
         // nothing.
  // What was accepted is moved or changed. It goes on when nothing new is taken: else a queue that has filled a volume
  // could not deliver and never drain. In meta it leaves alone what cleaning needs.
  kAccepted,
  kState,  // The owner's state in meta, by which it gives up older records: may take one segment more than changes.
};

// How far a step of a start has come. `what` says what is counted: a literal.
struct Progress {
  std::string_view what;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};
// Called often, on the shard: whoever tells it to somebody decides how often.
using ProgressHook = std::function<void(const Progress&)>;

// A record as recovery and scans hand it out. `head` is a view, valid during the call only.
struct RecordView {
  RecordKey key;
  Location location;
  Lsn lsn;  // Of its block; records of one block come in their order.
  Stream stream = Stream::kMeta;
  std::string_view head;  // The small payload that summaries repeat.
  std::uint32_t body_bytes = 0;
  bool is_live = false;  // Not released, as far as the last checkpoint knows.
  // Made by cleaning. The original may still exist, and is the one that counts unless the owner has noted the move.
  bool is_copy = false;
  // False: sectors of the body are damaged (reported as corruption); head and key are good.
  bool body_is_readable = true;
};

}  // namespace mffs
