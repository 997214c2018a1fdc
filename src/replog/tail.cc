#include "replog/tail.h"

#include "base/check.h"

namespace replog {

void Tail::Append(Index index, TailEntry entry) {
  if (entries_.empty()) first_ = index;
  CHECK(index.value() == first_.value() + entries_.size());
  head_bytes_ += entry.head_bytes;
  // A record that cleaning moved lies behind those of later entries: the front must not hide them.
  for (auto earlier = entries_.rbegin(); earlier != entries_.rend() && earlier->after > entry.after; ++earlier) {
    earlier->after = entry.after;
  }
  entries_.push_back(entry);
  totals_->entries += 1;
}

TailEntry* Tail::Find(Index index) {
  if (entries_.empty() || index < first_) return nullptr;
  const std::uint64_t at = index.value() - first_.value();
  return at < entries_.size() ? &entries_[at] : nullptr;
}

void Tail::MarkApplied(Index index, bool mail_kept) {
  TailEntry* entry = Find(index);
  CHECK(entry != nullptr && !entry->applied);
  entry->applied = true;
  entry->mail_kept = mail_kept;
  if (!mail_kept) CountReleasable(*entry, true);
}

void Tail::MarkUnneeded(TailEntry* entry) {
  CHECK(entry->applied);
  if (!entry->mail_kept) return;
  entry->mail_kept = false;
  CountReleasable(*entry, true);
}

void Tail::Cut(Index last) {
  while (!entries_.empty() && first_ <= last) {
    const TailEntry& entry = entries_.front();
    CHECK(entry.applied);
    head_bytes_ -= entry.head_bytes;
    if (!entry.mail_kept) CountReleasable(entry, false);
    entries_.pop_front();
    totals_->entries -= 1;
    first_ = first_.Next();
  }
}

void Tail::CountReleasable(const TailEntry& entry, bool add) {
  const std::uint64_t size = entry.location.size;
  releasable_bytes_ += add ? size : -size;
  totals_->releasable_bytes += add ? size : -size;
}

}  // namespace replog
