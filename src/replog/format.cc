#include "replog/format.h"

#include "base/crc32c.h"

namespace replog {
namespace {

constexpr std::size_t kEncodedPartitionState = 4 + 4 * 8 + mffs::Location::kEncodedSize;

// Of a state that holds the guest's too.
constexpr std::uint8_t kVersionWithGuest = 2;

void Reserve(base::Encoder& out, int bytes) {
  for (int i = 0; i < bytes; ++i) out.U8(0);
}

base::Error Damaged(std::string_view what) {
  return base::Error(base::Errc::kCorrupt, "the " + std::string(what) + " of a log record is damaged");
}

// Reads the version byte that every head begins with.
base::Result<> CheckVersion(base::Decoder& in, std::string_view what, std::uint8_t newest = kFormatVersion,
                            std::uint8_t* found = nullptr) {
  const std::uint8_t version = in.U8();
  if (!in.ok()) return Damaged(what);
  if (found != nullptr) *found = version;
  if (version < kFormatVersion || version > newest) {
    return base::Error(base::Errc::kUnsupported, "the " + std::string(what) + " has format version " +
                                                     std::to_string(version) + ", which this program does not know");
  }
  return {};
}

}  // namespace

void EntryHead::EncodeTo(std::string& out) const {
  base::Encoder e(out);
  e.U8(kFormatVersion);
  e.U8(type);
  e.U8(static_cast<std::uint8_t>(cls));
  e.U8(flags);
  e.U32(checksum);
  e.U32(mail_digest);
  e.U32(meta_bytes);
  e.U32(parts);
  Reserve(e, 4);
  e.U64(body.value());
  e.U64(mail_bytes);
  e.U64(committed.value());
  if (!meta_in_body()) out.append(meta);
}

base::Result<EntryHead> EntryHead::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(CheckVersion(d, "entry head"));
  EntryHead head;
  head.type = d.U8();
  head.cls = static_cast<mail::Class>(d.U8());
  head.flags = d.U8();
  head.checksum = d.U32();
  head.mail_digest = d.U32();
  head.meta_bytes = d.U32();
  head.parts = d.U32();
  d.Raw(4);
  head.body = BodyId(d.U64());
  head.mail_bytes = d.U64();
  head.committed = Index(d.U64());
  if (!head.meta_in_body()) head.meta = d.Raw(head.meta_bytes);
  if (!d.AtEnd()) return Damaged("entry head");
  if (head.mail_in_parts() != (head.parts != 0)) return Damaged("entry head");
  return head;
}

std::uint32_t EntryHead::Checksum(std::string_view full_meta) const {
  std::string fixed;
  base::Encoder e(fixed);
  e.U8(type);
  e.U8(static_cast<std::uint8_t>(cls));
  e.U64(mail_bytes);
  e.U32(mail_digest);
  return base::Crc32c(base::AsBytes(full_meta), base::Crc32c(base::AsBytes(fixed)));
}

void EncodeExtents(const std::vector<Extent>& extents, std::string& out) {
  base::Encoder e(out);
  for (const Extent& extent : extents) {
    extent.location.EncodeTo(e);
    e.U32(extent.bytes);
    e.U32(extent.checksum);
  }
}

base::Result<std::vector<Extent>> DecodeExtents(std::string_view in, std::uint32_t count) {
  if (count > in.size() / Extent::kEncodedSize) return Damaged("extent table");
  base::Decoder d(in);
  std::vector<Extent> extents(count);
  for (Extent& extent : extents) {
    extent.location = mffs::Location::DecodeFrom(d);
    extent.bytes = d.U32();
    extent.checksum = d.U32();
  }
  return extents;
}

std::uint32_t DigestOf(const std::vector<Extent>& extents) {
  std::string checksums;
  base::Encoder e(checksums);
  for (const Extent& extent : extents) e.U32(extent.checksum);
  return base::Crc32c(base::AsBytes(checksums));
}

void PartHead::EncodeTo(std::string& out) const {
  base::Encoder e(out);
  e.U8(kFormatVersion);
  Reserve(e, 3);
  e.U32(checksum);
  e.U32(bytes);
  e.U32(part);
}

base::Result<PartHead> PartHead::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(CheckVersion(d, "part head"));
  d.Raw(3);
  PartHead head{.checksum = d.U32(), .bytes = d.U32(), .part = d.U32()};
  if (!d.AtEnd()) return Damaged("part head");
  return head;
}

std::string EncodePieceHead(PieceKind kind) {
  std::string out;
  base::Encoder e(out);
  e.U8(kFormatVersion);
  e.U8(static_cast<std::uint8_t>(kind));
  Reserve(e, 2);
  return out;
}

base::Result<PieceKind> DecodePieceHead(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(CheckVersion(d, "snapshot piece head"));
  const std::uint8_t kind = d.U8();
  d.Raw(2);
  if (!d.AtEnd() || kind > static_cast<std::uint8_t>(PieceKind::kPartBodies)) return Damaged("snapshot piece head");
  return static_cast<PieceKind>(kind);
}

std::string SnapshotEnd::EncodeHead() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kFormatVersion);
  Reserve(e, 3);
  e.U32(static_cast<std::uint32_t>(pieces.size()));
  e.U64(reached.value());
  e.U64(epoch.value());
  e.U64(bytes);
  return out;
}

