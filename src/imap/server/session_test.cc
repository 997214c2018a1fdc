// The session over the real store: login, mailboxes, what others do meanwhile, trouble. Messages are in
// session_messages_test.cc.
#include "imap/server/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "imap/server/testing.h"

namespace imap {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kOffered =
    "IMAP4rev1 LITERAL+ SASL-IR UIDPLUS IDLE MOVE UNSELECT NAMESPACE ID ENABLE CHILDREN SPECIAL-USE LIST-EXTENDED "
    "CONDSTORE STATUS=SIZE";

// ---- Before the login ----

TEST(Session, GreetsWithWhatItCanDo) {
  TestBed bed;
  TestClient& client = bed.ConnectRaw();
  EXPECT_EQ(client.ReadLineBeginning("* OK"),
            "* OK [CAPABILITY " + kOffered + " AUTH=PLAIN] localhost Posthorn ready\r\n");
  EXPECT_EQ(client.Do("CAPABILITY"), "* CAPABILITY " + kOffered + " AUTH=PLAIN\r\nt OK CAPABILITY completed\r\n");
  EXPECT_EQ(client.Do("LOGOUT"), "* BYE logging out\r\nt OK LOGOUT completed\r\n");
  EXPECT_EQ(client.ReadToEnd(), "<closed>");
}

TEST(Session, RefusesPasswordsInPlaintext) {
  TestBed bed({.settings = {}, .tls = true});
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("CAPABILITY"), HasSubstr(" STARTTLS LOGINDISABLED\r\n"));
  EXPECT_THAT(client.LogIn(), StartsWith("t NO [PRIVACYREQUIRED]"));
  EXPECT_THAT(client.Do("AUTHENTICATE PLAIN"), StartsWith("t NO [PRIVACYREQUIRED]"));

  TestBed remote({.settings = {.plaintext_auth_on_loopback = true},
                  .connection = {.client = {.ip = "192.0.2.1", .port = 1, .is_loopback = false}}});
  EXPECT_THAT(remote.Connect().LogIn(), StartsWith("t NO [PRIVACYREQUIRED]"));
}

TEST(Session, StartTlsForgetsWhatWasSentInPlaintext) {
  TestBed bed({.settings = {}, .tls = true});
  TestClient& client = bed.Connect();
  client.Send("a STARTTLS\r\nb LOGIN alice@example.test posthorn\r\nc NO");
  EXPECT_THAT(client.ReadLineBeginning("a "), StartsWith("a OK"));
  ASSERT_TRUE(bed.node().Run(client.connection().StartTls(nullptr)).has_value());
  EXPECT_EQ(client.Do("CAPABILITY"), "* CAPABILITY " + kOffered + " AUTH=PLAIN\r\nt OK CAPABILITY completed\r\n");
  EXPECT_THAT(client.Do("STARTTLS"), StartsWith("t BAD"));
  EXPECT_THAT(client.LogIn(), StartsWith("t OK [CAPABILITY " + kOffered + "] logged in"));
}

TEST(Session, LogsInWithLoginAndWithPlain) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("LIST \"\" *"), StartsWith("t BAD log in first"));
  EXPECT_THAT(client.Do("LOGIN alice@example.test wrong"), StartsWith("t NO [AUTHENTICATIONFAILED]"));
  EXPECT_THAT(client.Do("LOGIN {18+}\r\nalice@example.test \"posthorn\""), StartsWith("t OK"));
  EXPECT_THAT(client.LogIn(), StartsWith("t BAD you are logged in already"));

  TestClient& plain = bed.Connect();
  plain.Send("a AUTHENTICATE PLAIN\r\n");
  EXPECT_EQ(plain.ReadLineBeginning("+"), "+ \r\n");
  plain.Send("*\r\n");
  EXPECT_THAT(plain.ReadLineBeginning("a "), StartsWith("a BAD"));
  plain.Send("b AUTHENTICATE PLAIN\r\n" + base::EncodeBase64(std::string_view("\0alice@example.test\0posthorn", 28)) +
             "\r\n");
  EXPECT_THAT(plain.ReadLineBeginning("b "), HasSubstr("b OK"));
  EXPECT_THAT(plain.Do("AUTHENTICATE CRAM-MD5"), StartsWith("t BAD"));
}

