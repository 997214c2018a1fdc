// What the log writes into MFFS records, as values. docs/format/replog.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "mffs/types.h"
#include "mffs/volume.h"
#include "replog/types.h"

namespace replog {

// On disk as one byte: never renumber.
enum class RecordType : std::uint8_t {
  kEntry = 1,
  kPart = 2,
  kSnapshotPiece = 3,
  kSnapshotEnd = 4,
  kMove = 5,
};

inline constexpr std::uint8_t kFormatVersion = 1;

// "Entry". The meta follows the fixed fields, or stands in the record's body (kMetaInBody).
struct EntryHead {
  static constexpr std::size_t kFixedBytes = 48;
  static constexpr std::size_t kMetaInlineMax = mffs::kHeadBytesMax - kFixedBytes;
  static constexpr std::uint8_t kHasMail = 1;
  static constexpr std::uint8_t kMailInParts = 2;
  static constexpr std::uint8_t kMetaInBody = 4;

  std::uint8_t type = 0;
  mail::Class cls = mail::Class::kNormal;
  std::uint8_t flags = 0;
  std::uint32_t checksum = 0;
  std::uint32_t mail_digest = 0;
  std::uint32_t meta_bytes = 0;
  std::uint32_t parts = 0;
  BodyId body;
  std::uint64_t mail_bytes = 0;
  Index committed;
  std::string_view meta;  // Empty with kMetaInBody. A view into what was decoded.

  bool has_mail() const { return (flags & kHasMail) != 0; }
  bool mail_in_parts() const { return (flags & kMailInParts) != 0; }
  bool meta_in_body() const { return (flags & kMetaInBody) != 0; }

  void EncodeTo(std::string& out) const;
  static base::Result<EntryHead> Decode(std::string_view in);
  // What `checksum` must be.
  std::uint32_t Checksum(std::string_view full_meta) const;
};
static_assert(EntryHead::kFixedBytes == 4 + 4 + 4 + 4 + 4 + 4 + 8 + 8 + 8);

// A part of a mail: where it is and what it must look like.
struct Extent {
  static constexpr std::size_t kEncodedSize = mffs::Location::kEncodedSize + 4 + 4;
  mffs::Location location;
  std::uint32_t bytes = 0;
  std::uint32_t checksum = 0;
};
void EncodeExtents(const std::vector<Extent>& extents, std::string& out);
// Reads `count` extents from the front of `in`.
base::Result<std::vector<Extent>> DecodeExtents(std::string_view in, std::uint32_t count);
// The digest of a mail in parts.
std::uint32_t DigestOf(const std::vector<Extent>& extents);

struct PartHead {
  static constexpr std::size_t kEncodedSize = 16;
  std::uint32_t checksum = 0;
  std::uint32_t bytes = 0;
  std::uint32_t part = 0;
  void EncodeTo(std::string& out) const;
  static base::Result<PartHead> Decode(std::string_view in);
};

enum class PieceKind : std::uint8_t { kStateMachine = 0, kPartBodies = 1 };
std::string EncodePieceHead(PieceKind kind);
base::Result<PieceKind> DecodePieceHead(std::string_view in);

struct PiecePlace {
  mffs::Location location;
  PieceKind kind = PieceKind::kStateMachine;
};

struct SnapshotEnd {
  Index reached;
  Epoch epoch;
  std::uint64_t bytes = 0;
  std::vector<PiecePlace> pieces;
  std::string EncodeHead() const;
  std::string EncodeBody() const;
  static base::Result<SnapshotEnd> Decode(std::string_view head, std::string_view body);
  // All but the pieces, of which `pieces_count` says how many there are.
  static base::Result<SnapshotEnd> DecodeHead(std::string_view head, std::uint32_t* pieces_count);
};

struct MovedRecord {
  static constexpr std::size_t kEncodedSize = 1 + 8 + 8 + 2 * mffs::Location::kEncodedSize;
  std::uint8_t type = 0;
  std::uint64_t key_epoch = 0;
  std::uint64_t key_index = 0;
  mffs::Location from;
  mffs::Location to;
};
inline constexpr std::size_t kMovesPerRecordMax = 4096;
static_assert(kMovesPerRecordMax * MovedRecord::kEncodedSize <= mffs::kBodyBytesMax);
std::string EncodeMoveHead(std::uint32_t count);
std::string EncodeMoves(const std::vector<MovedRecord>& moves);
base::Result<std::vector<MovedRecord>> DecodeMoves(std::string_view head, std::string_view body);

// "The owner's state in MFFS's checkpoint".
struct OwnerState {
  struct PartitionState {
    PartitionId partition;
    Epoch epoch;
    Index committed;
    Index snapshot_reached;
    Epoch snapshot_epoch;
    mffs::Location snapshot_end;
  };
  std::uint32_t mailbox_partitions = 0;
  std::uint32_t queue_partitions = 0;
  mffs::Lsn settled_lsn;  // Moves noted up to here are complete; no other copy made by cleaning up to here exists.
  mffs::Lsn scan_after;
  std::vector<PartitionState> partitions;
  std::string guest{};  // Guest::State::bytes.
  std::string Encode() const;
  static base::Result<OwnerState> Decode(std::string_view in);
};

}  // namespace replog
