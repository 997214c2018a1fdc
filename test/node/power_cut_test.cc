// The promise "250 means durable", for the whole node: the power is cut at every write and flush of a mixed load.
//
// Each run prints nothing unless it fails; a failure names seed and operation:
//   POSTHORN_SEED=S POSTHORN_CUT_AT=N build/release/test/node/node_test --gtest_filter=NodePowerCut.*
#include <cstdlib>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "node/ledger.h"
#include "node/load.h"

namespace node {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0} >> 1;

std::optional<std::uint64_t> FromEnvironment(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

// Each operation is cut with both fates of the index: the parity of the seed decides which.
std::vector<std::uint64_t> Seeds() {
  const auto given = FromEnvironment("POSTHORN_SEED");
  return given.has_value() ? std::vector<std::uint64_t>{*given} : std::vector<std::uint64_t>{1, 2};
}

struct Cut {
  std::uint64_t seed = 1;
  std::uint64_t at = kNever;  // So many writes and flushes of the load are done, the next one is not.
  bool flushes_count = true;  // False: a disk that says yes to every flush and does nothing.
  Unflushed unflushed = Unflushed::kBySeed;
  IndexFate index() const { return (seed + at) % 2 == 0 ? IndexFate::kKept : IndexFate::kDeleted; }
};

struct CutRun {
  Ledger ledger;
  std::uint64_t operations = 0;  // Until the end of the load and the node's own end.
  Wreck wreck;
  Findings findings{};
};

const Base& TheBase() {
  static const std::unique_ptr<Base> base = MakeBase();
  return *base;
}

// The load up to the cut.
CutRun RunLoadUntil(const Cut& cut, const Folder& folder) {
  NodeRig rig({.image = TheBase().image, .folder = folder.path(), .reorder_seed = cut.at});
  EXPECT_EQ(rig.start_error(), "");
  std::uint64_t operations_before = 0;
  rig.OnShard([&] {
    operations_before = rig.device().operations_done();
    rig.device().IgnoreSync(!cut.flushes_count);
    rig.device().CutPowerAfter(cut.at);
  });
  Ledger ledger = RunLoad(&rig, TheBase(), cut.seed);
  base::Ignore(rig.Stop());  // Fails after a cut, as it should.
  const std::uint64_t operations = rig.OnShard([&] { return rig.device().operations_done() - operations_before; });
  return {.ledger = std::move(ledger),
          .operations = operations,
          .wreck = rig.TakeWreck(cut.seed * 1'000'003 + cut.at, cut.index(), cut.unflushed)};
}

// Load, cut, restart, comparison.
CutRun RunWithCut(const Cut& cut) {
  const Folder folder;
  CopyFolder(TheBase(), folder);
  CutRun run = RunLoadUntil(cut, folder);
  NodeRig rig({.image = run.wreck.image, .folder = folder.path()});
  run.findings = Compare(&rig, run.ledger);
  const auto stopped = rig.Stop();
  if (!stopped.has_value()) run.findings.problems.push_back("the node does not stop: " + stopped.error().message());
  return run;
}

std::string Text(const Findings& findings) {
  return fmt::format("{}", fmt::join(findings.problems, "\n"));
}

TEST(NodePowerCut, ALoadWithoutACutIsAllThere) {
  const CutRun run = RunWithCut({.seed = Seeds().front()});
  EXPECT_TRUE(run.ledger.finished());
  EXPECT_EQ(Text(run.findings), "");
  EXPECT_GT(run.operations, 40u);
}

TEST(NodePowerCut, WhatWasAcknowledgedSurvivesACutAtEveryOperation) {
  const std::optional<std::uint64_t> only = FromEnvironment("POSTHORN_CUT_AT");
  for (const std::uint64_t seed : Seeds()) {
    std::uint64_t cuts = 0;
    for (std::uint64_t cut_at = only.value_or(0);; ++cut_at) {
      const CutRun run = RunWithCut({.seed = seed, .at = cut_at});
      ASSERT_EQ(Text(run.findings), "") << "replay: POSTHORN_SEED=" << seed << " POSTHORN_CUT_AT=" << cut_at;
      if (!run.wreck.was_cut || only.has_value()) break;
      cuts += 1;
    }
    fmt::print("seed {}: the power was cut at each of {} operations\n", seed, cuts);
    EXPECT_TRUE(only.has_value() || cuts > 40);
  }
}

// The next two prove that the tests above can fail.
TEST(NodePowerCut, MailIsLostWhenFlushesDoNothing) {
  std::uint64_t mails_lost = 0;
  std::uint64_t accounts_differ = 0;
  for (std::uint64_t cut_at = 40; cut_at < 46; ++cut_at) {
    const CutRun run =
        RunWithCut({.seed = Seeds().front(), .at = cut_at, .flushes_count = false, .unflushed = Unflushed::kLost});
    mails_lost += run.findings.mails_lost;
    accounts_differ += run.findings.account_differs ? 1 : 0;
  }
  fmt::print("flushes that do nothing, all writes lost: {} mails, and {} times what IMAP or POP3 acknowledged\n",
             mails_lost, accounts_differ);
  EXPECT_GT(mails_lost, 6u);
  EXPECT_GT(accounts_differ, 0u);
}

TEST(NodePowerCut, LossesAreSeenWhenFlushesDoNothingAndWritesSurviveByChance) {
  std::uint64_t runs = 0;
  std::uint64_t runs_with_losses = 0;
  for (std::uint64_t cut_at = 20; cut_at <= 60; cut_at += 5) {
    runs += 1;
    const CutRun run = RunWithCut({.seed = Seeds().front(), .at = cut_at, .flushes_count = false});
    runs_with_losses += run.findings.problems.empty() ? 0 : 1;
  }
  fmt::print("flushes that do nothing, writes kept by chance: {} of {} runs are caught\n", runs_with_losses, runs);
  EXPECT_GT(runs_with_losses, runs / 2);
}

}  // namespace
}  // namespace node
