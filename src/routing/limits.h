// How much the tables of addresses may hold, and how far an address may expand.
#pragma once

#include <cstdint>

namespace routing {

struct Limits {
  std::uint64_t file_bytes_max = 256u << 20;
  std::uint64_t table_bytes_max = 1u << 30;  // Keys and values of one table in memory.
  std::uint32_t entries_max = 1'000'000;     // Of all files together.
  std::uint32_t line_bytes_max = 1u << 20;   // Of a line with the lines that continue it.
  std::uint32_t targets_max = 10'000;        // Of one entry, those of its included files too.
  std::uint32_t includes_max = 10'000;       // Files that entries include.
  std::uint32_t networks_max = 1'000;
  std::uint32_t depth_max = 20;         // Entries that lead to each other, one behind the other.
  std::uint32_t recipients_max = 1000;  // What one address may expand to.
  std::uint32_t problems_max = 100;     // Told in full.
};

}  // namespace routing
