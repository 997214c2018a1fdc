// The crash matrix: all workloads of up to three operations of a log, each device write of them as the moment of a
// power cut, each unflushed write kept, lost or torn; recovery cut again, and again. What is enumerated and how to
// replay a failure: docs/testing.md, "Power cuts".
#include <cstdlib>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "mffs/crash_matrix_testing.h"

namespace mffs {
namespace {

constexpr std::uint64_t kSeed = 1;  // Of what is sampled.
constexpr std::size_t kFailuresShown = 20;

// What POSTHORN_MATRIX says: nothing, "full", or the operations of one workload.
struct Request {
  bool is_full = false;
  std::optional<std::vector<LogOp>> only{};

  static Request FromEnvironment() {
    const char* const value = std::getenv("POSTHORN_MATRIX");
    const std::string text = value == nullptr ? "" : value;
    if (text.empty() || text == "full") return {.is_full = !text.empty()};
    Request request{.is_full = true, .only = std::vector<LogOp>()};
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find(',', at), text.size());
      const auto name = std::ranges::find(kLogOpNames, text.substr(at, end - at));
      CHECK(name != kLogOpNames.end());  // The names stand in small_log_testing.h.
      request.only->push_back(kLogOps[static_cast<std::size_t>(name - kLogOpNames.begin())]);
      at = end + 1;
    }
    return request;
  }
};

class CrashMatrix : public testing::Test {
 protected:
  // All of exactly `count` operations, or the one that was asked for.
  std::vector<std::vector<LogOp>> WorkloadsOf(std::size_t count) const {
    if (request_.only.has_value()) {
      if (request_.only->size() != count) return {};
      return {*request_.only};
    }
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

  // Beside the mount's first checkpoint, and after it. Cuts before the last operation are those of a shorter workload.
  static std::vector<LogRun::Plan> PlansOf(const std::vector<LogOp>& ops) {
    const std::size_t look_from = ops.empty() ? 0 : ops.size() - 1;
    return {{.ops = ops, .look_from = look_from, .settle_first = false},
            {.ops = ops, .look_from = look_from, .settle_first = true}};
  }

  // Of all workloads of up to so many operations, the short ones first.
  std::vector<LogRun::Plan> PlansUpTo(std::size_t operations) const {
    std::vector<LogRun::Plan> plans;
    for (std::size_t count = 0; count <= operations; ++count) {
      for (const auto& ops : WorkloadsOf(count)) {
        for (LogRun::Plan& plan : PlansOf(ops)) plans.push_back(std::move(plan));
      }
    }
    return plans;
  }

  static void Report(const CutExplorer& explorer, std::size_t images_min) {
    std::printf("%zu distinct images, %zu with different promises\n", explorer.images(), explorer.visits());
    for (std::size_t i = 0; i < std::min(explorer.failures.size(), kFailuresShown); ++i) {
      ADD_FAILURE() << explorer.failures[i];
    }
    EXPECT_EQ(explorer.failures.size(), 0u);
    if (!Request::FromEnvironment().only.has_value()) EXPECT_GE(explorer.images(), images_min);
  }

  const Request request_ = Request::FromEnvironment();
};

TEST_F(CrashMatrix, TheOperationsDoWhatTheirNamesSay) {
  LogRun run(AgedDisk(), {.ops = {kLogOps.begin(), kLogOps.end()}, .close = false});
  ASSERT_EQ(run.Run({}), "");
  EXPECT_GT(run.machine.volume->Status().segments_cleaned, 0u);
  EXPECT_GT(run.log.model.snapshot_in_force, AgedDisk().model.snapshot_in_force);
  std::set<std::uint32_t> segments_of_large_mails;
  std::uint64_t parts = 0;
  for (const auto& [key, place] : run.log.places()) {
    if (place.size > 500'000) segments_of_large_mails.insert(place.segment);
    parts += key.type == log_keys::kPart ? 1 : 0;
  }
  EXPECT_EQ(segments_of_large_mails.size(), 2u);  // The first of them is sealed.
  EXPECT_GE(parts, 2u);
}

TEST_F(CrashMatrix, EveryCutOfUpToThreeOperationsKeepsEveryPromise) {
  CutExplorer explorer;
  for (const LogRun::Plan& plan : PlansUpTo(3)) {
    const bool in_full = request_.is_full || plan.ops.size() < 3;
    explorer.Explore(AgedDisk(), plan, FateDetail::kEvery,
                     [&](const DiskState& disk) { explorer.Check(disk, in_full || explorer.visits() % 8 == 0); });
  }
  Report(explorer, 25'000);
}

TEST_F(CrashMatrix, RecoveryCutAgainAfterUpToTwoOperationsKeepsEveryPromise) {
  // Else a sample of the first cuts; each of them is then cut again at every write.
  const std::size_t one_in = request_.is_full ? 1 : 4;
  base::Random random(kSeed);
  CutExplorer first;
  CutExplorer second;
  for (const LogRun::Plan& plan : PlansUpTo(2)) {
    first.Explore(AgedDisk(), plan, FateDetail::kFew, [&](const DiskState& disk) {
      if (!random.OneIn(one_in)) return;
      second.Explore(disk, {.ops = {LogOp::kSmall}}, FateDetail::kFew,
                     [&](const DiskState& again) { second.Check(again, false); });
    });
  }
  first.failures.insert(first.failures.end(), second.failures.begin(), second.failures.end());
  EXPECT_THAT(first.failures, testing::SizeIs(second.failures.size()));
  std::printf("seed %llu, after %zu distinct first cuts, one in %zu of them: ", static_cast<unsigned long long>(kSeed),
              first.images(), one_in);
  Report(second, request_.is_full ? 70'000 : 15'000);
}

// The first two cuts by seed, the third at every write.
TEST_F(CrashMatrix, ThreeCutsInARowKeepEveryPromise) {
  CutExplorer last;
  const std::uint64_t samples = request_.is_full ? 1000 : 80;
  for (std::uint64_t seed = kSeed; seed < kSeed + samples; ++seed) {
    base::Random random(seed);
    DiskState disk = AgedDisk();
    for (int cut = 1; cut <= 2; ++cut) {
      std::vector<LogOp> ops(1 + random.Below(3));
      for (LogOp& op : ops) op = kLogOps[random.Below(kLogOps.size())];
      std::uint64_t count = 0;
      DiskState chosen = disk;
      CutExplorer explorer;
      explorer.Explore(disk, {.ops = ops, .settle_first = random.OneIn(2)}, FateDetail::kMany,
                       [&](const DiskState& left) {
                         if (random.OneIn(++count)) chosen = left;
                       });
      disk = chosen;
    }
    disk.trail = fmt::format("seed {}{}", seed, disk.trail);
    last.Explore(disk, {.ops = {LogOp::kSmall, LogOp::kSnapshot}}, FateDetail::kFew,
                 [&](const DiskState& left) { last.Check(left, false); });
  }
  std::printf("seeds %llu to %llu: ", static_cast<unsigned long long>(kSeed),
              static_cast<unsigned long long>(kSeed + samples - 1));
  Report(last, samples * 30);
}

}  // namespace
}  // namespace mffs
