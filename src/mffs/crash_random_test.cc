// Random lives of a volume, for as long as one wants: each begins on what the power cut at the end of the one before it
// left. docs/testing.md, "Power cuts":
//   POSTHORN_RANDOM_SECONDS=3600 build/release/src/mffs_test --gtest_filter='CrashRandom.*'
//   POSTHORN_SEED=17 ...    replays the lives of one seed
#include <chrono>
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/random.h"
#include "mffs/crash_matrix_testing.h"

namespace mffs {
namespace {

std::optional<std::uint64_t> FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::stoull(value);
}

// One life: returns what a cut at a random moment leaves, or what its end does.
DiskState Live(const DiskState& before, base::Random* random, std::vector<std::string>* failures) {
  LogRun::Plan plan{.ops = std::vector<LogOp>(random->Below(8)), .settle_first = random->OneIn(4)};
  for (LogOp& op : plan.ops) op = kLogOps[random->Below(kLogOps.size())];
  // Large mails fill the volume before anything else happens.
  for (LogOp& op : plan.ops) op = op == LogOp::kSeal && !random->OneIn(3) ? LogOp::kRelease : op;
  if (!random->OneIn(3)) plan.reorder_seed = random->Next();
  const std::uint64_t seed = random->Next();
  std::optional<DiskState> left;
  std::uint64_t moments = 0;
  LogRun run(before, plan);
  const std::string failure = run.Run([&](const SimCut& cut, const LogModel& model, std::uint64_t moment) {
    if (!random->OneIn(++moments)) return;
    left = {.image = cut.ImageAfter(seed),
            .model = model,
            .trail = fmt::format("{} ; {} cut at write {}", before.trail, NameOf(plan.ops), moment)};
  });
  // A life may find the volume full.
  if (!failure.empty() && failure.find("has no") == std::string::npos) failures->push_back(before.trail + failure);
  if (left.has_value() && !random->OneIn(8)) return *std::move(left);
  return {.image = run.machine.device.Snapshot(),
          .model = run.log.model,
          .trail = fmt::format("{} ; {}", before.trail, NameOf(plan.ops))};
}

// Returns the number of lives.
std::uint64_t LiveBySeed(std::uint64_t seed, std::vector<std::string>* failures) {
  base::Random random(seed);
  CutExplorer explorer;
  DiskState disk = AgedDisk();
  const std::uint64_t lives = 2 + random.Below(12);
  for (std::uint64_t life = 0; life < lives && failures->empty(); ++life) {
    disk = Live(disk, &random, failures);
    explorer.Check(disk, life + 1 == lives);
    failures->insert(failures->end(), explorer.failures.begin(), explorer.failures.end());
  }
  return lives;
}

TEST(CrashRandom, LivesInARowKeepEveryPromise) {
  const auto only = FromEnvironment("POSTHORN_SEED");
  const auto seconds = FromEnvironment("POSTHORN_RANDOM_SECONDS");
  // The short run of `make test` is the same each time; a long one tries what no one tried before.
  const std::uint64_t first = only.value_or(seconds.has_value() ? base::SecureRandom64() % 1'000'000'000 : 1);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds.value_or(3));
  std::uint64_t seed = first;
  std::uint64_t lives = 0;
  std::vector<std::string> failures;
  do {
    lives += LiveBySeed(seed, &failures);
    for (const std::string& failure : failures) ADD_FAILURE() << "replay: POSTHORN_SEED=" << seed << ": " << failure;
    ++seed;
  } while (!only.has_value() && failures.empty() && std::chrono::steady_clock::now() < end);
  std::printf("seeds %llu to %llu, %llu lives\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(seed - 1), static_cast<unsigned long long>(lives));
  EXPECT_GT(lives, 1u);
}

}  // namespace
}  // namespace mffs
