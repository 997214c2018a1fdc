// Snapshots of a partition: its rows as pieces, and back. docs/format/store.md "Snapshots".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <rocksdb/db.h>

#include "base/result.h"
#include "replog/types.h"
#include "store/changeset.h"

namespace store {

inline constexpr std::size_t kSnapshotPieceBytes = 256u << 10;
inline constexpr std::uint8_t kSnapshotVersion = 1;

// Reads the rows of one partition as of its construction, piece by piece.
// Thread: constructed on the apply worker; NextPiece() and the destructor on any one thread at a time. Borrows the
// database. Rows that are only bookkeeping of one index (the release journal), or whose deletion merely lags (settled
// and expired delivery ids), are left out: equal states give equal pieces.
class SnapshotRows {
 public:
  SnapshotRows(rocksdb::DB* db, replog::PartitionId partition, const PartitionRow& state);
  ~SnapshotRows();
  SnapshotRows(const SnapshotRows&) = delete;
  SnapshotRows& operator=(const SnapshotRows&) = delete;

  // The index that the rows include.
  replog::Index reached() const { return replog::Index(state_.index); }

  // Empty text: there is no more.
  base::Result<std::string> NextPiece();

 private:
  bool IsLeftOut(std::string_view key, std::string_view value);

  rocksdb::DB* db_;
  replog::PartitionId partition_;
  PartitionRow state_;
  const rocksdb::Snapshot* snapshot_;
  std::string next_key_;
  bool ended_ = false;
  std::unordered_map<std::uint32_t, Watermark> watermarks_;
};

// Puts a snapshot's pieces into the index. Thread: the apply worker.
class SnapshotLoader {
 public:
  // The partition's rows go first. Nothing counts as applied until End.
  void Begin(Changeset& changes, replog::PartitionId partition);
  base::Result<> Load(Changeset& changes, std::string_view piece);
  base::Result<> End(Changeset& changes);

 private:
  replog::PartitionId partition_;
  std::optional<std::string> state_;  // The partition's own row: written last.
};

}  // namespace store
