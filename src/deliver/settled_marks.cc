#include "deliver/settled_marks.h"

#include <algorithm>

namespace deliver {
namespace {

// An exception costs about two bytes of the entry, and an id that is kept about twenty of the index: news should pay.
constexpr std::uint64_t kStepPerException = 8;

}  // namespace

std::optional<store::Settled> SettledMarks::News(replog::PartitionId mailboxes, replog::PartitionId from) {
  Mark& mark = marks_[{mailboxes, from}];
  const replog::Index last = queue_->LastApplied(from);
  if (mark.known && last.value() < mark.looked_at.value() + options_.step) return std::nullopt;
  mark.looked_at = last;
  mark.known = true;
  queue::SettledMail settled = queue_->Settled(from, options_.except_max);
  const std::uint64_t worth = std::max<std::uint64_t>(1, settled.except.size() * kStepPerException);
  if (settled.below.value() < mark.told.value() + worth) return std::nullopt;
  return store::Settled{.queue_partition = from, .below = settled.below, .except = std::move(settled.except)};
}

void SettledMarks::Told(replog::PartitionId mailboxes, const store::Settled& settled) {
  Mark& mark = marks_[{mailboxes, settled.queue_partition}];
  mark.told = std::max(mark.told, settled.below);
}

}  // namespace deliver
