#include "transfer/uid_list.h"

#include <gtest/gtest.h>

namespace transfer {
namespace {

TEST(UidList, ReadsWhatDovecotWrites) {
  // Made by Dovecot 2.3.19; the fields P, W and S as its migration tools and older versions write them.
  const auto list = ParseUidList(
      "3 V1795358174 N3 Gc1968807dcfd026b0442000083ecc375\n"
      "1 :1795358172.M141988P16900.vm,S=19,W=22\n"
      "2 W22 PUID2-1262234910 S19 :1795358172.M154113P16900.vm,S=19,W=22:2,S\n"
      "7 :a name with spaces\n");
  ASSERT_TRUE(list.has_value()) << list.error().message();
  EXPECT_EQ(list->uid_validity, 1795358174u);
  EXPECT_EQ(list->uid_next, 8u) << "the head may be older than the last lines";
  EXPECT_EQ(list->by_name.at("1795358172.M141988P16900.vm,S=19,W=22").uid, 1u);
  EXPECT_EQ(list->by_name.at("1795358172.M154113P16900.vm,S=19,W=22").uidl, "UID2-1262234910");
  EXPECT_EQ(list->by_name.at("a name with spaces").uid, 7u);
  EXPECT_TRUE(list->faults.empty());
}

TEST(UidList, ReadsCouriersListAndDovecotsFirstVersion) {
  const auto list = ParseUidList("1 1262234910 40\n12 1262234911.M1P2.host,S=5\n39 1262234912.M1P2.host\n");
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->uid_validity, 1262234910u);
  EXPECT_EQ(list->uid_next, 40u);
  EXPECT_EQ(list->by_name.at("1262234911.M1P2.host,S=5").uid, 12u);
  EXPECT_EQ(list->by_name.at("1262234912.M1P2.host").uid, 39u);
}

TEST(UidList, TellsTheLinesThatItCannotRead) {
  const auto list = ParseUidList("3 V5 N9\nx :a\n0 :b\n4294967295 :c\n5 :\n6 :d\n7 :d\n8 P\x01 :e\n9 :cut");
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list->faults.size(), 6u);
  EXPECT_TRUE(list->faults[0].starts_with("line 2 ")) << list->faults[0];
  EXPECT_TRUE(list->faults[5].starts_with("line 8 ")) << list->faults[5];
  EXPECT_EQ(list->by_name.size(), 1u);
  EXPECT_EQ(list->by_name.at("d").uid, 6u);
  for (const char* text : {"", "\n", "3", "3 N4\n", "2 1 2\n", "1 5\n", "1 0 1\n", "V1\n", "3 V5 N9"}) {
    EXPECT_FALSE(ParseUidList(text).has_value()) << text;
  }
}

TEST(UidList, IsReadBackAsWritten) {
  const auto list = ParseUidList(FormatUidListHead(77, 10, "c1968807dcfd026b0442000083ecc375") +
                                 FormatUidListLine(3, "", "a,S=1") + FormatUidListLine(9, "UID9-7", "b"));
  ASSERT_TRUE(list.has_value());
  EXPECT_EQ(list->uid_validity, 77u);
  EXPECT_EQ(list->uid_next, 10u);
  EXPECT_EQ(list->by_name.at("a,S=1").uid, 3u);
  EXPECT_EQ(list->by_name.at("b").uidl, "UID9-7");
}

TEST(CourierUidls, AreThoseOfItsPop3Server) {
  const auto uidls = ParseCourierUidls(
      "/2 5 1262234910\n"
      "1262234911.M1P2.host,S=5:2,S 7 3:1262234910\n"
      "a name 8 4:0\n"
      "old+name 9 0:0\n"
      "no numbers here\n"
      "cut 9 5:12");
  EXPECT_EQ(uidls.size(), 3u);
  EXPECT_EQ(uidls.at("1262234911.M1P2.host,S=5"), "UID3-1262234910");
  EXPECT_EQ(uidls.at("a name"), "UID4");
  EXPECT_EQ(uidls.at("old+name"), "old+2Bname");
  EXPECT_EQ(ParseCourierUidls("/3 5 9\na 7 3:9:1\n").at("a"), "UID3-9");
  EXPECT_TRUE(ParseCourierUidls("/1 5\na 7 3:9\n").empty());
}

TEST(KeywordList, GivesLettersTheirKeywords) {
  EXPECT_EQ(ParseKeywordList("0 $Label1\n2 Junk\n26 beyond\nx y\n3\n"),
            (std::vector<std::string>{"$Label1", "", "Junk"}));
}

TEST(Subscriptions, OfEachServer) {
  EXPECT_EQ(ParseSubscriptions("V\t2\n\nSent\t2024\nA.B\n", '.'), (std::vector<std::string>{"Sent/2024", "A.B"}));
  EXPECT_EQ(ParseSubscriptions("Sent.2024\nINBOX\n", '.'), (std::vector<std::string>{"Sent/2024", "INBOX"}));
  EXPECT_EQ(ParseSubscriptions("Sent/2024\n", '/'), (std::vector<std::string>{"Sent/2024"}));
}

}  // namespace
}  // namespace transfer
