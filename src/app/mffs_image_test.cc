#include "app/mffs_image.h"

#include <gtest/gtest.h>

namespace app {
namespace {

async::Task<base::Result<int>> Nothing() {
  co_return 1;
}

TEST(WithImage, LeavesTheLogAsItWas) {
  for (const base::LogLevel level :
       {base::LogLevel::kDebug, base::LogLevel::kInfo, base::LogLevel::kWarning, base::LogLevel::kError}) {
    base::SetLogLevel(level);
    bool was_quiet = false;
    const auto with = WithImage<int>("/proc/self/exe", [&](mffs::BlockDevice*) {
      was_quiet = !base::LogEnabled(base::LogLevel::kWarning);
      return Nothing();
    });
    EXPECT_TRUE(with) << with.error().message();
    EXPECT_TRUE(was_quiet);
    EXPECT_FALSE(WithImage<int>("/nonexistent", [](mffs::BlockDevice*) { return Nothing(); }));
    EXPECT_TRUE(base::LogEnabled(level));
    if (level != base::LogLevel::kDebug) {
      EXPECT_FALSE(base::LogEnabled(static_cast<base::LogLevel>(static_cast<int>(level) - 1)));
    }
  }
  base::SetLogLevel(base::LogLevel::kInfo);
}

}  // namespace
}  // namespace app
