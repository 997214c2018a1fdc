// CHECK: an invariant of ours. On in release builds: stop before a mistake spreads to disk.
#pragma once

namespace base {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace base

#define CHECK(condition)                                   \
  do {                                                     \
    if (!(condition)) [[unlikely]] {                       \
      ::base::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                      \
  } while (false)
