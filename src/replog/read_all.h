// ReadAll: many records of the volume at once, for starts: one after the other each would wait for the disk alone.
#pragma once

#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "replog/context.h"

namespace replog {

// As many as should be asked for at once: their bodies are in memory together.
inline constexpr std::size_t kReadsAtOnce = 32;

// In the order of `places`. Not to be cancelled.
async::Task<std::vector<base::Result<mffs::Record>>> ReadAll(Context* context, std::vector<mffs::Location> places);

}  // namespace replog
