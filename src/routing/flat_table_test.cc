#include "routing/flat_table.h"

#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace routing {
namespace {

TEST(FlatTable, FindsWhatWasAddedAndKeepsTheFirst) {
  FlatTable table;
  EXPECT_FALSE(table.Find("a"));
  EXPECT_FALSE(table.Add("a", "1", {.file = 3, .line = 7}));
  EXPECT_FALSE(table.Add("", "empty key", {}));
  const auto there = table.Add("a", "2", {.file = 9, .line = 9});
  ASSERT_TRUE(there);
  EXPECT_EQ(there->origin, (FlatTable::Origin{.file = 3, .line = 7}));
  table.Seal();
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Find("a")->value, "1");
  EXPECT_EQ(table.Find("")->value, "empty key");
  EXPECT_FALSE(table.Find("b"));
}

TEST(FlatTable, AgreesWithAMap) {
  const std::uint64_t seed = base::SecureRandom64();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  base::Random random(seed);
  FlatTable table;
  std::map<std::string, std::string> map;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = fmt::format("user{}@example.test", random.Next() % 10'000);
    const std::string value(random.Next() % 50, 'v');
    const bool is_new = map.emplace(key, value).second;
    EXPECT_EQ(!table.Add(key, value, {}).has_value(), is_new);
  }
  EXPECT_EQ(table.size(), map.size());
  for (const auto& [key, value] : map) {
    const auto entry = table.Find(key);
    ASSERT_TRUE(entry) << key;
    EXPECT_EQ(entry->value, value);
  }
  std::size_t visited = 0;
  std::uint64_t bytes = 0;
  table.ForEach([&](const FlatTable::Entry& entry) {
    visited += 1;
    bytes += FlatTable::CostOf(entry.key, entry.value);
  });
  EXPECT_EQ(visited, map.size());
  EXPECT_EQ(bytes, table.bytes());
}

}  // namespace
}  // namespace routing
