// MendPlaces: notes of moved records made anew, by the names of the records. docs/format/replog.md, "Repair"
#pragma once

#include <vector>

#include "base/result.h"
#include "mffs/append_task.h"
#include "replog/moved_places.h"
#include "salvage/log_records.h"
#include "salvage/mail_state.h"

namespace salvage {

// Notes for every mail that `state` looks for at a place where it is not, though a live record of its name is
// elsewhere. `moved`: the moves of the notes that can be read. Errors: kIo (of the state's own index).
base::Result<std::vector<mffs::OwnedRecord>> MendPlaces(const LogRecords& records, const replog::MovedPlaces& moved,
                                                        MailState* state);

}  // namespace salvage
