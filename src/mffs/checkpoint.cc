#include "mffs/checkpoint.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"

namespace mffs {
namespace {

constexpr std::uint8_t kRootVersion = 1;

void EncodeLocations(const std::vector<Location>& locations, base::Encoder& out) {
  out.Varint(locations.size());
  for (const Location& location : locations) location.EncodeTo(out);
}

std::vector<Location> DecodeLocations(base::Decoder& in) {
  std::vector<Location> locations;
  const std::uint64_t count = in.Varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) locations.push_back(Location::DecodeFrom(in));
  return locations;
}

// The segments of a table with some records released, which the table itself does not know yet.
std::map<std::uint32_t, Segment> Released(const SegmentTable& table, const std::vector<Location>& released) {
  std::map<std::uint32_t, Segment> segments;
  for (const Location& location : released) {
    if (!table.IsLive(location)) continue;
    Segment& segment = segments.try_emplace(location.segment, table[location.segment]).first->second;
    if (!segment.live.Set(location.ordinal, false)) continue;
    segment.live_bytes -= std::min(segment.live_bytes, PaddedRecordBytes(location.size));
    segment.changed_since_full = true;
  }
  return segments;
}

// What all entries of a table may take: a hostile root may name the same part any number of times.
std::uint64_t TableBytesMax(const Geometry& geometry) {
  constexpr std::uint64_t kEntryFixedBytes = 64;
  return geometry.segment_count * (kEntryFixedBytes + geometry.records_max() / 8 + 1);
}

async::Task<base::Result<std::string>> ReadParts(const RecordReader* reader, std::vector<Location> parts,
                                                 std::uint8_t type, std::uint64_t bytes_max) {
  std::string text;
  for (const Location& location : parts) {
    auto record = co_await reader->Read(location);
    if (!record.has_value()) co_return std::move(record).error().In("read the checkpoint");
    // No part is empty: the list would not end the reading.
    if (record->key.type != type || record->body.empty() || text.size() + record->body.size() > bytes_max) {
      co_return base::Error(base::Errc::kCorrupt, "a part of the checkpoint is something else");
    }
    text += record->body;
  }
  co_return text;
}

}  // namespace

std::string EncodeRoot(const CheckpointRoot& root) {
  std::string text;
  base::Encoder out(text);
  out.U8(kRootVersion);
  out.U64(root.number);
  out.U64(root.base_lsn.value());
  out.U32(root.segment_count);
  out.U64(root.full_number);
  EncodeLocations(root.full_parts, out);
  EncodeLocations(root.changed_parts, out);
  EncodeLocations(root.owner_parts, out);
  return text;
}

base::Result<CheckpointRoot> DecodeRoot(std::string_view body) {
  base::Decoder in(body);
  CheckpointRoot root;
  const std::uint8_t version = in.U8();
  root.number = in.U64();
  root.base_lsn = Lsn(in.U64());
  root.segment_count = in.U32();
  root.full_number = in.U64();
  root.full_parts = DecodeLocations(in);
  root.changed_parts = DecodeLocations(in);
  root.owner_parts = DecodeLocations(in);
  if (!in.AtEnd() || version != kRootVersion || root.base_lsn.value() > kLsnMax) {
    return base::Error(base::Errc::kCorrupt, "the root of the checkpoint makes no sense");
  }
  return root;
}

std::vector<Location> Checkpoint::Records() const {
  std::vector<Location> records;
  if (ref.root.IsNowhere()) return records;
  records.push_back(ref.root);
  for (const auto* parts : {&root.full_parts, &root.changed_parts, &root.owner_parts}) {
    records.insert(records.end(), parts->begin(), parts->end());
  }
  return records;
}

std::vector<std::string> CutIntoParts(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size(); at += kCheckpointPartBytes) {
    parts.emplace_back(text.substr(at, kCheckpointPartBytes));
  }
  return parts;
}

std::vector<std::string> EncodeTable(const SegmentTable& table, const std::vector<Location>& released,
                                     bool only_changed) {
  const auto replaced = Released(table, released);
  std::string text;
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    const auto found = replaced.find(i);
    const Segment& segment = found != replaced.end() ? found->second : table[i];
    // A segment that was never used is what an empty table says anyway.
    if (only_changed ? !segment.changed_since_full : segment.generation == 0) continue;
    SegmentTable::EncodeEntry(i, segment, text);
  }
  return CutIntoParts(text);
}

async::Task<base::Result<Checkpoint>> LoadCheckpoint(const RecordReader* reader, Geometry geometry, Location root) {
  Checkpoint checkpoint;
  auto record = co_await reader->Read(root);
  if (!record.has_value()) co_return std::move(record).error().In("read the root of the checkpoint");
  if (record->key.type != kTypeCheckpointRoot) {
    co_return base::Error(base::Errc::kCorrupt, "the root of the checkpoint is something else");
  }
  ASSIGN_OR_CO_RETURN(checkpoint.root, DecodeRoot(record->body));
  if (checkpoint.root.segment_count != geometry.segment_count) {
    co_return base::Error(base::Errc::kCorrupt, "the checkpoint is of a volume of another size");
  }
  checkpoint.ref = {.base_lsn = checkpoint.root.base_lsn, .root = root};
  checkpoint.table = SegmentTable(geometry);
  const std::uint64_t table_bytes_max = TableBytesMax(geometry);
  ASSIGN_OR_CO_RETURN(const std::string full,
                      co_await ReadParts(reader, checkpoint.root.full_parts, kTypeCheckpointSegments, table_bytes_max));
  CO_RETURN_IF_ERROR(checkpoint.table.DecodeEntries(full));
  ASSIGN_OR_CO_RETURN(const std::string changed, co_await ReadParts(reader, checkpoint.root.changed_parts,
                                                                    kTypeCheckpointSegments, table_bytes_max));
  CO_RETURN_IF_ERROR(checkpoint.table.DecodeEntries(changed));
  ASSIGN_OR_CO_RETURN(checkpoint.owner_state, co_await ReadParts(reader, checkpoint.root.owner_parts,
                                                                 kTypeCheckpointOwner, kOwnerStateBytesMax));
  co_return checkpoint;
}

}  // namespace mffs
