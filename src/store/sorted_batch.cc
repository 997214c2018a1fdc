#include "store/sorted_batch.h"

#include <algorithm>

#include "base/check.h"
#include "store/index.h"

namespace store {

void SortedBatch::Put(std::string_view key, std::string_view value) {
  Add(Kind::kPut, key, value);
}

void SortedBatch::Delete(std::string_view key) {
  Add(Kind::kDelete, key, {});
}

void SortedBatch::DeleteRange(std::string_view first, std::string_view end) {
  has_ranges_ = true;
  Add(Kind::kDeleteRange, first, end);
}

void SortedBatch::Add(Kind kind, std::string_view key, std::string_view value) {
  CHECK(text_.size() + key.size() + value.size() <= UINT32_MAX);
  operations_.push_back({.kind = kind,
                         .offset = static_cast<std::uint32_t>(text_.size()),
                         .key_bytes = static_cast<std::uint32_t>(key.size()),
                         .value_bytes = static_cast<std::uint32_t>(value.size())});
  text_.append(key);
  text_.append(value);
}

rocksdb::Status SortedBatch::WriteTo(rocksdb::DB& db) {
  if (!has_ranges_) {
    // Rows of one key keep the order of their calls.
    std::ranges::sort(operations_, [this](const Operation& a, const Operation& b) {
      const int order = KeyOf(a).compare(KeyOf(b));
      return order < 0 || (order == 0 && a.offset < b.offset);
    });
  }
  rocksdb::Status status;
  for (const Operation& operation : operations_) {
    const std::string_view key = KeyOf(operation);
    const std::string_view value =
        std::string_view(text_).substr(operation.offset + operation.key_bytes, operation.value_bytes);
    if (operation.kind == Kind::kPut) status = batch_.Put({key.data(), key.size()}, {value.data(), value.size()});
    if (operation.kind == Kind::kDelete) status = batch_.Delete({key.data(), key.size()});
    if (operation.kind == Kind::kDeleteRange)
      status = batch_.DeleteRange({key.data(), key.size()}, {value.data(), value.size()});
    if (!status.ok()) break;
  }
  if (status.ok()) status = db.Write(UnloggedWrites(), &batch_);
  batch_.Clear();
  operations_.clear();
  text_.clear();
  has_ranges_ = false;
  return status;
}

}  // namespace store
