#include "mffs/finding.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace mffs {

std::string_view ToString(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kDamage:
      return "damage";
  }
  return "unknown";
}

void Findings::Add(Finding finding) {
  ++counts_[static_cast<std::size_t>(finding.severity)];
  if (kept_.size() < kept_max_) {
    kept_.push_back(std::move(finding));
  } else {
    ++left_out_;
  }
}

void Findings::Sort() {
  std::ranges::sort(kept_, [](const Finding& a, const Finding& b) {
    return std::tie(b.severity, a.segment, a.offset, a.partition, a.index, a.sentence) <
           std::tie(a.severity, b.segment, b.offset, b.partition, b.index, b.sentence);
  });
}

}  // namespace mffs
