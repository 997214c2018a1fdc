#include "transfer/courier_keywords.h"

#include <gtest/gtest.h>

namespace transfer {
namespace {

using Keywords = std::vector<std::string>;

TEST(CourierKeywords, AreThoseOfTheList) {
  CourierKeywords keywords;
  // As maildir_kwExport of courier-imap 5 writes it.
  keywords.AddList(
      "$Label1\nJunk\nProject X\n"
      "\n"
      "1262234911.M1P2V0000000000000801I000000000001A2B3_0.host,S=5:0\n"
      "1262234912.M1P2.host,S=7:2 0\n");
  EXPECT_EQ(keywords.Of("1262234911.M1P2V0000000000000801I000000000001A2B3_0.host,S=5"), Keywords{"$Label1"});
  EXPECT_EQ(keywords.Of("1262234912.M1P2.host,S=7"), (Keywords{"Project X", "$Label1"}));
  EXPECT_EQ(keywords.Of("1262234913.M1P2.host"), Keywords{});
}

TEST(CourierKeywords, LeaveOutWhatCannotBeRead) {
  CourierKeywords keywords;
  keywords.AddList("A\nB\n\na:1 2 x -1 99999999999999999999 1 0\nno colon\n:0\nb:\nc:7\nd:0");
  EXPECT_EQ(keywords.Of("a"), (Keywords{"B", "A"}));
  EXPECT_EQ(keywords.Of("b"), Keywords{});
  EXPECT_EQ(keywords.Of("c"), Keywords{});
  EXPECT_EQ(keywords.Of("d"), Keywords{"A"}) << "the last line has no end";
  for (const char* text : {"", "\n", "\n\n\n", "A\nB", "A\nB\n", "\na:0\n"}) {
    CourierKeywords none;
    none.AddList(text);
    EXPECT_EQ(none.Of("a"), Keywords{}) << text;
  }
}

TEST(CourierKeywords, OfAMailThatChangedCountInThePlaceOfTheList) {
  CourierKeywords keywords;
  keywords.AddChange("a", "B\nC\n");
  keywords.AddChange("b", "");
  keywords.AddChange("c", "X\n\nnot this\n");
  keywords.AddList("A\n\na:0\nb:0\nd:0\n");
  EXPECT_EQ(keywords.Of("a"), (Keywords{"B", "C"}));
  EXPECT_EQ(keywords.Of("b"), Keywords{});
  EXPECT_EQ(keywords.Of("c"), Keywords{"X"});
  EXPECT_EQ(keywords.Of("d"), Keywords{"A"});
}

TEST(CourierKeywords, TheNewestChangeOfAMailCounts) {
  const std::map<std::string, std::string> files =
      NewestKeywordChanges({":list", ".tmp.1795358172.M1.host", ".5965.a", ".5967.a", ".5966.a", ".5967.b.c", "b.c",
                            ".9.d", ".10.d", ".x.e", ".7", ".", ""});
  EXPECT_EQ(files, (std::map<std::string, std::string>{{"a", ".5967.a"}, {"b.c", "b.c"}, {"d", ".10.d"}}));
}

}  // namespace
}  // namespace transfer
