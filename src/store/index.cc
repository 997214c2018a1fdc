#include "store/index.h"

#include <algorithm>
#include <filesystem>

#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include "base/log.h"
#include "store/keys.h"
#include "store/quota_rows.h"

namespace store {

namespace {

// Compaction ignores RocksDB's snapshots here, so an id is dropped only this long after it stopped to count: longer
// than a snapshot of a partition is read.
constexpr std::int64_t kDropLaterUs = std::int64_t{6} * 3600 * 1'000'000;

class ExpiredIdFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiredIdFilter(const IdHorizons* horizons) : horizons_(horizons) {}
  const char* Name() const override { return "posthorn.ExpiredIdFilter"; }
  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*, bool*) const override {
    if (!IsDirectIdKey(key.ToStringView())) return false;
    const std::uint32_t partition = KeyU32(key.ToStringView(), 0);
    if (partition >= IdHorizons::kPartitionsMax || value.size() != sizeof(std::int64_t)) return false;
    const std::int64_t horizon = horizons_->us[partition].load(std::memory_order_relaxed);
    return horizon != 0 && base::LoadLe<std::int64_t>(value.data()) < horizon - kDropLaterUs;
  }

 private:
  const IdHorizons* horizons_;
};

rocksdb::Options MakeOptions(std::uint64_t memory_bytes, const rocksdb::CompactionFilter* filter) {
  rocksdb::Options options;
  options.create_if_missing = true;
  // Many small memtables, merged four at a time: an insertion costs half as much in one that stays in the processor's
  // cache, and files do not become small by it.
  options.write_buffer_size = std::clamp<std::uint64_t>(memory_bytes / 16, 256u << 10, 4u << 20);
  options.min_write_buffer_number_to_merge = 4;
  options.max_write_buffer_number = 8;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.compaction_filter = filter;
  options.allow_concurrent_memtable_write = false;  // One writer.
  options.memtable_whole_key_filtering = true;      // A delivery id is nearly always new.
  options.memtable_prefix_bloom_size_ratio = 0.05;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1u << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  const auto compressions = rocksdb::GetSupportedCompressions();
  const bool has_lz4 = std::ranges::find(compressions, rocksdb::kLZ4Compression) != compressions.end();
  options.compression = has_lz4 ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  // Few threads: one part of the cache is enough, and large enough for a filter.
  table.block_cache = rocksdb::NewLRUCache(std::max<std::uint64_t>(memory_bytes / 2, 1u << 20), 1);
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // Filters in pieces: a delivery asks for one id, and needs the filter of its neighbourhood in the cache, not that of
  // a whole file.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

// Whether the database may be thrown away for this: damage, not a full disk or a lock held elsewhere.
bool IsDamage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsNotSupported() || status.IsInvalidArgument();
}

}  // namespace

Index::Index(std::uint64_t memory_bytes)
    : id_filter_(std::make_unique<ExpiredIdFilter>(&horizons_)),
      options_(MakeOptions(memory_bytes, id_filter_.get())) {}

Index::~Index() {
  // Closing flushes the memtables, since the WAL is off; the destructor can only report.
  if (db_ == nullptr) return;
  const rocksdb::Status status = db_->Close();
  if (!status.ok()) {
    base::LogWarning("index_close_failed",
                     {{"error", status.ToString()}, {"note", "the next start reads more of the log"}});
  }
}

base::Result<std::unique_ptr<Index>> Index::Open(const std::string& folder, std::uint64_t memory_bytes) {
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  if (made) return base::ErrnoError("make the index folder " + folder, made.value());
  std::unique_ptr<Index> index(new Index(memory_bytes));
  rocksdb::Status status = index->OpenDatabase(folder);
  if (IsDamage(status)) {
    base::LogWarning("index_dropped",
                     {{"folder", folder}, {"reason", status.ToString()}, {"note", "it is rebuilt from the log"}});
    index->db_.reset();
    status = rocksdb::DestroyDB(folder, index->options_);
    if (status.ok()) status = index->OpenDatabase(folder);
  }
  if (!status.ok()) return ToError(status, "open the index in " + folder);
  return index;
}

rocksdb::Status Index::OpenDatabase(const std::string& folder) {
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options_, folder, &db);
  if (!status.ok()) return status;
  db_.reset(db);
  std::string version;
  status = db_->Get(rocksdb::ReadOptions(), IndexVersionKey().text(), &version);
  if (status.ok()) {
    if (version == std::to_string(kFormatVersion)) return status;
    if (version == std::to_string(kFormatWithoutQuotas)) return Upgrade();
    return rocksdb::Status::NotSupported("index format version " + version + ", this program reads " +
                                         std::to_string(kFormatVersion));
  }
  if (!status.IsNotFound()) return status;
  const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(rocksdb::ReadOptions()));
  rows->SeekToFirst();
  if (rows->Valid()) return rocksdb::Status::NotSupported("rows without a format version");
  if (!rows->status().ok()) return rows->status();
  return db_->Put(UnloggedWrites(), IndexVersionKey().text(), std::to_string(kFormatVersion));
}

// The version last: what a crash leaves of an upgrade is made again.
rocksdb::Status Index::Upgrade() {
  const auto added = AddQuotaRows(*db_);
  if (!added.has_value()) return rocksdb::Status::IOError(added.error().message());
  return db_->Put(UnloggedWrites(), IndexVersionKey().text(), std::to_string(kFormatVersion));
}

// Not a partition's: mailbox partitions stay below 2^31 and queue partitions do not live here.
RowKey IndexVersionKey() {
  return RowKey(replog::PartitionId(UINT32_MAX), RowKind::kPartition);
}

rocksdb::WriteOptions UnloggedWrites() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

base::Error ToError(const rocksdb::Status& status, std::string_view doing) {
  const auto code = status.IsCorruption() ? base::Errc::kCorrupt
                    : status.IsNoSpace()  ? base::Errc::kNoSpace
                                          : base::Errc::kIo;
  return base::Error(code, std::string(doing) + ": " + status.ToString());
}

}  // namespace store
