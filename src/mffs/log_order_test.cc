#include "mffs/log_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mffs {
namespace {

struct Block {
  std::uint64_t lsn;
  std::uint64_t commit;
  std::uint64_t mount_first = 1;
  std::uint64_t mount_cut = 0;
  bool is_damaged = false;
  bool is_rewritten = false;
  std::uint32_t segment = 1;

  BlockHeader header() const {
    BlockHeader header{.segment = segment,
                       .generation = 1,
                       .lsn = Lsn(lsn),
                       .commit_lsn = Lsn(commit),
                       .mount_first = Lsn(mount_first),
                       .mount_cut = Lsn(mount_cut)};
    if (is_rewritten) header.flags = BlockHeader::kRewritten;
    return header;
  }
};

struct Case {
  const char* name;
  std::uint64_t floor;
  std::vector<Block> blocks;
  std::uint64_t cut;
  std::vector<std::uint64_t> missing;
  std::vector<bool> accepted;  // In the order of the blocks.
};

const Case kCases[] = {
    {"nothing", 0, {}, 0, {}, {}},
    {"a dense log counts to its end", 0, {{1, 0}, {2, 1}, {3, 2}}, 3, {}, {true, true, true}},
    {"above the last commit LSN a gap ends the log", 0, {{1, 0}, {3, 1}}, 1, {}, {true, false}},
    {"below it a gap is corruption and the log goes on", 0, {{1, 0}, {3, 2}}, 3, {2}, {true, true}},
    {"a damaged block above it ends the log",
     0,
     {{1, 0}, {.lsn = 2, .commit = 1, .is_damaged = true}},
     1,
     {},
     {true, false}},
    {"a damaged block below it counts",
     0,
     {{1, 0}, {.lsn = 2, .commit = 1, .is_damaged = true}, {3, 2}},
     3,
     {},
     {true, true, true}},
    {"what an older checkpoint covers may be gone", 10, {{11, 10}, {5, 4}}, 11, {}, {true, true}},
    {"the gap between mounts is void", 0, {{1, 0}, {2, 1}, {1001, 1, 1001, 1}}, 1001, {}, {true, false, true}},
    {"an unfinished mount's blocks are void for the next",
     0,
     {{1, 0}, {1002, 1, 1001, 1}, {3000, 1, 3000, 1}},
     3000,
     {},
     {true, false, true}},
    {"a cut proves what is below it", 0, {{1, 0}, {1001, 1001 - 1, 1001, 2}}, 1001, {2}, {true, true}},
    {"the rewritten block wins",
     0,
     {{1, 0}, {.lsn = 2, .commit = 1, .segment = 2}, {.lsn = 2, .commit = 1, .is_rewritten = true, .segment = 3}},
     2,
     {},
     {true, false, true}},
    {"unless it is torn",
     0,
     {{1, 0},
      {.lsn = 2, .commit = 1, .segment = 2},
      {.lsn = 2, .commit = 1, .is_damaged = true, .is_rewritten = true, .segment = 3}},
     2,
     {},
     {true, true, false}},
};

TEST(LogOrder, DecidesByTheRuleOfTornAndRotten) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    LogOrder order(Lsn(c.floor), Lsn());
    for (const Block& block : c.blocks) order.Add(block.header(), block.segment, block.is_damaged);
    order.Decide();
    EXPECT_EQ(order.cut(), Lsn(c.cut));
    std::vector<std::uint64_t> missing;
    for (const Lsn lsn : order.missing()) missing.push_back(lsn.value());
    EXPECT_EQ(missing, c.missing);
    for (std::size_t i = 0; i < c.blocks.size(); ++i) {
      EXPECT_EQ(order.IsAccepted(c.blocks[i].header(), c.blocks[i].segment), c.accepted[i]) << "block " << i;
    }
  }
}

TEST(LogOrder, AHostileCommitLsnEndsSoon) {
  LogOrder order(Lsn(0), Lsn());
  order.Add(Block{.lsn = 1, .commit = ~std::uint64_t{0} - 5}.header(), 1, false);
  order.Decide();
  EXPECT_LE(order.missing().size(), 1001u);
}

}  // namespace
}  // namespace mffs
