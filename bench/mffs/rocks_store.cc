#include <rocksdb/db.h>

#include "base/bytes.h"
#include "peers.h"

namespace bench {
namespace {

class RocksStore final : public BlockingStore {
 public:
  explicit RocksStore(rocksdb::DB* db) : db_(db) { durable_.sync = true; }

  base::Result<> Store(std::uint32_t writer, std::uint64_t number, std::string_view mail) override {
    char key[12];
    base::StoreLe(key, writer);
    base::StoreLe(key + 4, number);
    const rocksdb::Status status =
        db_->Put(durable_, rocksdb::Slice(key, sizeof key), rocksdb::Slice(mail.data(), mail.size()));
    if (!status.ok()) return base::Error(base::Errc::kIo, "RocksDB: " + status.ToString());
    return {};
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions durable_;
};

}  // namespace

base::Result<std::unique_ptr<BlockingStore>> OpenRocksStore(const std::string& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = std::size_t{256} << 20;
  options.max_write_buffer_number = 4;
  options.enable_blob_files = true;
  options.min_blob_size = 1024;
  options.avoid_flush_during_shutdown = true;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, folder, &db);
  if (!status.ok()) return base::Error(base::Errc::kIo, "open RocksDB: " + status.ToString());
  return std::make_unique<RocksStore>(db);
}

}  // namespace bench
