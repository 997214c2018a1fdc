// What the session offers beyond RFC 3501, over the real store: MOVE, CONDSTORE, LIST-EXTENDED, SPECIAL-USE and the
// small ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "imap/server/session.h"
#include "imap/server/testing.h"

namespace imap {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

void DeliverMany(TestBed& bed, int count) {
  for (int i = 0; i < count; ++i) bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
}

// The number that stands behind `before`.
std::uint64_t NumberAfter(std::string_view text, std::string_view before) {
  const std::size_t at = text.find(before);
  CHECK(at != std::string_view::npos);
  return std::stoull(std::string(text.substr(at + before.size())));
}

std::uint64_t HighestModseq(TestClient& client) {
  return NumberAfter(client.Do("STATUS INBOX (HIGHESTMODSEQ)"), "HIGHESTMODSEQ ");
}

// What others changed. NOOP does not wait for a store that is slow, which on a busy machine it may be.
std::string News(TestClient& client) {
  return client.Do("LSUB \"\" none");
}

// ---- The small ones ----

TEST(SessionExtensions, TakesTheFirstAnswerWithAuthenticate) {
  TestBed bed;
  const auto plain = [](std::string_view text) { return base::EncodeBase64(text); };
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("AUTHENTICATE PLAIN ="), StartsWith("t BAD"));
  EXPECT_THAT(client.Do("AUTHENTICATE PLAIN no*base64"), StartsWith("t BAD"));
  EXPECT_THAT(client.Do("AUTHENTICATE PLAIN " + plain({"\0alice@example.test\0wrong", 25})),
              StartsWith("t NO [AUTHENTICATIONFAILED]"));
  EXPECT_THAT(client.Do("AUTHENTICATE PLAIN " + plain({"\0alice@example.test\0posthorn", 28})), StartsWith("t OK"));
}

TEST(SessionExtensions, UnselectLeavesTheMailboxAsItIs) {
  TestBed bed;
  DeliverMany(bed, 2);
  TestClient& client = bed.ConnectAndSelect();
  client.Do("STORE 1 +FLAGS.SILENT (\\Deleted)");
  EXPECT_EQ(client.Do("UNSELECT"), "t OK UNSELECT completed\r\n");
  EXPECT_THAT(client.Do("UNSELECT"), StartsWith("t BAD select a mailbox first"));
  EXPECT_THAT(client.Do("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 2"));
}

TEST(SessionExtensions, TellsItsNamespaceItsNameAndWhatIsEnabled) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("NAMESPACE"), StartsWith("t BAD log in first"));
  EXPECT_THAT(client.Do("ENABLE CONDSTORE"), StartsWith("t BAD log in first"));
  EXPECT_EQ(client.Do("ID (\"name\" \"a client\\\"\" \"os\" NIL)"),
            "* ID (\"name\" \"Posthorn\")\r\nt OK ID completed\r\n");
  client.LogIn();
  EXPECT_EQ(client.Do("ID NIL"), "* ID (\"name\" \"Posthorn\")\r\nt OK ID completed\r\n");
  EXPECT_EQ(client.Do("NAMESPACE"), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\nt OK NAMESPACE completed\r\n");
  EXPECT_EQ(client.Do("ENABLE X-NONE"), "* ENABLED\r\nt OK ENABLE completed\r\n");
  EXPECT_EQ(client.Do("ENABLE X-NONE CONDSTORE"), "* ENABLED CONDSTORE\r\nt OK ENABLE completed\r\n");
}

TEST(SessionExtensions, StatusTellsTheSizeOfAMailbox) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Append("INBOX", kSimple);
  client.Append("INBOX", kSimple);
  EXPECT_THAT(client.Do("STATUS INBOX (SIZE MESSAGES)"),
              StartsWith(fmt::format("* STATUS INBOX (SIZE {} MESSAGES 2)\r\n", 2 * kSimple.size())));
}

// ---- MOVE ----

