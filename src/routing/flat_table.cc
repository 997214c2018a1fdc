#include "routing/flat_table.h"

#include <functional>

#include "base/bytes.h"
#include "base/check.h"

namespace routing {
namespace {

constexpr std::size_t kHeadBytes = 2 + 4 + 2 + 4;  // Key size, value size, file, line.
constexpr std::size_t kSlotsMin = 16;

}  // namespace

std::optional<FlatTable::Entry> FlatTable::Add(std::string_view key, std::string_view value, Origin origin) {
  CHECK(key.size() <= kKeyBytesMax);
  CHECK(bytes_.size() + CostOf(key, value) < kBytesMax);
  if (4 * (size_ + 1) > 3 * slots_.size()) Grow();
  const std::size_t slot = SlotOf(key);
  if (slots_[slot] != 0) return EntryAt(slots_[slot] - 1);
  slots_[slot] = static_cast<std::uint32_t>(bytes_.size()) + 1;
  char head[kHeadBytes];
  base::StoreLe(head, static_cast<std::uint16_t>(key.size()));
  base::StoreLe(head + 2, static_cast<std::uint32_t>(value.size()));
  base::StoreLe(head + 6, origin.file);
  base::StoreLe(head + 8, origin.line);
  bytes_.append(head, kHeadBytes).append(key).append(value);
  size_ += 1;
  return std::nullopt;
}

std::uint64_t FlatTable::CostOf(std::string_view key, std::string_view value) {
  return kHeadBytes + key.size() + value.size();
}

void FlatTable::Seal() {
  bytes_.shrink_to_fit();
}

std::optional<FlatTable::Entry> FlatTable::Find(std::string_view key) const {
  if (size_ == 0) return std::nullopt;
  const std::size_t slot = SlotOf(key);
  if (slots_[slot] == 0) return std::nullopt;
  return EntryAt(slots_[slot] - 1);
}

FlatTable::Entry FlatTable::EntryAt(std::size_t at) const {
  const char* const head = bytes_.data() + at;
  const auto key_size = base::LoadLe<std::uint16_t>(head);
  const auto value_size = base::LoadLe<std::uint32_t>(head + 2);
  return {.key = {head + kHeadBytes, key_size},
          .value = {head + kHeadBytes + key_size, value_size},
          .origin = {.file = base::LoadLe<std::uint16_t>(head + 6), .line = base::LoadLe<std::uint32_t>(head + 8)}};
}

std::size_t FlatTable::SlotOf(std::string_view key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>()(key) & mask;
  while (slots_[slot] != 0 && EntryAt(slots_[slot] - 1).key != key) slot = (slot + 1) & mask;
  return slot;
}

void FlatTable::Grow() {
  std::vector<std::uint32_t> old(slots_.empty() ? kSlotsMin : 2 * slots_.size());
  old.swap(slots_);
  for (const std::uint32_t position : old) {
    if (position != 0) slots_[SlotOf(EntryAt(position - 1).key)] = position;
  }
}

}  // namespace routing
