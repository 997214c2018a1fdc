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

enum class Disk : std::uint8_t { kHonest, kIgnoresSync };

struct CutRun {
  Findings findings;
  std::uint64_t operations = 0;  // Until the end of the load and the node's own end.
  bool was_cut = false;
  bool finished = false;  // The load came to its end.
};

// Load, cut, restart, comparison. The index is kept and deleted by turns.
CutRun RunWithCut(const Base& base, std::uint64_t seed, std::uint64_t cut_at, Disk disk) {
  const Folder folder;
  CopyFolder(base, folder);
  CutRun run;
  Ledger ledger;
  const auto wreck = [&] {
    NodeRig rig({.image = base.image, .folder = folder.path(), .reorder_seed = cut_at});
    if (!rig.start_error().empty()) {
      ADD_FAILURE() << rig.start_error();
      return Wreck{.image = base.image};
    }
    std::uint64_t operations_before = 0;
    rig.OnShard([&] {
      operations_before = rig.device().operations_done();
      rig.device().IgnoreSync(disk == Disk::kIgnoresSync);
      rig.device().CutPowerAfter(cut_at);
    });
    ledger = RunLoad(&rig, base, seed);
    base::Ignore(rig.Stop());  // Fails after a cut, as it should.
    run.operations = rig.OnShard([&] { return rig.device().operations_done() - operations_before; });
    const IndexFate index = (seed + cut_at) % 2 == 0 ? IndexFate::kKept : IndexFate::kDeleted;
    return rig.TakeWreck(seed * 1'000'003 + cut_at, index);
  }();
  run.was_cut = wreck.was_cut;
  run.finished = ledger.finished();
  NodeRig rig({.image = wreck.image, .folder = folder.path()});
  run.findings = Compare(&rig, ledger);
  const auto stopped = rig.Stop();
  if (!stopped.has_value()) run.findings.problems.push_back("the node does not stop: " + stopped.error().message());
  return run;
}

class NodePowerCut : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    base_ = new Base;
    MakeBase(base_);
  }
  static void TearDownTestSuite() { delete base_; }
  static Base* base_;
};
Base* NodePowerCut::base_ = nullptr;

TEST_F(NodePowerCut, ALoadWithoutACutIsAllThere) {
  const CutRun run = RunWithCut(*base_, Seeds().front(), kNever, Disk::kHonest);
  EXPECT_TRUE(run.finished);
  EXPECT_EQ(fmt::format("{}", fmt::join(run.findings.problems, "\n")), "");
  EXPECT_GT(run.operations, 40u);
}

TEST_F(NodePowerCut, WhatWasAcknowledgedSurvivesACutAtEveryOperation) {
  const std::optional<std::uint64_t> only = FromEnvironment("POSTHORN_CUT_AT");
  for (const std::uint64_t seed : Seeds()) {
    std::uint64_t cuts = 0;
    for (std::uint64_t cut_at = only.value_or(0);; ++cut_at) {
      const CutRun run = RunWithCut(*base_, seed, cut_at, Disk::kHonest);
      ASSERT_EQ(fmt::format("{}", fmt::join(run.findings.problems, "\n")), "")
          << "replay: POSTHORN_SEED=" << seed << " POSTHORN_CUT_AT=" << cut_at;
      if (!run.was_cut || only.has_value()) break;
      cuts += 1;
    }
    fmt::print("seed {}: the power was cut at each of {} operations\n", seed, cuts);
    EXPECT_TRUE(only.has_value() || cuts > 40);
  }
}

// The proof that the tests above can fail.
TEST_F(NodePowerCut, ADiskThatIgnoresFlushesLosesAcknowledgedMail) {
  std::uint64_t runs = 0;
  std::uint64_t runs_with_losses = 0;
  std::uint64_t mails_lost = 0;
  std::uint64_t accounts_differ = 0;
  for (std::uint64_t cut_at = 20; cut_at <= 60; cut_at += 5) {
    const CutRun run = RunWithCut(*base_, Seeds().front(), cut_at, Disk::kIgnoresSync);
    runs += 1;
    runs_with_losses += run.findings.problems.empty() ? 0 : 1;
    mails_lost += run.findings.mails_lost;
    accounts_differ += run.findings.account_differs ? 1 : 0;
  }
  fmt::print("without flushes {} of {} runs lose something: {} mails, {} times what IMAP or POP3 acknowledged\n",
             runs_with_losses, runs, mails_lost, accounts_differ);
  EXPECT_GT(runs_with_losses, runs / 2);
  EXPECT_GT(mails_lost, 0u);
}

}  // namespace
}  // namespace node
