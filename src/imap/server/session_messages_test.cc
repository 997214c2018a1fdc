// What the session does with messages, over the real store: APPEND, FETCH, STORE, COPY, EXPUNGE, SEARCH.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "imap/server/session.h"
#include "imap/server/testing.h"

namespace imap {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// ---- APPEND ----

TEST(Session, AppendsAndReadsBackTheSameBytes) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  EXPECT_THAT(client.Append("INBOX", kSimple, "(\\Flagged $Work) \"17-Jul-1996 02:44:25 -0700\" "),
              testing::MatchesRegex("t OK .APPENDUID [0-9]+ 1. APPEND completed\r\n"));
  client.Do("SELECT INBOX");
  EXPECT_EQ(client.Do("FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"),
            fmt::format("* 1 FETCH (UID 1 FLAGS (\\Flagged $Work \\Recent) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
                        "RFC822.SIZE {0} BODY[] {{{0}}}\r\n{1})\r\nt OK FETCH completed\r\n",
                        kSimple.size(), kSimple));
}

TEST(Session, RefusesAppendsWithoutLosingTheThread) {
  TestBed bed({.settings = {.message_bytes_max = 1000, .plaintext_auth_on_loopback = true}});
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Append("INBOX", "x"), StartsWith("t BAD log in first"));
  client.LogIn();
  EXPECT_THAT(client.Append("nowhere", "Subject: x\r\n\r\na1 NOOP\r\n"), StartsWith("t NO [TRYCREATE]"));
  EXPECT_THAT(client.Do("APPEND nowhere {10}"), StartsWith("t NO [TRYCREATE]"));
  EXPECT_THAT(client.Append("INBOX", std::string(1001, 'x')), StartsWith("t NO [LIMIT]"));
  EXPECT_THAT(client.Append("INBOX", ""), StartsWith("t NO "));
  EXPECT_THAT(client.Append("INBOX", "x", "(\\Nonsense) "), StartsWith("t BAD"));
  EXPECT_THAT(client.Do("APPEND INBOX {1+}\r\nx {1+}\r\ny"), StartsWith("t BAD"));
  EXPECT_THAT(client.Do("APPEND INBOX"), StartsWith("t BAD"));
  EXPECT_THAT(client.Do("STATUS INBOX (MESSAGES)"), StartsWith("* STATUS INBOX (MESSAGES 0)\r\nt OK"));
}

TEST(Session, AppendsWithASynchronisingLiteral) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Send("a APPEND INBOX {5}\r\n");
  EXPECT_THAT(client.ReadLineBeginning("+"), StartsWith("+ "));
  client.Send("hello\r\n");
  EXPECT_THAT(client.ReadLineBeginning("a "), StartsWith("a OK [APPENDUID"));
}

TEST(Session, AClientThatLeavesInTheMiddleOfAnAppendLeavesNothing) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Send("a APPEND INBOX {100+}\r\nhello");
  client.connection().Close();
  while (bed.sessions() > 0) bed.node().Run(async::Sleep(1ms));
  TestClient& other = bed.Connect();
  other.LogIn();
  EXPECT_THAT(other.Do("STATUS INBOX (MESSAGES)"), StartsWith("* STATUS INBOX (MESSAGES 0)"));
}

TEST(Session, RefusesNulInAMessageBeforeAnythingIsStored) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  const std::string large = "Subject: s\r\n\r\n" + std::string(300'000, 'x') + "\r\n";
  for (const std::string& text : {std::string("a\0b\r\n", 5), large + '\0', '\0' + large}) {
    EXPECT_THAT(client.Append("INBOX", text), StartsWith("t NO "));
  }
  EXPECT_THAT(client.Do("STATUS INBOX (MESSAGES)"), StartsWith("* STATUS INBOX (MESSAGES 0)\r\nt OK"));
  EXPECT_THAT(client.Append("INBOX", large), StartsWith("t OK"));
}

