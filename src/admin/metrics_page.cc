#include "admin/metrics_page.h"

#include <fmt/format.h>

namespace admin {
namespace {

// The next line of `text`, which loses it.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

std::map<std::string, std::string> ExposedMetrics(std::string_view exposition) {
  constexpr std::string_view kType = "# TYPE ";
  std::map<std::string, std::string> metrics;
  while (!exposition.empty()) {
    std::string_view line = TakeLine(exposition);
    if (!line.starts_with(kType)) continue;
    line.remove_prefix(kType.size());
    const std::size_t space = line.find(' ');
    metrics.emplace(line.substr(0, space), line.substr(space + 1));
  }
  return metrics;
}

std::map<std::string, std::string> DocumentedMetrics(std::string_view page) {
  constexpr std::string_view kRow = "| `posthorn_";
  constexpr std::string_view kCellEnd = "` | ";
  std::map<std::string, std::string> metrics;
  while (!page.empty()) {
    std::string_view line = TakeLine(page);
    if (!line.starts_with(kRow)) continue;
    line.remove_prefix(std::string_view("| `").size());
    const std::size_t end = line.find(kCellEnd);
    if (end == std::string_view::npos) continue;
    const std::string_view rest = line.substr(end + kCellEnd.size());
    metrics.emplace(line.substr(0, end), rest.substr(0, rest.find(' ')));
  }
  return metrics;
}

std::vector<std::string> MetricsPageFaults(std::string_view page, std::string_view exposition, bool is_whole) {
  const auto documented = DocumentedMetrics(page);
  const auto exposed = ExposedMetrics(exposition);
  std::vector<std::string> faults;
  for (const auto& [name, type] : exposed) {
    const auto row = documented.find(name);
    if (row == documented.end()) {
      faults.push_back(fmt::format("{} has no row in docs/metrics.md", name));
    } else if (row->second != type) {
      faults.push_back(fmt::format("{} is a {}, docs/metrics.md calls it a {}", name, type, row->second));
    }
  }
  for (const auto& [name, type] : documented) {
    if (is_whole && !exposed.contains(name))
      faults.push_back(fmt::format("docs/metrics.md has {}, the code has not", name));
  }
  return faults;
}

}  // namespace admin
