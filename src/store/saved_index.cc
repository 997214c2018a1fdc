#include "store/saved_index.h"

#include <cstdarg>
#include <filesystem>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "store/index.h"
#include "store/queries.h"
#include "store/snapshot.h"

namespace store {
namespace {

constexpr int kOpenFilesMax = 256;
constexpr std::size_t kRowOverheadMax = 8;  // The lengths of key and value.

// RocksDB would write a log file into the folder.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, std::va_list) override {}
};

}  // namespace

struct SavedIndex::Parts {
  std::unique_ptr<rocksdb::DB> db;
};

SavedIndex::SavedIndex(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SavedIndex::~SavedIndex() = default;

base::Result<std::unique_ptr<SavedIndex>> SavedIndex::Open(const std::string& folder) {
  if (!std::filesystem::exists(std::filesystem::path(folder) / "CURRENT")) {
    return base::Error(base::Errc::kNotFound, "there is no index in " + folder);
  }
  rocksdb::Options options;
  options.max_open_files = kOpenFilesMax;
  options.info_log = std::make_shared<NoLog>();  // Owners: RocksDB's parts.
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, folder, &db);
  if (!status.ok()) return ToError(status, "open the index in " + folder);
  auto parts = std::make_unique<Parts>();
  parts->db.reset(db);
  const auto version = ReadView(db).Get(IndexVersionKey());
  // An older one has no rows of quotas, which are counted when a snapshot is loaded.
  const auto is_version = [&version](std::uint32_t known) {
    return version.has_value() && *version == std::to_string(known);
  };
  if (!is_version(Index::kFormatVersion) && !is_version(Index::kFormatWithoutQuotas)) {
    return base::Error(base::Errc::kUnsupported, "the index in " + folder + " is of another format version");
  }
  return std::unique_ptr<SavedIndex>(new SavedIndex(std::move(parts)));
}

base::Result<SavedState> SavedIndex::StateOf(replog::PartitionId partition) const {
  ASSIGN_OR_RETURN(const auto row,
                   ReadView(parts_->db.get()).GetRow<PartitionRow>(RowKey(partition, RowKind::kPartition)));
  return SavedState{.epoch = replog::Epoch(row.epoch),
                    .index = replog::Index(row.index),
                    .snapshot = replog::Index(row.snapshot_index)};
}

base::Result<std::vector<std::string>> SavedIndex::PiecesOf(replog::PartitionId partition) const {
  std::vector<std::string> pieces;
  const std::string prefix = RowKey(partition).text();
  const std::unique_ptr<rocksdb::Iterator> rows(parts_->db->NewIterator(rocksdb::ReadOptions()));
  for (rows->Seek(prefix); rows->Valid() && rows->key().starts_with(prefix); rows->Next()) {
    const std::string_view key = rows->key().ToStringView().substr(prefix.size());
    const std::string_view value = rows->value().ToStringView();
    const bool is_full =
        pieces.empty() || pieces.back().size() + key.size() + value.size() + kRowOverheadMax > kSnapshotPieceBytes;
    if (is_full) pieces.emplace_back(1, static_cast<char>(kSnapshotVersion));
    base::Encoder out(pieces.back());
    out.Text(key);
    out.Text(value);
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return pieces;
}

}  // namespace store