TEST(Session, LogsInWithScram) {
  TestBed bed({.scram_keys = true});
  for (const bool at_once : {true, false}) {
    TestClient& client = bed.Connect();
    EXPECT_THAT(client.Do("CAPABILITY"), HasSubstr(" AUTH=PLAIN AUTH=SCRAM-SHA-256\r\n"));
    auth::ScramClient scram("alice@example.test", "posthorn");
    const auto challenged = [&] {
      const std::string line = client.ReadLineBeginning("+ ");
      return base::DecodeBase64(line.substr(2, line.size() - 4)).value();
    };
    const std::string first = base::EncodeBase64(scram.First());
    client.Send(at_once ? "a AUTHENTICATE SCRAM-SHA-256 " + first + "\r\n"
                        : "a AUTHENTICATE SCRAM-SHA-256\r\n" + first + "\r\n");
    if (!at_once) EXPECT_EQ(challenged(), "");
    client.Send(base::EncodeBase64(scram.Final(challenged())) + "\r\n");
    EXPECT_TRUE(scram.Believes(challenged()));
    client.Send("\r\n");
    EXPECT_THAT(client.ReadLineBeginning("a "), StartsWith("a OK [CAPABILITY " + kOffered + "] logged in"));
    EXPECT_THAT(client.Do("SELECT INBOX"), HasSubstr("t OK"));
  }
}

TEST(Session, AWrongScramProofIsAWrongPassword) {
  TestBed bed({.scram_keys = true});
  TestClient& client = bed.Connect();
  auth::ScramClient scram("alice@example.test", "guess");
  client.Send("a AUTHENTICATE SCRAM-SHA-256 " + base::EncodeBase64(scram.First()) + "\r\n");
  const std::string challenge = client.ReadLineBeginning("+ ");
  client.Send(base::EncodeBase64(scram.Final(base::DecodeBase64(challenge.substr(2, challenge.size() - 4)).value())) +
              "\r\n");
  EXPECT_THAT(client.ReadLineBeginning("a "), StartsWith("a NO [AUTHENTICATIONFAILED]"));
  EXPECT_THAT(client.Do("AUTHENTICATE SCRAM-SHA-256 " + base::EncodeBase64("n,,n=user")),
              StartsWith("t BAD the SCRAM"));
  client.Send("b AUTHENTICATE SCRAM-SHA-256 " + base::EncodeBase64(scram.First()) + "\r\n*\r\n");
  EXPECT_THAT(client.ReadLineBeginning("b "), HasSubstr("\r\nb BAD authentication cancelled"));
  EXPECT_THAT(client.LogIn(), StartsWith("t OK"));
}

TEST(Session, ScramIsOfferedOnceAllAccountsHaveKeys) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("AUTHENTICATE SCRAM-SHA-256 biws"), StartsWith("t NO this SASL mechanism is not offered"));
  EXPECT_THAT(client.LogIn(), StartsWith("t OK"));
  EXPECT_THAT(bed.Connect().Do("CAPABILITY"), HasSubstr("AUTH=SCRAM-SHA-256"));
}

TEST(Session, AFailingDirectoryIsNoWrongPassword) {
  TestBed bed;
  bed.directory().failure = base::Errc::kIo;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.LogIn(), StartsWith("t NO [UNAVAILABLE]"));
  bed.directory().failure.reset();
  EXPECT_THAT(client.LogIn(), StartsWith("t OK"));
}

TEST(Session, EndsAfterTooManyWrongPasswordsAndBadCommands) {
  TestBed bed({.settings = {.bad_commands_max = 3, .login_failures_max = 2, .plaintext_auth_on_loopback = true}});
  TestClient& guesser = bed.Connect();
  guesser.Do("LOGIN alice@example.test a");
  EXPECT_THAT(guesser.Do("LOGIN alice@example.test b"), HasSubstr("* BYE too many wrong passwords\r\n"));
  EXPECT_EQ(guesser.ReadToEnd(), "<closed>");

  TestClient& babbler = bed.Connect();
  babbler.Do("X");
  babbler.Do("NOOP");
  babbler.Do("X");
  babbler.Do("X");
  babbler.Send("a X\r\n");
  EXPECT_THAT(babbler.ReadToEnd(), HasSubstr("* BYE too many bad commands\r\n<closed>"));
}

