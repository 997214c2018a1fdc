// Opening RocksDB for the store: options, format version, rebuild of what cannot be used; and its errors as ours.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>

#include "base/result.h"
#include "replog/types.h"
#include "store/keys.h"

namespace store {

// Times below which rows of kind kDirectId may be dropped by compaction, by mailbox partition. Written by the apply
// worker, read by RocksDB's threads.
struct IdHorizons {
  static constexpr std::uint32_t kPartitionsMax = 65'536;  // As many as slots.
  std::vector<std::atomic<std::int64_t>> us{std::vector<std::atomic<std::int64_t>>(kPartitionsMax)};
};

// The database in the store's folder. Owned by the store's engine. Thread: RocksDB's rules; opened and closed off the
// hot path.
class Index {
 public:
  static constexpr std::uint32_t kFormatVersion = 2;
  static constexpr std::uint32_t kFormatWithoutQuotas = 1;  // Is made the newest when it is opened.

  // Opens or makes it. A damaged database and one of an unknown format version are removed, with one line in the log:
  // the log rebuilds them. Errors: kIo (the folder cannot be made or written, or another process holds it).
  static base::Result<std::unique_ptr<Index>> Open(const std::string& folder, std::uint64_t memory_bytes);
  ~Index();

  rocksdb::DB& db() { return *db_; }
  IdHorizons& horizons() { return horizons_; }

 private:
  explicit Index(std::uint64_t memory_bytes);
  rocksdb::Status OpenDatabase(const std::string& folder);
  rocksdb::Status Upgrade();

  IdHorizons horizons_;
  std::unique_ptr<rocksdb::CompactionFilter> id_filter_;
  rocksdb::Options options_;
  std::unique_ptr<rocksdb::DB> db_;
};

// Where the format version stands, as text.
RowKey IndexVersionKey();

// Without the WAL: what is lost in a crash comes again from the log.
rocksdb::WriteOptions UnloggedWrites();

base::Error ToError(const rocksdb::Status& status, std::string_view doing);

}  // namespace store
