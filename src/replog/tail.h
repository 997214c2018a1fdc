// Tail: the entries of a partition above its snapshot in force: where they lie and whether somebody needs their mail.
#pragma once

#include <cstdint>
#include <deque>

#include "mffs/types.h"
#include "replog/types.h"

namespace replog {

struct TailEntry {
  mffs::Location location;  // Nowhere until it is durable.
  std::uint32_t head_bytes : 29 = 0;
  bool applied : 1 = false;
  bool mail_kept : 1 = true;       // The state machine needs the mail that lies in this record.
  bool in_checkpoint : 1 = false;  // The checkpoint being written releases it.
  mffs::Lsn after;                 // This record and those of all later entries lie behind this LSN.
};
static_assert(sizeof(TailEntry) == 32);  // There may be as many as there are mails.

// Of all partitions, for limits.
struct TailTotals {
  std::uint64_t entries = 0;
  std::uint64_t releasable_bytes = 0;
};

// Thread: the log's shard. One a partition; borrows the totals, which outlive it.
class Tail {
 public:
  explicit Tail(TailTotals* totals) : totals_(totals) {}
  ~Tail() {
    totals_->entries -= entries_.size();
    totals_->releasable_bytes -= releasable_bytes_;
  }
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  // Of the front; meaningless when empty.
  Index first() const { return first_; }
  mffs::Lsn after() const { return entries_.front().after; }
  std::uint64_t head_bytes() const { return head_bytes_; }
  // On the disk for nobody but the log: what a snapshot would release.
  std::uint64_t releasable_bytes() const { return releasable_bytes_; }

  void Append(Index index, TailEntry entry);
  // nullptr: not in the tail. Valid until the next Append or Cut.
  TailEntry* Find(Index index);
  void MarkApplied(Index index, bool mail_kept);
  void MarkUnneeded(TailEntry* entry);
  // Forgets the entries up to `last`, which are all applied.
  void Cut(Index last);
  // Entries up to `last`, in order.
  template <class F>
  void ForEach(Index last, F visit) {
    Index index = first_;
    for (TailEntry& entry : entries_) {
      if (index > last) break;
      visit(entry);
      index = index.Next();
    }
  }

 private:
  void CountReleasable(const TailEntry& entry, bool add);

  TailTotals* totals_;
  std::deque<TailEntry> entries_;
  Index first_;
  std::uint64_t head_bytes_ = 0;
  std::uint64_t releasable_bytes_ = 0;
};

}  // namespace replog
