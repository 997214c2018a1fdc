#include "imap/proto/sequence_set.h"

#include <gtest/gtest.h>

namespace imap {
namespace {

std::string Resolved(std::string_view text, std::uint32_t largest) {
  const auto set = SequenceSet::Parse(text, 10);
  if (!set.has_value()) return "error";
  std::string out;
  for (const NumberRange& range : set->Resolve(largest)) {
    out += std::to_string(range.first) + "-" + std::to_string(range.last) + " ";
  }
  return out;
}

TEST(SequenceSet, ResolvesToAscendingRangesThatDoNotTouch) {
  const struct {
    std::string_view text;
    std::uint32_t largest;
    std::string_view expected;
  } kRows[] = {
      {"1", 5, "1-1 "},
      {"2,4:7,9,12:*", 15, "2-2 4-7 9-9 12-15 "},  // RFC 3501 §9, seq-number examples.
      {"*:4,5:7", 10, "4-10 "},
      {"*", 3, "3-3 "},
      {"*", 0, ""},
      {"1:*", 0, ""},
      {"559:*", 5, "5-559 "},
      {"7:5", 9, "5-7 "},
      {"1:3,4:5", 9, "1-5 "},
      {"3,1,2", 9, "1-3 "},
      {"4294967295", 1, "4294967295-4294967295 "},
      {"1:4294967295,3", 1, "1-4294967295 "},
      {"", 5, "error"},
      {"0", 5, "error"},
      {"1,", 5, "error"},
      {",1", 5, "error"},
      {"1:2:3", 5, "error"},
      {"4294967296", 5, "error"},
      {"-1", 5, "error"},
      {"1,2,3,4,5,6,7,8,9,10,11", 5, "error"},
  };
  for (const auto& row : kRows) EXPECT_EQ(Resolved(row.text, row.largest), row.expected) << row.text;
}

TEST(SequenceSet, ContainsFindsTheRangeOfANumber) {
  const std::vector<NumberRange> ranges = {{2, 4}, {9, 9}};
  for (std::uint32_t n = 0; n < 12; ++n) EXPECT_EQ(Contains(ranges, n), (n >= 2 && n <= 4) || n == 9) << n;
  EXPECT_FALSE(Contains({}, 1));
}

TEST(FormatNumbers, JoinsAscendingRunsAndKeepsTheOrder) {
  EXPECT_EQ(FormatNumbers({}), "");
  EXPECT_EQ(FormatNumbers(std::vector<std::uint32_t>{304, 319, 320}), "304,319:320");
  EXPECT_EQ(FormatNumbers(std::vector<std::uint32_t>{3, 2, 1, 5, 6, 7}), "3,2,1,5:7");
}

}  // namespace
}  // namespace imap
