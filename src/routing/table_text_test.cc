#include "routing/table_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace routing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> LinesOf(std::string_view text, std::size_t line_bytes_max = 100) {
  LogicalLines lines(text, line_bytes_max);
  LogicalLines::Line line;
  std::vector<std::string> all;
  while (lines.Next(&line)) {
    all.push_back(std::to_string(line.number) + ":" + (line.problem.empty() ? line.text : "!" + line.problem));
  }
  return all;
}

TEST(LogicalLines, AreJoinedAndNumberedByTheirFirstLine) {
  EXPECT_THAT(LinesOf(""), ElementsAre());
  EXPECT_THAT(LinesOf("\n# remark\n   # another\n \t \n"), ElementsAre());
  EXPECT_THAT(LinesOf("a: b"), ElementsAre("1:a: b"));
  EXPECT_THAT(LinesOf("a: b,\r\n\tc\r\nd: e\r\n"), ElementsAre("1:a: b, c", "3:d: e"));
  EXPECT_THAT(LinesOf("\na: b,\n# remark\n\n  c  \n\nd: e"), ElementsAre("2:a: b, c", "7:d: e"));
}

TEST(LogicalLines, SayWhatCannotBeRead) {
  EXPECT_THAT(LinesOf("  a: b\nc: d"), ElementsAre(HasSubstr("1:!the line begins with white space"), "2:c: d"));
  EXPECT_THAT(LinesOf(std::string_view("a: b\0c\nd: e", 11)), ElementsAre(HasSubstr("control character"), "2:d: e"));
  EXPECT_THAT(LinesOf("a: \x1b[2J"), ElementsAre(HasSubstr("control character")));
  EXPECT_THAT(LinesOf("aaaa\n bbbb\n cc\nd", 10), ElementsAre(HasSubstr("longer than 10 bytes"), "4:d"));
}

std::string TargetsText(std::string_view text, const TargetRules& rules) {
  const auto targets = ParseTargets(text, rules);
  if (!targets) return "!" + targets.error().message();
  std::string all;
  for (const Target& target : *targets) {
    all += std::string(all.empty() ? "" : " ") + static_cast<char>(target.kind) + ":" + target.text;
  }
  return all;
}

TEST(Targets, OfAliasesAreReadAsAliases5HasThem) {
  const TargetRules rules{.default_domain = "d.test", .includes = true};
  struct Row {
    std::string_view text;
    std::string_view expected;
  };
  for (const Row& row : {
           Row{"bob", "a:bob@d.test"},
           Row{"bob,", "a:bob@d.test"},
           Row{" bob ,, carol@X.test ", "a:bob@d.test a:carol@x.test"},
           Row{"\\bob", "f:bob@d.test"},
           Row{"\\bob@x.test, bob", "f:bob@x.test a:bob@d.test"},
           Row{"\"first last\", b", "a:\"first last\"@d.test a:b@d.test"},
           Row{"\"a,b\"@x.test", "a:\"a,b\"@x.test"},
           Row{":include:/etc/list", "i:/etc/list"},
           Row{":INCLUDE: /etc/list, b", "i:/etc/list a:b@d.test"},
           Row{"\":include:/etc/my list\"", "i:/etc/my list"},
           Row{"gr\xc3\xbc\xc3\x9f@x.test", "a:gr\xc3\xbc\xc3\x9f@x.test"},
           Row{"b@b\xc3\xbc.test", "a:b@xn--b-eha.test"},
       }) {
    EXPECT_EQ(TargetsText(row.text, rules), row.expected) << row.text;
  }
}

TEST(Targets, ThatAreRefusedSayWhy) {
  const TargetRules aliases{.default_domain = "d.test", .includes = true, .targets_max = 3};
  struct Row {
    std::string_view text;
    std::string_view part;
  };
  for (const Row& row : {
           Row{"", "no target"},
           Row{" , ,", "no target"},
           Row{"|/usr/bin/vacation bob", "is a command, and Posthorn runs none"},
           Row{"\"|/usr/bin/procmail -f-\"", "is a command"},
           Row{"/var/mail/archive", "is a file"},
           Row{"\"/dev/null\"", "is a file"},
           Row{"bob, |x", "\"|x\" is a command"},
           Row{":include:relative", "begins with /"},
           Row{"@x.test", "is a domain"},
           Row{"bob # remark", "separated by commas"},
           Row{"bob carol", "separated by commas"},
           Row{"bob@x..test", "not a valid name"},
           Row{"\"bob", "does not end"},
           Row{"\\", "local part is empty"},
           Row{"\"\"", "has no name"},
           Row{"\"\"@x.test", "has no name"},
           Row{"a,b,c,d", "more than 3 targets"},
       }) {
    EXPECT_THAT(TargetsText(row.text, aliases), HasSubstr(std::string(row.part))) << row.text;
  }
  EXPECT_THAT(TargetsText("bob", {}), HasSubstr("has no domain"));
  EXPECT_THAT(TargetsText(":include:/x", {}), HasSubstr("may stand in an alias only"));
  EXPECT_EQ(TargetsText("@X.test", {.domains = true}), "d:x.test");
}

TEST(Targets, ComeBackFromTheirPackedForm) {
  const std::vector<Target> targets = {{TargetKind::kAddress, "a@x.test"}, {TargetKind::kDomain, "y.test"}};
  std::vector<Target> again;
  ForEachPacked(PackTargets(targets),
                [&](TargetKind kind, std::string_view text) { again.push_back({kind, std::string(text)}); });
  EXPECT_EQ(again, targets);
}

TEST(Lines, AreCutAtTheirFirstUnquotedSeparator) {
  const auto alias = SplitAlias("\"a: b\" : c, d");
  ASSERT_TRUE(alias);
  EXPECT_EQ(alias->name, "a: b");
  EXPECT_EQ(alias->targets, "c, d");
  EXPECT_FALSE(SplitAlias("no colon here"));
  EXPECT_FALSE(SplitAlias(": x"));
  EXPECT_FALSE(SplitAlias("\"\": x"));
  EXPECT_EQ(SplitColumns("\"a b\"@x.test \t c, d").key, "\"a b\"@x.test");
  EXPECT_EQ(SplitColumns("\"a b\"@x.test \t c, d").value, "c, d");
  EXPECT_EQ(SplitColumns("a@x.test").value, "");
}

TEST(Lines, AreShownShortAndSafe) {
  EXPECT_EQ(Quoted("a\x1b[b"), "\"a?[b\"");
  EXPECT_EQ(Quoted(std::string(100, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace routing