TEST(SessionExtensions, MovesAndTellsWhereTo) {
  TestBed bed;
  DeliverMany(bed, 5);
  TestClient& client = bed.ConnectAndSelect();
  EXPECT_THAT(client.Do("MOVE 2:3 archive"), StartsWith("t NO [TRYCREATE]"));
  client.Do("CREATE archive");
  EXPECT_THAT(client.Do("MOVE 2:3 archive"),
              MatchesRegex(". OK .COPYUID [0-9]+ 2:3 1:2. moved\r\n. 3 EXPUNGE\r\n. 2 EXPUNGE\r\nt OK MOVE "
                           "completed\r\n"));
  EXPECT_THAT(client.Do("UID MOVE 5 archive"),
              MatchesRegex(". OK .COPYUID [0-9]+ 5 3. moved\r\n. 3 EXPUNGE\r\nt OK MOVE completed\r\n"));
  EXPECT_EQ(client.Do("UID MOVE 77 archive"), "t OK nothing to move\r\n");
  EXPECT_THAT(client.Do("STATUS archive (MESSAGES)"), HasSubstr("MESSAGES 3"));
  EXPECT_EQ(client.Do("UID SEARCH ALL"), "* SEARCH 1 4\r\nt OK SEARCH completed\r\n");
  // Within the mailbox a message gets a new UID.
  EXPECT_THAT(client.Do("MOVE 1 INBOX"), HasSubstr("* 1 EXPUNGE\r\n* 2 EXISTS\r\n"));
  EXPECT_EQ(client.Do("UID SEARCH ALL"), "* SEARCH 4 6\r\nt OK SEARCH completed\r\n");
  client.Do("EXAMINE INBOX");
  EXPECT_THAT(client.Do("MOVE 1 archive"), StartsWith("t NO [READ-ONLY]"));
}

TEST(SessionExtensions, MovesWhatAnotherHasNotTaken) {
  TestBed bed;
  DeliverMany(bed, 3);
  TestClient& one = bed.ConnectAndSelect();
  TestClient& two = bed.ConnectAndSelect();
  one.Do("CREATE archive");
  two.Do("MOVE 2 archive");
  EXPECT_THAT(one.Do("MOVE 2 archive"), StartsWith("* 2 EXPUNGE\r\nt OK all these messages are gone"));
  EXPECT_THAT(one.Do("STATUS archive (MESSAGES)"), HasSubstr("MESSAGES 1"));
}

// RFC 3501 §7.4.1, for each of the three commands; the next other command tells it.
TEST(SessionExtensions, NumbersStayWhileFetchStoreAndSearchAreAnswered) {
  for (const std::string_view command : {"FETCH 1:3 FLAGS", "STORE 3 +FLAGS (\\Seen)", "SEARCH ALL"}) {
    TestBed bed;
    DeliverMany(bed, 3);
    TestClient& one = bed.ConnectAndSelect();
    TestClient& two = bed.ConnectAndSelect();
    two.Do("CREATE archive");
    two.Do("MOVE 1 archive");
    const std::string answer = one.Do(command);
    EXPECT_THAT(answer, HasSubstr("t OK")) << command;
    EXPECT_THAT(answer, Not(HasSubstr("EXPUNGE\r\n"))) << command;
    EXPECT_EQ(News(one), "* 1 EXPUNGE\r\nt OK LSUB completed\r\n") << command;
  }
}

// ---- LIST ----

