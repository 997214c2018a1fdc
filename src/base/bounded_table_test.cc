#include "base/bounded_table.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(BoundedTable, ForgetsTheOldestFirst) {
  BoundedTable<int> table(3);
  table.Touch("a") = 1;
  table.Touch("b") = 2;
  table.Touch("c") = 3;
  table.Touch("a");
  table.Touch("d") = 4;
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.Find("b"), nullptr);
  ASSERT_NE(table.Find("a"), nullptr);
  EXPECT_EQ(*table.Find("a"), 1);
  table.EraseIf([](const std::string& key, int value) { return key == "c" || value == 4; });
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.Find("d"), nullptr);
}

}  // namespace
}  // namespace base
