#include "app/version.h"

namespace app {

BuildFacts Build() {
  return {.version = POSTHORN_VERSION, .compiler = __VERSION__, .build_type = POSTHORN_BUILD_TYPE};
}

}  // namespace app
