#include "routing/problem.h"

#include <fmt/format.h>

namespace routing {

std::string Problem::ToString() const {
  return line == 0 ? fmt::format("{}: {}", where, text) : fmt::format("{}:{}: {}", where, line, text);
}

void Problems::Add(std::string_view where, std::uint32_t line, std::string text) {
  count_ += 1;
  if (kept_.size() < kept_max_) kept_.push_back({std::string(where), line, std::move(text)});
}

}  // namespace routing
