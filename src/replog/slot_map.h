// The slot of an address and the partition of a slot: part of the format (docs/format/replog.md "Partitions and
// slots").
#pragma once

#include <cstdint>
#include <string_view>

#include "base/crc32c.h"
#include "replog/types.h"

namespace replog {

inline constexpr std::uint32_t kSlotCount = 65'536;

// Hash version 1.
inline std::uint32_t SlotOf(std::string_view canonical_address) {
  return base::Crc32c(base::AsBytes(canonical_address)) >> 16;
}

// Slots in ranges of equal size, as far as they go.
inline PartitionId MailboxPartitionOfSlot(std::uint32_t slot, std::uint32_t partition_count) {
  return PartitionId(static_cast<std::uint32_t>(std::uint64_t{slot} * partition_count / kSlotCount));
}

}  // namespace replog
