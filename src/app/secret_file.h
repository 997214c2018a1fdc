// SecretFile: a secret of the node, made at its first start and kept.
#pragma once

#include <string>

#include "base/result.h"

namespace app {

// The bytes of the file at `path`, which is made with random ones, readable to its owner only, when there is none or it
// is too short. Blocks on the disk: at the start only. Errors: kIo, and what the system says.
base::Result<std::string> EnsureSecretFile(const std::string& path);

}  // namespace app
