#include "imap/proto/sequence_set.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;

// nz-number or "*"; "*" is returned as `star`.
Result<std::uint32_t> ParseNumber(std::string_view text, std::uint32_t star) {
  if (text == "*") return star;
  std::uint32_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc() || end != text.data() + text.size() || number == 0) {
    return Error(Errc::kInvalid, "a message set is made of numbers from 1 to 4294967295, ':', ',' and '*'");
  }
  return number;
}

}  // namespace

Result<SequenceSet> SequenceSet::Parse(std::string_view text, std::size_t ranges_max) {
  SequenceSet set;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    const std::size_t colon = item.find(':');
    ASSIGN_OR_RETURN(const std::uint32_t from, ParseNumber(item.substr(0, colon), kStar));
    std::uint32_t to = from;
    if (colon != std::string_view::npos) {
      ASSIGN_OR_RETURN(to, ParseNumber(item.substr(colon + 1), kStar));
    }
    if (set.items_.size() == ranges_max) {
      return Error(Errc::kInvalid,
                   fmt::format("a message set may have at most {} ranges; send several commands", ranges_max));
    }
    set.items_.push_back({from, to});
    if (comma == std::string_view::npos) return set;
    text.remove_prefix(comma + 1);
  }
}

std::vector<NumberRange> SequenceSet::Resolve(std::uint32_t largest) const {
  std::vector<NumberRange> ranges;
  ranges.reserve(items_.size());
  for (const Item& item : items_) {
    const std::uint32_t from = item.from == kStar ? largest : item.from;
    const std::uint32_t to = item.to == kStar ? largest : item.to;
    if (from == 0 || to == 0) continue;
    ranges.push_back({std::min(from, to), std::max(from, to)});
  }
  std::ranges::sort(ranges, {}, &NumberRange::first);
  std::vector<NumberRange> merged;
  for (const NumberRange& range : ranges) {
    if (!merged.empty() && range.first <= std::uint64_t{merged.back().last} + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

bool Contains(std::span<const NumberRange> ranges, std::uint32_t number) {
  const auto after = std::ranges::upper_bound(ranges, number, {}, &NumberRange::first);
  return after != ranges.begin() && number <= std::prev(after)->last;
}

std::string FormatNumbers(std::span<const std::uint32_t> numbers) {
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    if (!out.empty()) out.push_back(',');
    fmt::format_to(std::back_inserter(out), "{}", numbers[i]);
    if (end - i > 1) fmt::format_to(std::back_inserter(out), ":{}", numbers[end - 1]);
    i = end;
  }
  return out;
}

}  // namespace imap
