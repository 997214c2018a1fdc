// Compares docs/metrics.md with the metrics of a registry, for tests.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace admin {

// Family name -> type, by the "# TYPE" lines of an OpenMetrics exposition (base::MetricsRegistry::Render).
std::map<std::string, std::string> ExposedMetrics(std::string_view exposition);

// Family name -> type, by the rows "| `name` | type | ..." of docs/metrics.md.
std::map<std::string, std::string> DocumentedMetrics(std::string_view page);

// A sentence for each exposed metric that the page lacks or calls by another type. With `is_whole`, for each metric of
// the page that is not exposed, too.
std::vector<std::string> MetricsPageFaults(std::string_view page, std::string_view exposition, bool is_whole);

}  // namespace admin