// What POP3 announces is what it sends, and a line of a message is a line for every client.
TEST(Session, StoresAppendedLinesWithCrlfAtTheirEnds) {
  TestBed bed;
  TestClient& client = bed.ConnectAndSelect();
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"Subject: s\n\nbody\n.\n", "Subject: s\r\n\r\nbody\r\n.\r\n"},
      {"Subject: s\r\n\r\nbody", "Subject: s\r\n\r\nbody\r\n"},
      {"Subject: s\r\rbody\r", "Subject: s\r\n\r\nbody\r\n"},
  };
  int number = 0;
  for (const auto& [text, stored] : rows) {
    client.Append("INBOX", text);
    EXPECT_THAT(client.Do(fmt::format("FETCH {} (RFC822.SIZE BODY.PEEK[])", ++number)),
                HasSubstr(fmt::format("RFC822.SIZE {0} BODY[] {{{0}}}\r\n{1})", stored.size(), stored)));
  }
}

// ---- FETCH ----

TEST(Session, FetchSetsSeenUnlessPeeking) {
  TestBed bed;
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  TestClient& client = bed.ConnectAndSelect();
  EXPECT_THAT(client.Do("FETCH 1 BODY.PEEK[TEXT]"),
              StartsWith("* 1 FETCH (BODY[TEXT] {13}\r\nHello Alice\r\n)\r\nt OK"));
  EXPECT_THAT(client.Do("FETCH 1 FLAGS"), HasSubstr("FLAGS (\\Recent)"));
  EXPECT_THAT(client.Do("FETCH 1 (FLAGS RFC822.TEXT)"),
              StartsWith("* 1 FETCH (FLAGS (\\Seen \\Recent) RFC822.TEXT {13}\r\nHello Alice\r\n)\r\nt OK"));
  EXPECT_EQ(client.Do("NOOP"), "t OK NOOP completed\r\n");

  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  TestClient& reader = bed.Connect();
  reader.LogIn();
  reader.Do("EXAMINE INBOX");
  EXPECT_THAT(reader.Do("FETCH 2 BODY[TEXT]"), StartsWith("* 2 FETCH (BODY[TEXT] {13}"));
  EXPECT_THAT(reader.Do("FETCH 2 FLAGS"), Not(HasSubstr("\\Seen")));
}

TEST(Session, FetchesEnvelopeStructureAndSections) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Append("INBOX",
                "From: a@example.test\r\nSubject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                "--b\r\n\r\nhi\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n--b--\r\n");
  client.Do("SELECT INBOX");
  EXPECT_THAT(client.Do("FETCH 1 ENVELOPE"),
              StartsWith("* 1 FETCH (ENVELOPE (NIL \"outer\" ((NIL NIL \"a\" \"example.test\"))"));
  EXPECT_THAT(
      client.Do("FETCH 1 BODY"),
      StartsWith("* 1 FETCH (BODY ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 2 1)(\"message\" \"rfc822\" NIL NIL NIL "
                 "\"7bit\" 22 (NIL \"inner\" NIL"));
  EXPECT_THAT(client.Do("FETCH 1 BODYSTRUCTURE"), HasSubstr("\"mixed\" (\"boundary\" \"b\") NIL NIL NIL))\r\n"));
  EXPECT_THAT(client.Do("FETCH 1 BODY.PEEK[2.HEADER.FIELDS (subject)]"),
              StartsWith("* 1 FETCH (BODY[2.HEADER.FIELDS (subject)] {18}\r\nSubject: inner\r\n\r\n)"));
  EXPECT_THAT(client.Do("FETCH 1 (BODY.PEEK[1] BODY.PEEK[2.TEXT]<1.2> BODY.PEEK[9] BODY.PEEK[]<9999.1>)"),
              StartsWith("* 1 FETCH (BODY[1] {2}\r\nhi BODY[2.TEXT]<1> {2}\r\nod BODY[9] NIL BODY[]<9999> {0}\r\n)"));
  EXPECT_THAT(client.Do("FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Content-Type From)]"),
              HasSubstr("{18}\r\nSubject: outer\r\n\r\n)"));
  EXPECT_EQ(client.Do("FETCH 2 FLAGS"), "t OK FETCH completed\r\n");
  EXPECT_THAT(client.Do("UID FETCH 1:* (FLAGS)"), StartsWith("* 1 FETCH (UID 1 FLAGS ("));
  EXPECT_EQ(client.Do("UID FETCH 5:* UID"), "* 1 FETCH (UID 1)\r\nt OK FETCH completed\r\n");
}