TEST(SessionExtensions, ListsByChildrenSubscriptionAndPattern) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  for (const char* name : {"a/b/c", "d"}) client.Do(fmt::format("CREATE {}", name));
  for (const char* name : {"a/b/c", "d", "gone/far"}) client.Do(fmt::format("SUBSCRIBE {}", name));
  client.Do("CREATE p/q");
  client.Do("DELETE p");
  const struct {
    std::string_view command;
    std::string_view expected;
  } rows[] = {
      {"LIST \"\" %",
       "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST (\\HasChildren) \"/\" a\r\n* LIST (\\HasNoChildren) \"/\" d\r\n"
       "* LIST (\\Noselect \\HasChildren) \"/\" p\r\n"},
      {"LIST \"\" (d a/%)", "* LIST (\\HasChildren) \"/\" a/b\r\n* LIST (\\HasNoChildren) \"/\" d\r\n"},
      {"LIST (SUBSCRIBED) \"\" *",
       "* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c\r\n* LIST (\\HasNoChildren \\Subscribed) \"/\" d\r\n"
       "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" gone/far\r\n"},
      {"LIST \"\" a* RETURN (SUBSCRIBED CHILDREN)",
       "* LIST (\\HasChildren) \"/\" a\r\n* LIST (\\HasChildren) \"/\" a/b\r\n"
       "* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c\r\n"},
      {"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
       "* LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
       "* LIST (\\HasNoChildren \\Subscribed) \"/\" d\r\n"
       "* LIST (\\NonExistent \\HasNoChildren) \"/\" gone (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"},
      {"LIST (REMOTE) \"\" \"\"", ""},
      {"LIST \"\" \"\"", "* LIST (\\Noselect) \"/\" \"\"\r\n"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(client.Do(row.command), std::string(row.expected) + "t OK LIST completed\r\n") << row.command;
  }
}

TEST(SessionExtensions, AnOlderAccountGetsItsSpecialMailboxesWithItsNextLogin) {
  TestBed bed({.special_mailboxes = true});
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.LogIn(), StartsWith("t OK"));
  const std::string special =
      "* LIST (\\HasNoChildren \\Archive) \"/\" Archive\r\n* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n"
      "* LIST (\\HasNoChildren \\Junk) \"/\" Junk\r\n* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
      "* LIST (\\HasNoChildren \\Trash) \"/\" Trash\r\nt OK LIST completed\r\n";
  EXPECT_EQ(client.Do("LIST (SPECIAL-USE) \"\" *"), special);
  EXPECT_EQ(client.Do("LIST (SPECIAL-USE) \"\" * RETURN (SPECIAL-USE)"), special);
  EXPECT_THAT(client.Do("LIST \"\" * RETURN (SPECIAL-USE)"), HasSubstr("\\Sent) \"/\" Sent\r\n"));
  EXPECT_THAT(client.Do("LSUB \"\" *"), HasSubstr("* LSUB () \"/\" Drafts\r\n"));
  client.Do("DELETE Archive");
  TestClient& again = bed.Connect();
  again.LogIn();
  EXPECT_THAT(again.Do("LIST \"\" *"), Not(HasSubstr("Archive")));
}

// ---- CONDSTORE ----

TEST(SessionExtensions, TellsWhatChangedSinceAModseq) {
  TestBed bed;
  DeliverMany(bed, 3);
  TestClient& client = bed.Connect();
  client.LogIn();
  const std::uint64_t known = NumberAfter(client.Do("SELECT INBOX (CONDSTORE)"), "[HIGHESTMODSEQ ");
  EXPECT_EQ(known, HighestModseq(client));
  EXPECT_EQ(client.Do(fmt::format("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {})", known)), "t OK FETCH completed\r\n");
  EXPECT_EQ(
      client.Do("STORE 2 +FLAGS (\\Seen)"),
      fmt::format("* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ ({}))\r\nt OK STORE completed\r\n", known + 1));
  EXPECT_EQ(client.Do("STORE 3 +FLAGS.SILENT (\\Seen)"),
            fmt::format("* 3 FETCH (UID 3 MODSEQ ({}))\r\nt OK STORE completed\r\n", known + 2));
  EXPECT_EQ(client.Do(fmt::format("FETCH 1:* (UID) (CHANGEDSINCE {})", known + 1)),
            fmt::format("* 3 FETCH (MODSEQ ({}) UID 3)\r\nt OK FETCH completed\r\n", known + 2));
  DeliverMany(bed, 1);
  News(client);
  EXPECT_EQ(client.Do(fmt::format("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {})", known + 1)),
            fmt::format("* 3 FETCH (UID 3 MODSEQ ({}) FLAGS (\\Seen \\Recent))\r\n"
                        "* 4 FETCH (UID 4 MODSEQ ({}) FLAGS (\\Recent))\r\nt OK FETCH completed\r\n",
                        known + 2, known + 3));
  EXPECT_EQ(client.Do(fmt::format("SEARCH MODSEQ {}", known + 2)),
            fmt::format("* SEARCH 3 4 (MODSEQ {})\r\nt OK SEARCH completed\r\n", known + 3));
  EXPECT_EQ(client.Do(fmt::format("SEARCH MODSEQ \"/flags/\\\\Seen\" all {}", known + 9)),
            "* SEARCH\r\nt OK SEARCH completed\r\n");
}

