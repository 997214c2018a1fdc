// What this program was built from.
#pragma once

#include <string_view>

namespace app {

struct BuildFacts {
  std::string_view version;  // CMake's project version.
  std::string_view compiler;
  std::string_view build_type;  // "RelWithDebInfo".
};

BuildFacts Build();

}  // namespace app