TEST(Session, StreamsAndTakesApartALargeMessage) {
  std::string message =
      "Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nneedle\r\n--b\r\n"
      "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  for (int i = 0; i < 30'000; ++i)
    message += fmt::format("{:08}ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv\r\n", i);
  message += "--b--\r\n";
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  ASSERT_THAT(client.Append("INBOX", message), StartsWith("t OK"));
  client.Do("SELECT INBOX");
  const std::string fetched = client.Do("FETCH 1 BODY.PEEK[]");
  ASSERT_EQ(
      fetched.size(),
      fmt::format("* 1 FETCH (BODY[] {{{}}}\r\n)\r\nt OK FETCH completed\r\n", message.size()).size() + message.size());
  EXPECT_TRUE(fetched.find(message) != std::string::npos);
  EXPECT_THAT(client.Do("FETCH 1 BODY.PEEK[2]<1000000.16>"),
              HasSubstr("BODY[2]<1000000> {16}\r\n" + message.substr(message.find("00000000ABC") + 1'000'000, 16)));
  EXPECT_THAT(client.Do("FETCH 1 BODY"),
              HasSubstr("(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 1739998) \"mixed\""));
  EXPECT_THAT(client.Do("SEARCH BODY NEEDLE"), StartsWith("* SEARCH 1\r\n"));
}

// RFC 3501 §9: a literal has no NUL. Mail that came by SMTP may have one; its size stays what RFC822.SIZE says.
TEST(Session, SendsNoNulInALiteral) {
  TestBed bed;
  bed.node().Deliver(std::string(kTestAddress), std::string("A: x\0y\r\nB: z\r\n\r\na\0b\r\n", 21));
  TestClient& client = bed.ConnectAndSelect();
  EXPECT_THAT(client.Do("FETCH 1 BODY.PEEK[TEXT]"), StartsWith("* 1 FETCH (BODY[TEXT] {5}\r\na\x80"
                                                               "b\r\n)\r\n"));
  EXPECT_THAT(client.Do("FETCH 1 BODY.PEEK[HEADER.FIELDS (A)]"), HasSubstr(" {10}\r\nA: x\x80"
                                                                           "y\r\n\r\n)\r\n"));
}

// ---- STORE, COPY, EXPUNGE ----

TEST(Session, StoresFlags) {
  TestBed bed;
  for (int i = 0; i < 3; ++i) bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  TestClient& client = bed.ConnectAndSelect();
  EXPECT_EQ(client.Do("STORE 1:2 +FLAGS (\\Seen work)"),
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)\r\n"
            "* 1 FETCH (UID 1 FLAGS (\\Seen work \\Recent))\r\n* 2 FETCH (UID 2 FLAGS (\\Seen work \\Recent))\r\n"
            "t OK STORE completed\r\n");
  EXPECT_EQ(client.Do("STORE 1 -FLAGS.SILENT (\\Seen)"), "t OK STORE completed\r\n");
  EXPECT_EQ(client.Do("UID STORE 3 FLAGS (\\Draft)"),
            "* 3 FETCH (UID 3 FLAGS (\\Draft \\Recent))\r\nt OK STORE completed\r\n");
  EXPECT_THAT(client.Do("FETCH 1 FLAGS"), HasSubstr("FLAGS (work \\Recent)"));
  client.Do("EXAMINE INBOX");
  EXPECT_THAT(client.Do("STORE 1 FLAGS ()"), StartsWith("t NO [READ-ONLY]"));
  EXPECT_THAT(client.Do("EXPUNGE"), StartsWith("t NO [READ-ONLY]"));
}