TEST(SessionExtensions, StoresOnlyWhatNobodyElseHasChanged) {
  TestBed bed;
  DeliverMany(bed, 3);
  TestClient& one = bed.ConnectAndSelect();
  const std::uint64_t known = HighestModseq(one);
  TestClient& two = bed.ConnectAndSelect();
  two.Do("UID STORE 2 +FLAGS.SILENT (\\Flagged)");
  const std::string answer = one.Do(fmt::format("UID STORE 1:3 (UNCHANGEDSINCE {}) +FLAGS.SILENT (\\Seen)", known));
  EXPECT_THAT(answer, HasSubstr(fmt::format("* 1 FETCH (UID 1 MODSEQ ({}))\r\n", known + 2)));
  EXPECT_THAT(answer, HasSubstr(fmt::format("* 3 FETCH (UID 3 MODSEQ ({}))\r\n", known + 2)));
  EXPECT_THAT(answer,
              HasSubstr(fmt::format("* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ ({}))\r\n", known + 1)));
  EXPECT_THAT(answer, EndsWith("t OK [MODIFIED 2] some messages were changed by others\r\n"));
  EXPECT_THAT(one.Do("STORE 1:2 (UNCHANGEDSINCE 0) FLAGS ()"),
              StartsWith("t OK [MODIFIED 1:2] some messages were changed by others"));
  EXPECT_THAT(one.Do("FETCH 2 FLAGS"), StartsWith("* 2 FETCH (FLAGS (\\Flagged \\Recent))"));
}

TEST(SessionExtensions, ModseqsAreToldOnlyToWhoWantsThem) {
  TestBed bed;
  DeliverMany(bed, 2);
  TestClient& plain = bed.ConnectAndSelect();
  TestClient& knowing = bed.ConnectAndSelect();
  EXPECT_THAT(knowing.Do("ENABLE CONDSTORE"),
              MatchesRegex(". ENABLED CONDSTORE\r\n. OK .HIGHESTMODSEQ [0-9]+. highest\r\nt OK ENABLE completed\r\n"));
  TestClient& third = bed.ConnectAndSelect();
  third.Do("STORE 1 +FLAGS (\\Flagged)");
  EXPECT_THAT(News(plain), Not(HasSubstr("MODSEQ")));
  EXPECT_THAT(News(knowing), MatchesRegex(". 1 FETCH .UID 1 FLAGS ..Flagged. MODSEQ .[0-9]+..\r\nt OK.*"));
  EXPECT_THAT(plain.Do("STORE 2 +FLAGS (\\Seen)"), Not(HasSubstr("MODSEQ")));
  EXPECT_THAT(plain.Do("FETCH 2 MODSEQ"),
              MatchesRegex(". OK .HIGHESTMODSEQ [0-9]+. highest\r\n. 2 FETCH .MODSEQ .[0-9]+..\r\nt OK.*"));
  EXPECT_THAT(plain.Do("FETCH 1 BODY[TEXT]"), HasSubstr(" FLAGS (\\Flagged \\Seen \\Recent) MODSEQ ("));
  EXPECT_THAT(plain.Do("SELECT INBOX"), StartsWith("* OK [CLOSED] left the mailbox\r\n"));
}

}  // namespace
}  // namespace imap
