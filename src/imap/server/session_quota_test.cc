// QUOTA (RFC 9208) over the real store: what is told, and what is refused without a trace, CONDSTORE included.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imap/server/session.h"
#include "imap/server/testing.h"

namespace imap {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void SetLimits(TestBed& bed, std::uint64_t bytes, std::uint64_t mails) {
  bed.node().store().SetQuotaRule({.limits = {.bytes = bytes, .mails = mails}});
}

TEST(SessionQuota, TellsUsageAndLimits) {
  TestBed bed;
  SetLimits(bed, 10'000, 20);
  TestClient& client = bed.ConnectAndSelect();
  client.Append("INBOX", kSimple);
  const std::string quota = "* QUOTA \"\" (STORAGE 1 10 MESSAGE 1 20)\r\n";
  EXPECT_EQ(client.Do("GETQUOTAROOT INBOX"), "* QUOTAROOT INBOX \"\"\r\n" + quota + "t OK GETQUOTAROOT completed\r\n");
  EXPECT_EQ(client.Do("GETQUOTAROOT \"no such box\""),
            "* QUOTAROOT \"no such box\" \"\"\r\n" + quota + "t OK GETQUOTAROOT completed\r\n");
  EXPECT_EQ(client.Do("GETQUOTA \"\""), quota + "t OK GETQUOTA completed\r\n");
  EXPECT_THAT(client.Do("GETQUOTA other"), StartsWith("t NO [NONEXISTENT]"));
  EXPECT_THAT(client.Do("SETQUOTA \"\" (STORAGE 999)"), StartsWith("t NO [NOPERM]"));
  EXPECT_THAT(client.Do("SETQUOTA \"\" ()"), StartsWith("t NO [NOPERM]"));
  EXPECT_THAT(client.Do("SETQUOTA \"\" (STORAGE)"), StartsWith("t BAD"));
  SetLimits(bed, 0, 20);
  EXPECT_THAT(client.Do("GETQUOTA \"\""), StartsWith("* QUOTA \"\" (MESSAGE 1 20)\r\n"));
  bed.node().Do(bed.node().store().SetQuota(std::string(kTestAddress), {.bytes = 2048, .mails = 0}));
  EXPECT_THAT(client.Do("GETQUOTA \"\""), StartsWith("* QUOTA \"\" (STORAGE 1 2)\r\n"));
}

TEST(SessionQuota, HasNoRootWithoutLimits) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("GETQUOTAROOT INBOX"), StartsWith("t BAD log in first"));
  EXPECT_THAT(client.Do("GETQUOTA \"\""), StartsWith("t BAD log in first"));
  client.LogIn();
  EXPECT_EQ(client.Do("GETQUOTAROOT INBOX"), "* QUOTAROOT INBOX\r\nt OK GETQUOTAROOT completed\r\n");
  EXPECT_THAT(client.Do("GETQUOTA \"\""), StartsWith("t NO [NONEXISTENT]"));
}

TEST(SessionQuota, RefusesAnAppendThatDoesNotFit) {
  TestBed bed;
  SetLimits(bed, kSimple.size() + 100, 0);
  TestClient& client = bed.ConnectAndSelect();
  EXPECT_THAT(client.Append("INBOX", kSimple), HasSubstr("t OK [APPENDUID"));
  // With a synchronising literal the message need not be sent.
  client.Send("x APPEND INBOX {150}\r\n");
  EXPECT_THAT(client.ReadLineBeginning("x "), StartsWith("x NO [OVERQUOTA]"));
  EXPECT_THAT(client.Append("INBOX", kSimple), EndsWith("delete mail, and empty the trash\r\n"));
  EXPECT_THAT(client.Do("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 1)"));
  client.Do("STORE 1 +FLAGS.SILENT (\\Deleted)");
  EXPECT_THAT(client.Do("STATUS INBOX (DELETED DELETED-STORAGE)"),
              HasSubstr(fmt::format("(DELETED 1 DELETED-STORAGE {})", kSimple.size())));
  client.Do("EXPUNGE");
  EXPECT_THAT(client.Do("STATUS INBOX (DELETED DELETED-STORAGE)"), HasSubstr("(DELETED 0 DELETED-STORAGE 0)"));
  EXPECT_THAT(client.Append("INBOX", kSimple), HasSubstr("t OK [APPENDUID"));
}

TEST(SessionQuota, CountsACopyAgainAndAMoveNot) {
  TestBed bed;
  SetLimits(bed, 0, 3);
  TestClient& client = bed.ConnectAndSelect();
  client.Do("CREATE Trash");
  for (int i = 0; i < 2; ++i) client.Append("INBOX", kSimple);
  // All or nothing (RFC 3501 §6.4.7).
  EXPECT_THAT(client.Do("COPY 1:2 Trash"), HasSubstr("t NO [OVERQUOTA]"));
  EXPECT_THAT(client.Do("STATUS Trash (MESSAGES UIDNEXT)"), HasSubstr("(MESSAGES 0 UIDNEXT 1)"));
  EXPECT_THAT(client.Do("COPY 1 Trash"), HasSubstr("t OK [COPYUID"));
  EXPECT_THAT(client.Do("GETQUOTA \"\""), HasSubstr("MESSAGE 3 3"));
  EXPECT_THAT(client.Do("COPY 1 Trash"), HasSubstr("t NO [OVERQUOTA]"));
  EXPECT_THAT(client.Do("MOVE 1:2 Trash"), HasSubstr("t OK MOVE completed"));
  EXPECT_THAT(client.Do("GETQUOTA \"\""), HasSubstr("MESSAGE 3 3"));
  // What lies in the trash counts until it is gone.
  client.Do("DELETE Trash");
  EXPECT_THAT(client.Do("GETQUOTA \"\""), HasSubstr("MESSAGE 0 3"));
}

TEST(SessionQuota, LeavesMailboxesWithoutRoomAsTheyAreForThoseWhoFollowChanges) {
  TestBed bed;
  SetLimits(bed, 0, 2);
  TestClient& client = bed.ConnectAndSelect();
  client.Do("CREATE Other");
  client.Do("ENABLE CONDSTORE");
  for (int i = 0; i < 2; ++i) client.Append("INBOX", kSimple);
  client.Do("NOOP");
  const std::string before = client.Do("STATUS INBOX (UIDNEXT HIGHESTMODSEQ)");
  const std::string other_before = client.Do("STATUS Other (UIDNEXT HIGHESTMODSEQ)");
  EXPECT_THAT(client.Append("INBOX", kSimple), StartsWith("t NO [OVERQUOTA]")) << "nothing is told";
  EXPECT_THAT(client.Do("UID COPY 1:2 Other"), StartsWith("t NO [OVERQUOTA]"));
  EXPECT_EQ(client.Do("STATUS INBOX (UIDNEXT HIGHESTMODSEQ)"), before);
  EXPECT_EQ(client.Do("STATUS Other (UIDNEXT HIGHESTMODSEQ)"), other_before);
  const std::string moved = client.Do("UID MOVE 1 Other");
  EXPECT_THAT(moved, HasSubstr("* OK [COPYUID "));
  EXPECT_THAT(moved, HasSubstr("* 1 EXPUNGE\r\n"));
  EXPECT_THAT(client.Do("FETCH 1:* (UID) (CHANGEDSINCE 1)"), HasSubstr("* 1 FETCH (MODSEQ (3) UID 2)\r\n"));
  EXPECT_THAT(client.Do("STATUS Other (MESSAGES)"), HasSubstr("MESSAGES 1)"));
}

}  // namespace
}  // namespace imap