TEST(Session, CopiesWithTheNewUids) {
  TestBed bed;
  for (int i = 0; i < 3; ++i) bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  TestClient& client = bed.ConnectAndSelect();
  EXPECT_THAT(client.Do("COPY 2:3 archive"), StartsWith("t NO [TRYCREATE]"));
  client.Do("CREATE archive");
  EXPECT_THAT(client.Do("COPY 2:3 archive"), testing::MatchesRegex("t OK .COPYUID [0-9]+ 2:3 1:2. COPY completed\r\n"));
  EXPECT_THAT(client.Do("UID COPY 1 archive"), testing::MatchesRegex("t OK .COPYUID [0-9]+ 1 3. COPY completed\r\n"));
  EXPECT_THAT(client.Do("UID COPY 77 archive"), StartsWith("t OK nothing to copy"));
  EXPECT_THAT(client.Do("STATUS archive (MESSAGES)"), HasSubstr("MESSAGES 3"));
}

TEST(Session, ExpungesAndCloses) {
  TestBed bed;
  for (int i = 0; i < 5; ++i) bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  TestClient& client = bed.ConnectAndSelect();
  client.Do("STORE 1,3,5 +FLAGS.SILENT (\\Deleted)");
  EXPECT_EQ(client.Do("UID EXPUNGE 3:4"), "* 3 EXPUNGE\r\nt OK EXPUNGE completed\r\n");
  EXPECT_EQ(client.Do("UID EXPUNGE 99"), "t OK EXPUNGE completed\r\n");
  EXPECT_EQ(client.Do("EXPUNGE"), "* 4 EXPUNGE\r\n* 1 EXPUNGE\r\nt OK EXPUNGE completed\r\n");
  EXPECT_EQ(client.Do("UID SEARCH ALL"), "* SEARCH 2 4\r\nt OK SEARCH completed\r\n");
  client.Do("STORE 1 +FLAGS.SILENT (\\Deleted)");
  EXPECT_EQ(client.Do("CLOSE"), "t OK CLOSE completed\r\n");
  EXPECT_THAT(client.Do("FETCH 1 UID"), StartsWith("t BAD select a mailbox first"));
  EXPECT_THAT(client.Do("STATUS INBOX (MESSAGES)"), HasSubstr("MESSAGES 1"));
}

// ---- SEARCH ----

TEST(Session, SearchesIndexHeaderAndDecodedText) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Append("INBOX", kSimple, "(\\Seen) \"17-Jul-1996 02:44:25 -0700\" ");
  client.Append("INBOX",
                "From: bob@example.test\r\nSubject: lunch\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                "Caf=E9 at noon\r\n",
                "(work) ");
  client.Do("SELECT INBOX");
  const struct {
    std::string_view keys;
    std::string_view expected;
  } kRows[] = {
      {"ALL", "* SEARCH 1 2"},
      {"UNSEEN", "* SEARCH 2"},
      {"KEYWORD Work", "* SEARCH 2"},
      {"BEFORE 1-Jan-2000", "* SEARCH 1"},
      {"SENTON 17-Jul-1996", "* SEARCH 1"},
      {"LARGER 10000", "* SEARCH"},
      {"FROM bob", "* SEARCH 2"},
      {"CHARSET UTF-8 SUBJECT {6+}\r\ngr\xc3\xbc\xc3\x9f", "* SEARCH 1"},
      {"HEADER Content-Type \"\"", "* SEARCH 2"},
      {"CHARSET UTF-8 BODY {5+}\r\nCAF\xc3\x89", "* SEARCH 2"},
      {"CHARSET iso-8859-1 SUBJECT {3+}\r\nGR\xdc", "* SEARCH 1"},
      {"CHARSET windows-1252 BODY {4+}\r\ncaf\xe9", "* SEARCH 2"},
      {"BODY lunch", "* SEARCH"},
      {"TEXT lunch", "* SEARCH 2"},
      {"OR TEXT terry BODY noon", "* SEARCH 1 2"},
      {"NOT TEXT terry FROM bob", "* SEARCH 2"},
      {"UID 2:*", "* SEARCH 2"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(client.Do("SEARCH " + std::string(row.keys)), std::string(row.expected) + "\r\nt OK SEARCH completed\r\n")
        << row.keys;
  }
  EXPECT_THAT(client.Do("SEARCH CHARSET X-NONE ALL"), StartsWith("t NO [BADCHARSET (US-ASCII UTF-8)]"));
}

}  // namespace
}  // namespace imap
