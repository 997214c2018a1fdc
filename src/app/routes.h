// ReadRoutes: which way mail of each domain goes, and how the servers there are spoken to, as the configuration says.
#pragma once

#include "app/config.h"
#include "base/result.h"
#include "deliver/next_hop_table.h"

namespace app {

// Of `mail.domains`, `deliver.routes` and [[next_hop]]; reads the files of certificate authorities that the last one
// names. The queue needs it before it reads its log. Thread: any. Errors: kInvalid or those of such a file; a sentence
// that names the key.
base::Result<deliver::NextHopTable> ReadRoutes(const NodeConfig& config);

}  // namespace app
