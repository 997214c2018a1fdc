#include "imap/proto/response.h"

#include <gtest/gtest.h>

namespace imap {
namespace {

TEST(Response, WritesStringsSoThatTheyCanBeReadBack) {
  const struct {
    std::string_view text;
    std::string_view string;
    std::string_view nstring;
    std::string_view astring;
  } kRows[] = {
      {"abc", "\"abc\"", "\"abc\"", "abc"},
      {"", "\"\"", "NIL", "\"\""},
      {"a b", "\"a b\"", "\"a b\"", "\"a b\""},
      {"q\"\\", "\"q\\\"\\\\\"", "\"q\\\"\\\\\"", "\"q\\\"\\\\\""},
      {"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
      {"\xc3\xbc", "{2}\r\n\xc3\xbc", "{2}\r\n\xc3\xbc", "{2}\r\n\xc3\xbc"},
      {std::string_view("a\0b", 3), "{2}\r\nab", "{2}\r\nab", "{2}\r\nab"},
      {"nil", "\"nil\"", "\"nil\"", "\"nil\""},
  };
  for (const auto& row : kRows) {
    std::string out;
    AppendString(out, row.text);
    EXPECT_EQ(out, row.string);
    out.clear();
    AppendNString(out, row.text);
    EXPECT_EQ(out, row.nstring);
    out.clear();
    AppendAString(out, row.text);
    EXPECT_EQ(out, row.astring);
  }
  std::string out;
  AppendString(out, std::string(1025, 'x'));
  EXPECT_EQ(out, "{1025}\r\n" + std::string(1025, 'x'));
}

TEST(Response, WritesStatusLines) {
  EXPECT_EQ(StatusLine("a1", Condition::kOk, "", "done"), "a1 OK done\r\n");
  EXPECT_EQ(StatusLine("*", Condition::kBye, kCodeUnavailable, "bye"), "* BYE [UNAVAILABLE] bye\r\n");
  EXPECT_EQ(StatusLine("a1", Condition::kNo, kCodeTryCreate, "a\r\nb\xc3\xbc"), "a1 NO [TRYCREATE] a  b??\r\n");
  EXPECT_EQ(StatusLine("a1", Condition::kBad, "", "x"), "a1 BAD x\r\n");
}

TEST(Response, WritesResponseCodes) {
  EXPECT_EQ(CodeUidValidity(3857529045), "UIDVALIDITY 3857529045");
  EXPECT_EQ(CodeUidNext(4392), "UIDNEXT 4392");
  EXPECT_EQ(CodeUnseen(12), "UNSEEN 12");
  EXPECT_EQ(CodeHighestModseq(715194045007), "HIGHESTMODSEQ 715194045007");
  EXPECT_EQ(CodeModified(std::vector<std::uint32_t>{7, 9}), "MODIFIED 7,9");
  EXPECT_EQ(CodePermanentFlags({.system = kDeleted | kSeen}, true), "PERMANENTFLAGS (\\Deleted \\Seen \\*)");
  EXPECT_EQ(CodePermanentFlags({}, true), "PERMANENTFLAGS (\\*)");
  EXPECT_EQ(CodePermanentFlags({}, false), "PERMANENTFLAGS ()");
  EXPECT_EQ(CodeAppendUid(38505, 3955), "APPENDUID 38505 3955");  // RFC 4315 §3.
  EXPECT_EQ(CodeCopyUid(38505, std::vector<std::uint32_t>{304, 319, 320}, std::vector<std::uint32_t>{3956, 3957, 3958}),
            "COPYUID 38505 304,319:320 3956:3958");
}

TEST(Response, WritesUntaggedLines) {
  EXPECT_EQ(CountLine(172, "EXISTS"), "* 172 EXISTS\r\n");
  EXPECT_EQ(FlagsLine({.system = kAllSystemFlags, .keywords = {"work"}}),
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)\r\n");
  EXPECT_EQ(ListLine(false, "\\Noselect", '/', ""), "* LIST (\\Noselect) \"/\" \"\"\r\n");
  EXPECT_EQ(ListLine(true, "", '\0', "Entwürfe x"), "* LSUB () NIL \"Entw&APw-rfe x\"\r\n");
  const StatusItem items[] = {StatusItem::kMessages, StatusItem::kUidNext};
  EXPECT_EQ(MailboxStatusLine("blurdybloop", items, {.messages = 231, .uid_next = 44292}),
            "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n");  // RFC 3501 §6.3.10.
  const std::vector<StatusItem> large = {StatusItem::kSize, StatusItem::kHighestModseq};
  EXPECT_EQ(MailboxStatusLine("x", large, {.size_bytes = 5'000'000'000, .highest_modseq = 1ull << 62}),
            "* STATUS x (SIZE 5000000000 HIGHESTMODSEQ 4611686018427387904)\r\n");
  const std::vector<StatusItem> deleted = {StatusItem::kDeleted, StatusItem::kDeletedStorage};
  EXPECT_EQ(MailboxStatusLine("x", deleted, {.deleted = 4, .deleted_bytes = 8}),
            "* STATUS x (DELETED 4 DELETED-STORAGE 8)\r\n");
  const std::vector<QuotaResource> resources = {{"STORAGE", 10, 512}, {"MESSAGE", 2, 5'000'000'000}};
  EXPECT_EQ(QuotaLine("", resources), "* QUOTA \"\" (STORAGE 10 512 MESSAGE 2 5000000000)\r\n");
  const std::vector<std::string_view> roots = {""};
  EXPECT_EQ(QuotaRootLine("Entwürfe x", roots), "* QUOTAROOT \"Entw&APw-rfe x\" \"\"\r\n");
  EXPECT_EQ(QuotaRootLine("x", {}), "* QUOTAROOT x\r\n");
  EXPECT_EQ(ListLine(false, "\\HasChildren", '/', "a", R"(("CHILDINFO" ("SUBSCRIBED")))"),
            "* LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
  EXPECT_EQ(ContinuationLine("idling"), "+ idling\r\n");
  EXPECT_EQ(CapabilityLine("IMAP4rev1"), "* CAPABILITY IMAP4rev1\r\n");
}

TEST(Response, BuildsAFetchItemAfterItem) {
  std::string out;
  FetchLine line(out, 23);
  line.Uid(7);
  line.Flags({.system = kSeen}, true);
  line.InternalDate(std::chrono::sys_seconds(std::chrono::seconds(837596665)));
  line.Size(44827);
  line.Name("BODY[]");
  AppendLiteralMark(out, 2);
  out += "hi";
  line.End();
  EXPECT_EQ(out,
            "* 23 FETCH (UID 7 FLAGS (\\Seen \\Recent) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
            "RFC822.SIZE 44827 BODY[] {2}\r\nhi)\r\n");
}

}  // namespace
}  // namespace imap
