#include "mffs/log_order.h"

#include <algorithm>

namespace mffs {
namespace {
constexpr std::size_t kMissingMax = 1000;  // More are not listed one by one.
}  // namespace

void LogOrder::Add(const BlockHeader& header, std::uint32_t segment, bool is_damaged) {
  const Found found{segment, header.generation, is_damaged, (header.flags & BlockHeader::kRewritten) != 0};
  const auto [at, is_new] = found_.emplace(header.lsn, found);
  // A second try counts, unless its write was cut: then the first one may be whole.
  if (!is_new) {
    const bool better = at->second.is_damaged != is_damaged ? at->second.is_damaged : found.is_rewritten;
    if (better) at->second = found;
  }
  voids_[header.mount_first] = header.mount_cut;
  durable_ = std::max({durable_, header.commit_lsn, header.mount_cut});
  highest_ = std::max({highest_, header.lsn, header.mount_first});
}

std::optional<Lsn> LogOrder::EndOfVoid(Lsn lsn) const {
  for (auto it = voids_.upper_bound(lsn); it != voids_.end(); ++it) {
    if (it->second < lsn) return it->first;
  }
  return std::nullopt;
}

void LogOrder::Decide() {
  highest_ = std::max(highest_, durable_);
  cut_ = floor_;
  missing_.clear();
  for (Lsn lsn = floor_.Next();;) {
    const auto end_of_void = EndOfVoid(lsn);
    if (end_of_void.has_value()) {
      lsn = *end_of_void;
      continue;
    }
    const auto found = found_.find(lsn);
    if (lsn <= durable_) {
      if (found == found_.end()) missing_.push_back(lsn);
      if (missing_.size() > kMissingMax) lsn = durable_;
    } else if (found == found_.end() || found->second.is_damaged) {
      break;
    }
    cut_ = lsn;
    lsn = lsn.Next();
  }
}

bool LogOrder::IsAccepted(const BlockHeader& header, std::uint32_t segment) const {
  if (header.lsn > cut_ || EndOfVoid(header.lsn).has_value()) return false;
  const Found& found = found_.at(header.lsn);
  return found.segment == segment && found.generation == header.generation;
}

bool LogOrder::IsSettled(const BlockHeader& header) const {
  return header.lsn <= cut_;
}

}  // namespace mffs
