// Guest: another owner of records in the log's volume, for what is no log: the history of mails. docs/format/replog.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/volume.h"

namespace replog {

// Its record types; the log never uses them.
inline constexpr std::uint8_t kGuestTypesFirst = 0x40;
inline constexpr std::uint8_t kGuestTypesLast = 0x7f;
constexpr bool IsGuestType(std::uint8_t type) {
  return type >= kGuestTypesFirst && type <= kGuestTypesLast;
}

// Thread: the log's shard. Outlives the log. It appends and releases records of its types as it likes once the volume
// runs, and finds them again at the next start: by the state that it gives each checkpoint, and by the scan of what was
// written since.
class Guest {
 public:
  virtual ~Guest() = default;

  struct Found {
    mffs::RecordKey key;
    mffs::Location place;
    mffs::Lsn lsn;
    std::string head;
  };
  // At start, before any entry is replayed. `state`: as in the last durable checkpoint, empty: none. `found`: live
  // records behind the LSN that it needed then, in LSN order; some may be in the state too. It may read and release,
  // not append. Errors: the start fails.
  virtual async::Task<base::Result<>> Load(std::string state, std::vector<Found> found) = 0;

  struct State {
    std::string bytes;
    mffs::Lsn needed_after;  // No record that `bytes` does not name, and that is durable now, lies at or before it.
  };
  // At the start of a checkpoint; `now` is the highest durable LSN.
  virtual State TakeState(mffs::Lsn now) = 0;

  // Cleaning has copied a record: from now on it is there. A record that the guest has released meanwhile it releases
  // at its new place too. After a power cut both may be found; they are equal.
  virtual void Moved(const mffs::RecordOwner::Move& move) = 0;
};

}  // namespace replog
