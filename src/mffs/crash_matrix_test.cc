// The crash matrix: all workloads of up to three operations of a log, each device write of them as the moment of a power
// cut, each unflushed write kept, lost or torn; recovery cut again, and again. docs/testing.md, "Power cuts".
//
//   POSTHORN_MATRIX=full build/release/src/mffs_test --gtest_filter='CrashMatrix.*'
//   POSTHORN_MATRIX=seal,release,clean ...    one workload, in full
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "mffs/crash_matrix_testing.h"

namespace mffs {
namespace {

using testing::IsEmpty;

// All of exactly `count` operations.
std::vector<std::vector<LogOp>> WorkloadsOf(std::size_t count) {
  std::vector<std::vector<LogOp>> all{{}};
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::vector<LogOp>> longer;
    for (const auto& begun : all) {
      for (const LogOp op : kLogOps) {
        longer.push_back(begun);
        longer.back().push_back(op);
      }
    }
    all = std::move(longer);
  }
  return all;
}

TEST(CrashMatrix, Depth1) {
  CutExplorer explorer;
  for (std::size_t count = 0; count <= 3; ++count) {
    const auto began = std::chrono::steady_clock::now();
    for (const auto& ops : WorkloadsOf(count)) {
      for (const bool settle : {false, true}) {
        explorer.Explore(AgedDisk(), {.ops = ops, .look_from = count == 0 ? 0 : count - 1, .settle_first = settle},
                         count < 3 ? FateDetail::kEvery : FateDetail::kFew, [&](const DiskState& disk) { explorer.Check(disk, std::getenv("USE") != nullptr); });
      }
    }
    std::printf("%zu: %zu images %zu visits %zu failures %.1f s\n", count, explorer.images(), explorer.visits(), explorer.failures.size(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  for (std::size_t i = 0; i < explorer.failures.size() && i < 30; ++i) std::printf("%s\n", explorer.failures[i].c_str());
  EXPECT_THAT(explorer.failures.size(), 0u);
}

}  // namespace
}  // namespace mffs
