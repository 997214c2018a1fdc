#include "replog/damaged_entries.h"

#include <algorithm>

#include "base/log.h"
#include "replog/found_records.h"
#include "replog/partition.h"

namespace replog {

base::Result<> DamagedEntries::LeaveOut(PartitionId partition, Index index, bool is_held) {
  // What a mailbox entry did is known to nobody else: UIDs that clients have seen would be given to other messages.
  if (!is_held && !PartitionTable::IsQueue(partition)) {
    return base::Error(base::Errc::kCorrupt,
                       NameOf(partition) + " has lost its entry " + std::to_string(index.value()) +
                           " to damage of the disk, and its index does not have it either: going on could give UIDs "
                           "twice; run `posthorn mffs repair` (it says what is lost and can be undone), or restore the "
                           "volume from a copy");
  }
  ++count_;
  const bool goes_on = !runs_.empty() && runs_.back().partition == partition && runs_.back().last.Next() == index &&
                       runs_.back().is_held == is_held;
  if (goes_on) {
    runs_.back().last = index;
  } else {
    runs_.push_back({.partition = partition, .first = index, .last = index, .is_held = is_held});
  }
  return {};
}

std::optional<std::pair<PartitionId, Index>> DamagedEntries::OwnerOfUnknown() const {
  if (runs_.empty() || std::ranges::any_of(runs_, &Run::is_held)) return std::nullopt;
  return std::pair(runs_.front().partition, runs_.front().first);
}

void DamagedEntries::Report(std::uint64_t damaged_places) const {
  if (runs_.empty() && damaged_places > 0) {
    base::LogError("log_records_lost",
                   {{"places", damaged_places},
                    {"lost", "no entry that another one tells of; the newest ones may be among what was there"},
                    {"do",
                     "run `posthorn mffs check` on the stopped node, and save what is damaged with `posthorn "
                     "mffs rescue`"}});
  }
  for (const Run& run : runs_) {
    if (run.is_held) {
      base::LogError("log_entries_damaged",
                     {{"entries", NameOfRun(run)},
                      {"lost", "nothing: what they changed is known, or they changed nothing"},
                      {"do", "look at the disk's own error log, and run `posthorn mffs check` on the stopped node"}});
    } else {
      base::LogError("log_entries_damaged",
                     {{"entries", NameOfRun(run)},
                      {"lost", "mail that they brought, or the outcome of a delivery, which is then tried again"},
                      {"do",
                       "stop the node and save what is left with `posthorn mffs rescue`; then run `posthorn mffs "
                       "repair`"}});
    }
  }
}

std::string DamagedEntries::NameOfRun(const Run& run) {
  std::string name = NameOf(run.partition) + " entry " + std::to_string(run.first.value());
  if (run.last != run.first) name += " to " + std::to_string(run.last.value());
  return name;
}

}  // namespace replog