TEST(Session, EndsWhenTheClientIsSilentForTooLong) {
  TestBed bed;
  TestClient& stranger = bed.Connect();
  TestClient& user = bed.Connect();
  user.LogIn();
  bed.Advance(55s);
  stranger.Send("a NO");  // Dripping bytes does not prolong the time to log in.
  user.Do("NOOP");
  bed.Advance(8s);
  EXPECT_THAT(stranger.ReadToEnd(), HasSubstr("* BYE nothing was heard for too long"));
  EXPECT_THAT(user.Do("NOOP"), StartsWith("t OK"));
  bed.Advance(1795s);
  EXPECT_THAT(user.Do("NOOP"), StartsWith("t OK"));
  bed.Advance(1802s);
  EXPECT_THAT(user.ReadToEnd(), HasSubstr("* BYE nothing was heard for too long"));
}

// ---- Mailboxes ----

TEST(Session, MakesListsRenamesAndDeletesMailboxes) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  EXPECT_EQ(client.Do("LIST \"\" \"\""), "* LIST (\\Noselect) \"/\" \"\"\r\nt OK LIST completed\r\n");
  EXPECT_EQ(client.Do("LIST \"\" *"), "* LIST (\\HasNoChildren) \"/\" INBOX\r\nt OK LIST completed\r\n");
  EXPECT_THAT(client.Do("CREATE work/&AOk-t&AOk-"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("CREATE work/&AOk-t&AOk-"), StartsWith("t NO [ALREADYEXISTS]"));
  EXPECT_THAT(client.Do("CREATE inbox"), StartsWith("t NO [ALREADYEXISTS]"));
  EXPECT_THAT(client.Do("CREATE a//b"), StartsWith("t NO [CANNOT]"));
  EXPECT_THAT(client.Do("LIST \"\" %"), HasSubstr("\"/\" work\r\n"));
  EXPECT_THAT(client.Do("LIST work/ %"), StartsWith("* LIST (\\HasNoChildren) \"/\" work/&AOk-t&AOk-\r\nt OK"));
  EXPECT_THAT(client.Do("RENAME work play"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("LIST \"\" *"), HasSubstr("\"/\" play/&AOk-t&AOk-\r\n"));
  EXPECT_THAT(client.Do("RENAME nothing else"), StartsWith("t NO [NONEXISTENT]"));
  EXPECT_THAT(client.Do("DELETE play/&AOk-t&AOk-"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("DELETE INBOX"), StartsWith("t NO [NOPERM]"));
  EXPECT_THAT(client.Do("SELECT play/&AOk-t&AOk-"), StartsWith("t NO [NONEXISTENT]"));
}

TEST(Session, ListsSubscribedMailboxesAndTheirParents) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Do("CREATE a/b/c");
  EXPECT_THAT(client.Do("SUBSCRIBE a/b/c"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("LSUB \"\" *"), HasSubstr("* LSUB () \"/\" a/b/c\r\n"));
  EXPECT_THAT(client.Do("LSUB \"\" a/%"), StartsWith("* LSUB (\\Noselect) \"/\" a/b\r\nt OK"));
  EXPECT_THAT(client.Do("UNSUBSCRIBE a/b/c"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("LSUB \"\" a*"), StartsWith("t OK"));
}

TEST(Session, SelectAndStatusTellTheStateOfAMailbox) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Append("INBOX", kSimple, "(\\Seen work) ");
  client.Append("INBOX", kSimple);
  const std::string status = client.Do("STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)");
  EXPECT_THAT(status, StartsWith("* STATUS INBOX (MESSAGES 2 RECENT 2 UIDNEXT 3 UIDVALIDITY "));
  EXPECT_THAT(status, HasSubstr(" UNSEEN 1)\r\nt OK"));
  const std::string examined = client.Do("EXAMINE INBOX");
  EXPECT_THAT(examined, HasSubstr("* 2 EXISTS\r\n* 2 RECENT\r\n* OK [UNSEEN 2] "));
  EXPECT_THAT(examined, HasSubstr("[PERMANENTFLAGS ()]"));
  EXPECT_THAT(examined, HasSubstr("t OK [READ-ONLY] EXAMINE completed\r\n"));
  const std::string selected = client.Do("SELECT inbox");
  EXPECT_THAT(selected, StartsWith("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work)\r\n"));
  EXPECT_THAT(selected, HasSubstr("* 2 RECENT\r\n"));
  EXPECT_THAT(selected, HasSubstr("[PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft work \\*)]"));
  EXPECT_THAT(selected, HasSubstr("* OK [UIDNEXT 3] "));
  EXPECT_THAT(selected, HasSubstr("* OK [UIDVALIDITY "));
  EXPECT_THAT(selected, EndsWith("t OK [READ-WRITE] SELECT completed\r\n"));
  EXPECT_THAT(client.Do("SELECT INBOX"), HasSubstr("* 0 RECENT\r\n"));  // The SELECT before has been told.
}

// ---- Two sessions ----

TEST(Session, TellsWhatAnotherSessionChanged) {
  TestBed bed;
  for (int i = 0; i < 3; ++i) bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  TestClient& one = bed.ConnectAndSelect();
  TestClient& two = bed.ConnectAndSelect();
  two.Do("STORE 2 +FLAGS (\\Flagged)");
  two.Do("STORE 1 +FLAGS.SILENT (\\Deleted)");
  two.Do("EXPUNGE");
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  // Numbers stay while a FETCH by number is answered (RFC 3501 §7.4.1), and what is gone is left out.
  const std::string fetched = one.Do("FETCH 1:3 UID");
  EXPECT_THAT(fetched, StartsWith("* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n"));
  EXPECT_THAT(fetched, HasSubstr("* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent))\r\n* 4 EXISTS\r\n"));
  EXPECT_THAT(fetched, Not(HasSubstr("EXPUNGE")));
  EXPECT_EQ(one.Do("FETCH 1 FLAGS"), "t OK [EXPUNGEISSUED] some messages are gone\r\n");
  EXPECT_EQ(one.Do("NOOP"), "* 1 EXPUNGE\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(one.Do("FETCH 1 UID"), "* 1 FETCH (UID 2)\r\nt OK FETCH completed\r\n");
}

// What SELECT has counted is not told as a change afterwards: some clients take an untagged FETCH for an answer of
// theirs. Mail comes in all the time, and the index has threads of its own, so the order differs from round to round.
TEST(Session, AMessageThatArrivesDuringSelectIsToldOnce) {
  TestBed bed;
  TestClient& reader = bed.Connect();
  TestClient& writer = bed.Connect();
  reader.LogIn();
  writer.LogIn();
  std::string appends;
  for (int i = 0; i < 20; ++i) appends += "a APPEND INBOX {5+}\r\n\r\nhi.\r\n";
  for (int round = 0; round < 30; ++round) {
    writer.Send(appends + "last NOOP\r\n");
    for (int i = 0; i < 5; ++i) {
      ASSERT_THAT(reader.Do("EXAMINE INBOX"), HasSubstr("t OK"));
      ASSERT_THAT(reader.Do("NOOP"), Not(HasSubstr(" FETCH "))) << "round " << round;
    }
    ASSERT_THAT(writer.ReadLineBeginning("last "), Not(HasSubstr("a NO")));
  }
}

TEST(Session, AMessageIsRecentForTheFirstSessionThatHearsOfIt) {
  TestBed bed;
  TestClient& one = bed.ConnectAndSelect();
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_EQ(one.Do("NOOP"), "* 1 EXISTS\r\n* 1 RECENT\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(one.Do("SEARCH NEW"), "* SEARCH 1\r\nt OK SEARCH completed\r\n");
  TestClient& two = bed.ConnectAndSelect();
  EXPECT_EQ(two.Do("SEARCH RECENT"), "* SEARCH\r\nt OK SEARCH completed\r\n");
}

TEST(Session, AMessageIsRecentForOneOfTwoSessionsThatHaveTheMailboxSelected) {
  TestBed bed;
  TestClient& one = bed.ConnectAndSelect();
  TestClient& two = bed.ConnectAndSelect();
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_EQ(two.Do("NOOP"), "* 1 EXISTS\r\n* 1 RECENT\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(one.Do("NOOP"), "* 1 EXISTS\r\n* 0 RECENT\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(one.Do("FETCH 1 FLAGS"), "* 1 FETCH (FLAGS ())\r\nt OK FETCH completed\r\n");
  EXPECT_EQ(two.Do("FETCH 1 FLAGS"), "* 1 FETCH (FLAGS (\\Recent))\r\nt OK FETCH completed\r\n");
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_EQ(one.Do("NOOP"), "* 2 EXISTS\r\n* 1 RECENT\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(two.Do("NOOP"), "* 2 EXISTS\r\n* 1 RECENT\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(one.Do("SEARCH RECENT"), "* SEARCH 2\r\nt OK SEARCH completed\r\n");
  EXPECT_EQ(two.Do("SEARCH RECENT"), "* SEARCH 1\r\nt OK SEARCH completed\r\n");
}

TEST(Session, ExamineSeesWhatIsRecentAndDoesNotTakeIt) {
  TestBed bed;
  TestClient& reader = bed.Connect();
  reader.LogIn();
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_THAT(reader.Do("EXAMINE INBOX"), HasSubstr("* 1 RECENT\r\n"));
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_EQ(reader.Do("NOOP"), "* 2 EXISTS\r\n* 2 RECENT\r\nt OK NOOP completed\r\n");
  TestClient& writer = bed.Connect();
  writer.LogIn();
  EXPECT_THAT(writer.Do("SELECT INBOX"), HasSubstr("* 2 RECENT\r\n"));
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_EQ(writer.Do("NOOP"), "* 3 EXISTS\r\n* 3 RECENT\r\nt OK NOOP completed\r\n");
  EXPECT_EQ(reader.Do("NOOP"), "* 3 EXISTS\r\n* 2 RECENT\r\nt OK NOOP completed\r\n");
}

TEST(Session, EndsWhenItsMailboxIsDeletedByAnother) {
  TestBed bed;
  TestClient& one = bed.Connect();
  one.LogIn();
  one.Do("CREATE x");
  one.Do("SELECT x");
  TestClient& two = bed.Connect();
  two.LogIn();
  two.Do("DELETE x");
  EXPECT_THAT(one.Do("NOOP"), EndsWith("t OK NOOP completed\r\n"));
  EXPECT_THAT(one.ReadToEnd(), HasSubstr("* BYE the selected mailbox was deleted\r\n<closed>"));

  two.Do("CREATE y");
  two.Do("SELECT y");
  EXPECT_THAT(two.Do("DELETE y"), StartsWith("t OK"));  // One's own: it is left.
  EXPECT_THAT(two.Do("CHECK"), StartsWith("t BAD select a mailbox first"));
}

// ---- IDLE ----

TEST(Session, IdlePushesNewsAndEndsWithDone) {
  TestBed bed;
  TestClient& client = bed.ConnectAndSelect();
  client.Send("a IDLE\r\n");
  EXPECT_THAT(client.ReadLineBeginning("+"), EndsWith("+ idling\r\n"));
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  EXPECT_EQ(client.ReadLineBeginning("* 1 RECENT"), "* 1 EXISTS\r\n* 1 RECENT\r\n");
  TestClient& other = bed.ConnectAndSelect();
  other.Do("STORE 1 +FLAGS.SILENT (\\Deleted)");
  EXPECT_THAT(client.ReadLineBeginning("* 1 FETCH"), HasSubstr("FLAGS (\\Deleted \\Recent)"));
  other.Do("EXPUNGE");
  EXPECT_EQ(client.ReadLineBeginning("* 1 EXPUNGE"), "* 1 EXPUNGE\r\n");
  client.Send("DONE\r\nb NOOP\r\n");
  EXPECT_EQ(client.ReadLineBeginning("b "), "a OK IDLE completed\r\nb OK NOOP completed\r\n");
}

TEST(Session, IdleEndsWithAnythingElseTooAndWithTheClient) {
  TestBed bed;
  TestClient& client = bed.ConnectAndSelect();
  client.Send("a IDLE\r\nNOOP\r\n");
  EXPECT_THAT(client.ReadLineBeginning("a "), HasSubstr("a BAD only DONE ends IDLE\r\n"));
  client.Send("b IDLE\r\n");
  client.ReadLineBeginning("+");
  client.connection().Close();
  while (bed.sessions() > 0) bed.node().Run(async::Sleep(1ms));
  TestClient& unselected = bed.Connect();
  unselected.LogIn();
  unselected.Send("c IDLE\r\nDONE\r\n");
  EXPECT_THAT(unselected.ReadLineBeginning("c "), HasSubstr("c OK IDLE completed\r\n"));
}

TEST(Session, CancellingEndsIdleAndEverythingElse) {
  TestBed bed;
  TestClient& idle = bed.ConnectAndSelect();
  idle.Send("a IDLE\r\n");
  idle.ReadLineBeginning("+");
  TestClient& quiet = bed.Connect();
  bed.Stop();
  EXPECT_EQ(bed.sessions(), 0u);
  EXPECT_THAT(idle.ReadToEnd(), HasSubstr("* BYE [UNAVAILABLE] the server is shutting down\r\n<closed>"));
  EXPECT_THAT(quiet.ReadToEnd(), HasSubstr("* BYE [UNAVAILABLE]"));
}

// ---- Trouble ----

TEST(Session, AnswersNoopWhileTheStoreStandsStill) {
  TestBed bed;
  TestClient& selected = bed.ConnectAndSelect();
  bed.node().store().HoldWorkers(true);
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(selected.Do("NOOP"), "t OK NOOP completed\r\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 500ms);  // Not five seconds; the machine may be busy.
  }
  bed.node().store().HoldWorkers(false);
  bed.node().Deliver(std::string(kTestAddress), std::string(kSimple));
  std::string answer;
  while (answer.find("EXISTS") == std::string::npos) answer += selected.Do("NOOP");
  EXPECT_THAT(answer, HasSubstr("* 1 EXISTS\r\n"));
}

TEST(Session, AFullVolumeIsANoAndReadingGoesOn) {
  TestBed bed;
  TestClient& client = bed.ConnectAndSelect();
  const std::string large = std::string((3u << 20) - 2, 'x') + "\r\n";
  std::string answer;
  int appended = 0;
  for (; appended < 100; ++appended) {
    answer = client.Append("INBOX", large);
    if (answer.find("t OK") == std::string::npos) break;
  }
  ASSERT_GT(appended, 0);
  EXPECT_THAT(answer, HasSubstr("t NO [UNAVAILABLE]"));
  EXPECT_THAT(client.Do("FETCH 1 RFC822.SIZE"), HasSubstr("RFC822.SIZE 3145728"));
  EXPECT_THAT(client.Do("FETCH 1 BODY[]<0.3>"), HasSubstr("BODY[]<0> {3}\r\nxxx"));
  EXPECT_THAT(client.Do("STATUS INBOX (MESSAGES)"), HasSubstr(fmt::format("MESSAGES {}", appended)));
}

// ---- Framing ----

TEST(Session, AnswersPipelinedCommandsInOrderWhateverThePieces) {
  TestBed bed({.settings = {.plaintext_auth_on_loopback = true}, .connection = {.piece_bytes_max = 1}});
  TestClient& client = bed.Connect();
  client.Send("a LOGIN alice@example.test {8}\r\n");
  EXPECT_THAT(client.ReadLineBeginning("+"), StartsWith("+ "));
  client.Send("posthorn\r\nb SELECT INBOX\r\nc (\r\nd NOOP\r\n");
  const std::string answer = client.ReadLineBeginning("d ");
  EXPECT_THAT(answer, HasSubstr("a OK"));
  EXPECT_THAT(answer, EndsWith("c BAD a word is missing\r\nd OK NOOP completed\r\n"));
}

TEST(Session, RefusesWhatIsTooLongAndGoesOn) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("LOGIN " + std::string(70'000, 'x') + " y"), StartsWith("t BAD"));
  EXPECT_THAT(client.Do("LOGIN {70000}"), StartsWith("t BAD"));
  EXPECT_THAT(client.LogIn(), StartsWith("t OK"));
}

// Names change hands: by its own rename of a parent, or by another session's.
TEST(Session, DeletingTheSelectedMailboxLeavesItWhateverItIsCalledNow) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.LogIn();
  client.Do("CREATE p/q");
  client.Do("SELECT p/q");
  EXPECT_THAT(client.Do("RENAME p r"), HasSubstr("t OK"));
  EXPECT_THAT(client.Do("DELETE r/q"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("NOOP"), StartsWith("t OK"));

  client.Do("CREATE one");
  client.Do("SELECT one");
  TestClient& other = bed.Connect();
  other.LogIn();
  other.Do("RENAME one two");
  other.Do("CREATE one");
  EXPECT_THAT(client.Do("DELETE one"), StartsWith("t OK"));
  EXPECT_THAT(client.Do("FETCH 1:* FLAGS"), StartsWith("t OK"));  // Still in what is called "two" now.
}

TEST(Session, StrangersMayNotSendMuch) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Do("LOGIN " + std::string(9'000, 'x')), StartsWith("t BAD a command line may have"));
  EXPECT_THAT(client.Do("LOGIN {5000+}\r\n" + std::string(5'000, 'x') + " y"), StartsWith("t BAD a literal may have"));
  client.LogIn();
  client.Do("SELECT INBOX");
  EXPECT_THAT(client.Do("SEARCH SUBJECT {60000+}\r\n" + std::string(60'000, 'x')), HasSubstr("t OK"));
}

}  // namespace
}  // namespace imap
