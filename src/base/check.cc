#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace base {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr,
               "posthorn: internal error: CHECK(%s) failed at %s:%d; please report this with the log before it\n",
               condition, file, line);
  std::abort();
}

}  // namespace base
