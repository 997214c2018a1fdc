#include "store/snapshot.h"

#include <memory>
#include <utility>

#include "store/index.h"
#include "store/quota_rows.h"

namespace store {

SnapshotRows::SnapshotRows(rocksdb::DB* db, replog::PartitionId partition, const PartitionRow& state)
    : db_(db),
      partition_(partition),
      state_(state),
      snapshot_(db->GetSnapshot()),
      next_key_(RowKey(partition).text()) {}

SnapshotRows::~SnapshotRows() {
  db_->ReleaseSnapshot(snapshot_);
}

base::Result<std::string> SnapshotRows::NextPiece() {
  std::string piece;
  if (ended_) return piece;
  base::Encoder out(piece);
  out.U8(kSnapshotVersion);
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_;
  options.fill_cache = false;
  const std::string prefix = RowKey(partition_).text();
  const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(options));
  if (watermarks_.empty()) {
    const std::string marks = RowKey(partition_, RowKind::kWatermark).text();
    for (rows->Seek(marks); rows->Valid() && rows->key().starts_with(marks); rows->Next()) {
      base::Decoder in(rows->value().ToStringView());
      Watermark mark;
      if (rows->key().size() != kFieldsOffset + 4 || !mark.DecodeFrom(in)) continue;
      watermarks_[KeyU32(rows->key().ToStringView(), kFieldsOffset)] = std::move(mark);
    }
  }
  for (rows->Seek(next_key_); rows->Valid() && rows->key().starts_with(prefix); rows->Next()) {
    const std::string_view key = rows->key().ToStringView();
    const std::string_view value = rows->value().ToStringView();
    if (IsLeftOut(key, value)) continue;
    if (piece.size() > 1 && piece.size() + key.size() + value.size() + 8 > kSnapshotPieceBytes) {
      next_key_ = key;
      return piece;
    }
    out.Text(key.substr(prefix.size()));
    out.Text(value);
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  ended_ = true;
  return piece.size() > 1 ? piece : std::string();
}

bool SnapshotRows::IsLeftOut(std::string_view key, std::string_view value) {
  if (IsDirectIdKey(key)) {
    return value.size() == sizeof(std::int64_t) && base::LoadLe<std::int64_t>(value.data()) < state_.ids_horizon_us;
  }
  switch (static_cast<RowKind>(key[kKindOffset])) {
    case RowKind::kRelease:
      return true;
    case RowKind::kQueuedId: {
      if (key.size() != kQueuedIdKeyBytes) return false;
      const auto mark = watermarks_.find(KeyU32(key, kFieldsOffset));
      return mark != watermarks_.end() && mark->second.IsSettled(KeyU64(key, kFieldsOffset + 4));
    }
    default:
      return false;
  }
}

void SnapshotLoader::Begin(Changeset& changes, replog::PartitionId partition) {
  partition_ = partition;
  state_.reset();
  changes.DeletePrefix(RowKey(partition));
  changes.ForgetPartition(partition);
}

base::Result<> SnapshotLoader::Load(Changeset& changes, std::string_view piece) {
  base::Decoder in(piece);
  if (in.U8() != kSnapshotVersion) {
    return base::Error(base::Errc::kUnsupported, "the snapshot of partition " + std::to_string(partition_.value()) +
                                                     " has another version: start the version that wrote it");
  }
  while (in.ok() && in.remaining() > 0) {
    const std::string_view key = in.Text();
    const std::string_view value = in.Text();
    if (!in.ok() || key.empty()) break;
    if (key[0] == static_cast<char>(RowKind::kPartition)) {
      state_ = value;
    } else {
      changes.Put(RowKey(partition_).Text(key), value);
    }
  }
  if (!in.AtEnd()) {
    return base::Error(base::Errc::kCorrupt,
                       "the snapshot of partition " + std::to_string(partition_.value()) + " cannot be read");
  }
  return changes.Flush();
}

base::Result<> SnapshotLoader::End(Changeset& changes) {
  // Usage is counted anew: an older program wrote none, and a repair may have left mail out.
  RETURN_IF_ERROR(CountUsage(changes.db(), partition_, [&](std::uint32_t account, const Usage& usage) {
    const RowKey key = QuotaKey(partition_, account);
    QuotaRow row = changes.GetRow<QuotaRow>(key).value_or(QuotaRow());
    row.usage = usage;
    changes.PutRow(key, row);
  }));
  if (state_.has_value()) changes.Put(RowKey(partition_, RowKind::kPartition), *std::exchange(state_, std::nullopt));
  changes.ForgetPartition(partition_);
  return changes.Flush();
}

}  // namespace store
