// Reading a table's file whole. Blocks.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace routing {

// Regular files only: a pipe or a device would hold up the start for ever. Errors: kNotFound, kIo, kInvalid (no regular
// file, or longer than `bytes_max`); sentences without the path, which the caller knows.
base::Result<std::string> ReadTableFile(const std::string& path, std::uint64_t bytes_max);

}  // namespace routing
