// SortedBatch: a RocksDB write batch whose rows are handed over in the order of their keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace store {

// A memtable remembers where its last row went: a row beside it costs a fraction of one anywhere else. Sorting is cheap
// against that. Thread: the apply worker. Without the WAL.
class SortedBatch {
 public:
  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  // Keys in [first, end). A batch with ranges keeps the order of its calls.
  void DeleteRange(std::string_view first, std::string_view end);

  bool empty() const { return operations_.empty(); }
  // Writes all at once, or nothing. Empty afterwards.
  rocksdb::Status WriteTo(rocksdb::DB& db);

 private:
  enum class Kind : std::uint8_t { kPut, kDelete, kDeleteRange };
  struct Operation {
    Kind kind = Kind::kPut;
    std::uint32_t offset = 0;  // In text_: the key, then the value or the range's end.
    std::uint32_t key_bytes = 0;
    std::uint32_t value_bytes = 0;
  };
  void Add(Kind kind, std::string_view key, std::string_view value);
  std::string_view KeyOf(const Operation& operation) const {
    return std::string_view(text_).substr(operation.offset, operation.key_bytes);
  }

  std::string text_;
  std::vector<Operation> operations_;
  bool has_ranges_ = false;
  rocksdb::WriteBatch batch_;
};

}  // namespace store
