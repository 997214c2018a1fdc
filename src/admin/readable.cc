#include "admin/readable.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace admin {

std::string ReadableBytes(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.96 would be printed as "1024.0".
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string ReadableDuration(std::chrono::seconds duration) {
  constexpr std::pair<std::int64_t, std::string_view> kUnits[] = {{86'400, "d"}, {3'600, "h"}, {60, "min"}, {1, "s"}};
  const std::int64_t seconds = std::max<std::int64_t>(duration.count(), 0);
  for (const auto& [length, name] : kUnits) {
    // Two of a unit at least: "90 min" tells more than "1 h".
    if (seconds >= 2 * length) return fmt::format("{} {}", seconds / length, name);
  }
  return fmt::format("{} s", seconds);
}

}  // namespace admin