std::string SnapshotEnd::EncodeBody() const {
  std::string out;
  base::Encoder e(out);
  for (const PiecePlace& piece : pieces) {
    piece.location.EncodeTo(e);
    e.U8(static_cast<std::uint8_t>(piece.kind));
  }
  return out;
}

base::Result<SnapshotEnd> SnapshotEnd::DecodeHead(std::string_view head, std::uint32_t* pieces_count) {
  base::Decoder h(head);
  RETURN_IF_ERROR(CheckVersion(h, "snapshot end"));
  h.Raw(3);
  *pieces_count = h.U32();
  SnapshotEnd end;
  end.reached = Index(h.U64());
  end.epoch = Epoch(h.U64());
  end.bytes = h.U64();
  if (!h.AtEnd()) return Damaged("snapshot end");
  return end;
}

base::Result<SnapshotEnd> SnapshotEnd::Decode(std::string_view head, std::string_view body) {
  std::uint32_t count = 0;
  ASSIGN_OR_RETURN(SnapshotEnd end, DecodeHead(head, &count));
  if (body.size() != std::size_t{count} * (mffs::Location::kEncodedSize + 1)) return Damaged("snapshot end");
  base::Decoder b(body);
  end.pieces.resize(count);
  for (PiecePlace& piece : end.pieces) {
    piece.location = mffs::Location::DecodeFrom(b);
    const std::uint8_t kind = b.U8();
    if (kind > static_cast<std::uint8_t>(PieceKind::kPartBodies)) return Damaged("snapshot end");
    piece.kind = static_cast<PieceKind>(kind);
  }
  return end;
}

std::string EncodeMoveHead(std::uint32_t count) {
  std::string out;
  base::Encoder e(out);
  e.U8(kFormatVersion);
  Reserve(e, 3);
  e.U32(count);
  return out;
}

std::string EncodeMoves(const std::vector<MovedRecord>& moves) {
  std::string out;
  out.reserve(moves.size() * MovedRecord::kEncodedSize);
  base::Encoder e(out);
  for (const MovedRecord& move : moves) {
    e.U8(move.type);
    e.U64(move.key_epoch);
    e.U64(move.key_index);
    move.from.EncodeTo(e);
    move.to.EncodeTo(e);
  }
  return out;
}

base::Result<std::vector<MovedRecord>> DecodeMoves(std::string_view head, std::string_view body) {
  base::Decoder h(head);
  RETURN_IF_ERROR(CheckVersion(h, "move head"));
  h.Raw(3);
  const std::uint32_t count = h.U32();
  if (!h.AtEnd() || body.size() != std::size_t{count} * MovedRecord::kEncodedSize) return Damaged("move");
  base::Decoder b(body);
  std::vector<MovedRecord> moves(count);
  for (MovedRecord& move : moves) {
    move.type = b.U8();
    move.key_epoch = b.U64();
    move.key_index = b.U64();
    move.from = mffs::Location::DecodeFrom(b);
    move.to = mffs::Location::DecodeFrom(b);
  }
  return moves;
}

std::string OwnerState::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(guest.empty() ? kFormatVersion : kVersionWithGuest);
  Reserve(e, 3);
  e.U32(mailbox_partitions);
  e.U32(queue_partitions);
  e.U64(settled_lsn.value());
  e.U64(scan_after.value());
  e.U32(static_cast<std::uint32_t>(partitions.size()));
  for (const PartitionState& p : partitions) {
    e.U32(p.partition.value());
    e.U64(p.epoch.value());
    e.U64(p.committed.value());
    e.U64(p.snapshot_reached.value());
    e.U64(p.snapshot_epoch.value());
    p.snapshot_end.EncodeTo(e);
  }
  if (!guest.empty()) {
    e.U32(static_cast<std::uint32_t>(guest.size()));
    out += guest;
  }
  return out;
}

base::Result<OwnerState> OwnerState::Decode(std::string_view in) {
  base::Decoder d(in);
  std::uint8_t version = 0;
  RETURN_IF_ERROR(CheckVersion(d, "log's state in the checkpoint", kVersionWithGuest, &version));
  d.Raw(3);
  OwnerState state;
  state.mailbox_partitions = d.U32();
  state.queue_partitions = d.U32();
  state.settled_lsn = mffs::Lsn(d.U64());
  state.scan_after = mffs::Lsn(d.U64());
  const std::uint32_t count = d.U32();
  if (!d.ok() || d.remaining() / kEncodedPartitionState < count) return Damaged("state in the checkpoint");
  state.partitions.resize(count);
  for (PartitionState& p : state.partitions) {
    p.partition = PartitionId(d.U32());
    p.epoch = Epoch(d.U64());
    p.committed = Index(d.U64());
    p.snapshot_reached = Index(d.U64());
    p.snapshot_epoch = Epoch(d.U64());
    p.snapshot_end = mffs::Location::DecodeFrom(d);
  }
  if (version == kVersionWithGuest) state.guest = std::string(d.Raw(d.U32()));
  if (!d.AtEnd()) return Damaged("state in the checkpoint");
  return state;
}

}  // namespace replog
