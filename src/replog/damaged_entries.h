// DamagedEntries: the entries that a start leaves out because the disk has lost them.
// docs/decisions/0016-damaged-log-entries.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "replog/types.h"

namespace replog {

// Thread: the log's shard. A value of one recovery.
class DamagedEntries {
 public:
  // A start goes on without the entry. `is_held`: the state machine has its effect already, or it had none.
  // Errors: kCorrupt: the entry cannot be left out, and what to do.
  base::Result<> LeaveOut(PartitionId partition, Index index, bool is_held);

  std::uint64_t count() const { return count_; }
  // Some entry whose parts, if its mail was in parts, are nobody's now; nothing if an index may know parts that the log
  // does not.
  std::optional<std::pair<PartitionId, Index>> OwnerOfUnknown() const;
  // One line for each run of neighbours: what it means and what to do. One for the damaged places of the volume if no
  // entry is known to be lost.
  void Report(std::uint64_t damaged_places) const;

 private:
  struct Run {
    PartitionId partition;
    Index first;
    Index last;
    bool is_held = false;
  };
  static std::string NameOfRun(const Run& run);

  std::vector<Run> runs_;
  std::uint64_t count_ = 0;
};

}  // namespace replog
