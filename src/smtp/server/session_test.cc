// What an SMTP session promises, over the real store and queue on a simulated disk. The dialogue itself is in
// dialogue_test.cc.
#include "smtp/server/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "routing/testing.h"
#include "smtp/server/testing.h"

namespace smtp {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kNamed = "Message-ID: <1@remote.test>\r\nSubject: s\r\n\r\nhello\r\n";
constexpr std::string_view kNameless = "Subject: s\r\n\r\nhello\r\n";

// ---- Promise 1: 250 means durable ----

class WithEachPath : public ::testing::TestWithParam<Path> {
 protected:
  TestBedOptions Options() {
    TestBedOptions options;
    options.settings.path = GetParam();
    return options;
  }
  static std::size_t Accepted(TestBed& bed) { return bed.Mails(kAlice).size() + bed.Queued().size(); }
};

TEST_P(WithEachPath, NoReplyLeavesWhileTheFlushIsHeld) {
  TestBed bed(Options());
  TestClient& client = bed.Connect();
  client.BeginData({kAlice});
  bed.node().device().HoldSyncs(true);
  client.Send(std::string(kNamed) + ".\r\n");
  EXPECT_EQ(client.ReadLine(200ms), "<silence>");
  bed.node().device().HoldSyncs(false);
  EXPECT_THAT(client.ReadReply(), StartsWith("250 2.0.0 Ok: "));
  EXPECT_EQ(Accepted(bed), 1u);
}

TEST_P(WithEachPath, MailIsThereAfterPowerLoss) {
  TestBed bed(Options());
  TestClient& client = bed.Connect();
  ASSERT_THAT(client.SendMail({kAlice}, std::string(kNamed)), StartsWith("250"));
  ASSERT_THAT(client.SendMail({kAlice}, std::string(kNameless)), StartsWith("250"));
  client.BeginData({kAlice});
  client.Send("Subject: not finished\r\n");
  bed.Stop();
  bed.node().Crash(1, store::TestIndex::kDeleted);
  EXPECT_EQ(Accepted(bed), 2u);
}

INSTANTIATE_TEST_SUITE_P(Paths, WithEachPath, ::testing::Values(Path::kAuto, Path::kQueue),
                         [](const auto& info) { return info.param == Path::kAuto ? "Direct" : "Queue"; });

// ---- Clients that vanish ----

TEST(Session, AClientThatVanishesInTheMiddleLeavesNothing) {
  TestBed bed;
  const std::uint64_t used_before = bed.node().pool().used_bytes();
  // Small, grown to a second buffer, and with parts on the disk already.
  for (const std::size_t size : {100u, 50'000u, 900'000u}) {
    TestClient& client = bed.Connect();
    client.BeginData({kAlice});
    client.Send("Subject: s\r\n\r\n" + std::string(size, 'x'));
    EXPECT_EQ(client.ReadLine(20ms), "<silence>");
    EXPECT_GT(bed.node().pool().used_bytes(), used_before);
    client.HangUp();
    bed.Join();
    bed.node().Run(async::Sleep(20ms));  // Parts that were on their way to the disk.
    EXPECT_EQ(bed.node().pool().used_bytes(), used_before) << size;
  }
  EXPECT_THAT(bed.Mails(kAlice), IsEmpty());
  EXPECT_THAT(bed.Queued(), IsEmpty());
}

TEST(Session, AClientThatVanishesInAChunkLeavesNothing) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.Send("EHLO c\r\nMAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 20 LAST\r\nSubject: s\r\n");
  client.HangUp();
  bed.Join();
  EXPECT_THAT(bed.Mails(kAlice), IsEmpty());
}

TEST(Session, ASessionThatIsCancelledLeavesNothing) {
  TestBed bed;
  const std::uint64_t used_before = bed.node().pool().used_bytes();
  TestClient& client = bed.Connect();
  client.BeginData({kAlice});
  client.Send("Subject: s\r\n\r\n");
  bed.Stop();
  EXPECT_EQ(client.ReadLine(), kClosed);
  EXPECT_EQ(bed.node().pool().used_bytes(), used_before);
  EXPECT_THAT(bed.Mails(kAlice), IsEmpty());
}

TEST(Session, MailIsStoredThoughItsClientDoesNotWaitForTheReply) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.BeginData({kAlice});
  client.Send(std::string(kNameless) + ".\r\n");
  client.HangUp();
  bed.Join();
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(1));
}

// ---- A lost 250 ----

TEST(Session, AMailThatNamesItselfIsNotDoubledByALost250) {
  TestBed bed;
  for (int i = 0; i < 3; ++i) {
    TestClient& client = bed.Connect();
    client.BeginData({kAlice, kCarol});
    client.Send(std::string(kNamed) + ".\r\n");
    client.HangUp();
    bed.Join();
    bed.Advance(60s);
  }
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(1));
  EXPECT_THAT(bed.Mails(kCarol), SizeIs(1));
}

TEST(Session, MailsWithoutANameAndMailsThatDifferAreEachDelivered) {
  TestBed bed;
  TestClient& client = bed.Connect();
  for (int i = 0; i < 2; ++i) EXPECT_THAT(client.SendMail({kAlice}, std::string(kNameless)), StartsWith("250"));
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(2));
  // The same name, but another mail; the same mail, but another sender or recipient as given.
  EXPECT_THAT(client.SendMail({kAlice}, std::string(kNamed)), StartsWith("250"));
  EXPECT_THAT(client.SendMail({kAlice}, std::string(kNamed) + "more\r\n"), StartsWith("250"));
  EXPECT_THAT(client.SendMail({"alice+x@example.test"}, std::string(kNamed)), StartsWith("250"));
  client.BeginData({kAlice}, "other@remote.test");
  client.Send(std::string(kNamed) + ".\r\n");
  EXPECT_THAT(client.ReadReply(), StartsWith("250"));
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(6));
}

// ---- Line ends ----

// However the bytes come: the CR behind a lone dot is looked at twice.
TEST(Session, NormalizedMailLosesNoLineEnd) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{4096}}) {
    TestBedOptions options;
    options.settings.line_ends = LineEnds::kNormalize;
    options.connection.piece_bytes_max = piece;
    TestBed bed(std::move(options));
    TestClient& client = bed.Connect();
    ASSERT_THAT(client.SendMail({kAlice}, "Subject: s\r\n\r\na\r\n.\rb\r\n..\rc\nd\r\n"), StartsWith("250")) << piece;
    EXPECT_EQ(TestBed::OwnBytes(bed.Mails(kAlice).front()), "Subject: s\r\n\r\na\r\n\r\nb\r\n.\r\nc\r\nd\r\n") << piece;
  }
}

// ---- Sizes ----

TEST(Session, TakesMailsOfAnySizeByteForByte) {
  TestBedOptions options;
  options.settings.message_bytes_max = 3u << 20;
  TestBed bed(std::move(options));
  TestClient& client = bed.Connect();
  base::Random random(1);
  // Around the sizes of the buffers: 8, 64 and 256 KiB, less our trace.
  for (const std::size_t size :
       {1u, 7'900u, 8'192u, 8'193u, 65'300u, 65'536u, 65'600u, 262'000u, 262'144u, 262'300u, 2'500'000u}) {
    std::string mail = "Subject: s\r\n\r\n";
    while (mail.size() < size)
      mail += std::string(1 + random.Below(900), static_cast<char>('a' + random.Below(26))) + "\r\n";
    ASSERT_THAT(client.SendMail({kAlice}, mail), StartsWith("250")) << size;
    const auto mails = bed.Mails(kAlice);
    ASSERT_TRUE(TestBed::OwnBytes(mails.back()) == mail) << size;
    // The same in chunks.
    client.Send(fmt::format("MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT {}\r\n", mail.size()) + mail);
    client.Send("BDAT 0 LAST\r\n");
    for (int i = 0; i < 4; ++i) ASSERT_THAT(client.ReadReply(), StartsWith("250")) << size;
    ASSERT_TRUE(TestBed::OwnBytes(bed.Mails(kBob).back()) == mail) << size;
  }
}

TEST(Session, CommandsBehindALargeMailAreNotLost) {
  TestBed bed;
  TestClient& client = bed.Connect();
  std::string commands;
  for (int i = 0; i < 2000; ++i) commands += "NOOP\r\n";
  client.BeginData({kAlice});
  client.Send("Subject: s\r\n\r\n" + std::string(300'000, 'x') + "\r\n.\r\n" + commands + "RSET x\r\n");
  EXPECT_THAT(client.ReadReply(), StartsWith("250 2.0.0 Ok: "));
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(client.ReadReply(), "250 2.0.0 Ok");
  EXPECT_THAT(client.ReadReply(), StartsWith("501"));
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(1));
}

TEST(Session, AClientThatNeverReadsIsShownOut) {
  TestBedOptions options;
  options.connection.buffer_bytes_max = 4096;
  TestBed bed(std::move(options));
  TestClient& client = bed.ConnectRaw();
  for (int i = 0; i < 100; ++i) client.connection().TryWrite("HELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\n");
  bed.node().Run(async::Sleep(5ms));
  for (int i = 0; i < 200; ++i) {
    client.connection().TryWrite("HELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\n");
    bed.node().Run(async::Sleep(0ms));
  }
  ASSERT_EQ(bed.sessions(), 1u);
  bed.Advance(302s);
  bed.Join();
}

// ---- Promise 2: what is our fault is 4xx ----

TEST(Session, WithoutMemoryTheMailIsRefusedForNow) {
  TestBedOptions options;
  options.node.pool = {.budget_bytes = 4u << 20, .wait_max = 30ms};
  TestBed bed(std::move(options));
  TestClient& client = bed.Connect();
  std::vector<mffs::Buffer> taken;
  for (const std::uint32_t size : {mffs::BufferPool::kLargeBytes, mffs::BufferPool::kSmallBytes}) {
    for (;;) {
      mffs::Buffer buffer = bed.node().pool().TryAcquire(size);
      if (buffer.capacity() == 0) break;
      taken.push_back(std::move(buffer));
    }
  }
  EXPECT_THAT(client.Ask("HELO c"), StartsWith("250"));
  client.Send("MAIL FROM:<a@remote.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n");
  EXPECT_THAT(client.ReadReply(), StartsWith("250"));
  EXPECT_THAT(client.ReadReply(), StartsWith("250"));
  EXPECT_EQ(client.ReadReply(), "451 4.3.2 The system is busy, try again later");
  // It runs out in the middle of a mail.
  taken.pop_back();
  client.BeginData({kAlice});
  client.Send("Subject: s\r\n\r\n" + std::string(100'000, 'x') + "\r\n.\r\n");
  EXPECT_EQ(client.ReadReply(), "451 4.3.2 The system is busy, try again later");
  EXPECT_THAT(bed.Mails(kAlice), IsEmpty());
  taken.clear();
  EXPECT_THAT(client.SendMail({kAlice}, std::string(kNamed)), StartsWith("250"));
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(1));
}

TEST(Session, AFullVolumeIsSaidWith452AndLosesNothing) {
  TestBedOptions options;
  options.node.device_bytes = 24u << 20;
  TestBed bed(std::move(options));
  TestClient& client = bed.Connect();
  const std::string body(200'000, 'x');
  std::size_t accepted = 0;
  std::string answer;
  EXPECT_THAT(client.Ask("EHLO c"), StartsWith("250"));
  for (int i = 0; i < 500; ++i) {
    answer = client.Ask("MAIL FROM:<a@remote.test> SIZE=200000");
    if (!answer.starts_with("250")) break;
    ASSERT_THAT(client.Ask("RCPT TO:<alice@example.test>"), StartsWith("250"));
    answer = client.Ask("DATA");
    if (!answer.starts_with("354")) break;
    client.Send(fmt::format("Subject: {}\r\n\r\n{}\r\n.\r\n", i, body));
    answer = client.ReadReply();
    if (!answer.starts_with("250")) break;
    accepted += 1;
  }
  EXPECT_THAT(answer, StartsWith("452 4.3.1"));
  EXPECT_GT(accepted, 10u);
  EXPECT_THAT(client.Ask("NOOP"), StartsWith("250"));
  const auto mails = bed.Mails(kAlice);
  ASSERT_THAT(mails, SizeIs(accepted));
  for (std::size_t i = 0; i < accepted; ++i) {
    EXPECT_TRUE(TestBed::OwnBytes(mails[i]) == fmt::format("Subject: {}\r\n\r\n{}\r\n", i, body)) << i;
  }
}

TEST(Session, AFailingDiskIsSaidWith451) {
  TestBed bed;
  TestClient& client = bed.Connect();
  ASSERT_THAT(client.SendMail({kAlice}, std::string(kNamed)), StartsWith("250"));
  client.BeginData({kAlice});
  bed.node().device().Plant({.kind = mffs::PlantedFault::Kind::kFail,
                             .on = mffs::SimOperation::kWrite,
                             .times = mffs::PlantedFault::kAlways});
  client.Send(std::string(kNameless) + ".\r\n");
  EXPECT_THAT(client.ReadReply(), StartsWith("451 4.3.0"));
  // The volume is read-only now: said before the client sends its bytes.
  EXPECT_THAT(client.Ask("MAIL FROM:<a@remote.test>"), StartsWith("451 4.3.0"));
  EXPECT_THAT(client.Ask("NOOP"), StartsWith("250"));
  bed.node().device().ClearFaults();
}

TEST(Session, AnAddressThatCannotBeLookedUpIsRefusedForNow) {
  TestBedOptions options;
  options.node.store.jobs_max = 1;
  TestBed bed(std::move(options));
  bed.node().store().HoldWorkers(true);
  TestClient& patient = bed.Connect();
  TestClient& refused = bed.Connect();
  for (TestClient* client : {&patient, &refused}) {
    client->Ask("HELO c");
    client->Ask("MAIL FROM:<a@remote.test>");
  }
  patient.Send("RCPT TO:<nobody@example.test>\r\n");
  EXPECT_EQ(patient.ReadLine(20ms), "<silence>");
  EXPECT_THAT(refused.Ask("RCPT TO:<nobody@example.test>"), StartsWith("451 4.3.0"));
  // Another session goes on while the index stands still.
  EXPECT_THAT(refused.Ask("NOOP"), StartsWith("250"));
  bed.node().store().HoldWorkers(false);
  EXPECT_THAT(patient.ReadReply(), StartsWith("550 5.1.1"));
}

TEST(Session, AFailingDirectoryIsNoWrongPassword) {
  TestBedOptions options;
  options.settings.plaintext_auth_on_loopback = true;
  options.connection = {};
  TestBed bed(std::move(options));
  bed.directory().failure = base::Errc::kIo;
  TestClient& client = bed.Connect();
  client.Ask("EHLO c");
  EXPECT_THAT(client.Ask("AUTH PLAIN " + kAlicePlain), StartsWith("454 4.7.0"));
  bed.directory().failure.reset();
  EXPECT_THAT(client.Ask("AUTH PLAIN " + kAlicePlain), StartsWith("235"));
}

// ---- SCRAM (auth/scram_login.h) ----

std::string Challenged(const std::string& reply) {
  EXPECT_THAT(reply, StartsWith("334 "));
  return base::DecodeBase64(reply.substr(4)).value();
}

TEST(Session, LogsInWithScram) {
  TestBedOptions options;
  options.settings.plaintext_auth_on_loopback = true;
  options.connection = {};
  options.scram_keys = true;
  TestBed bed(std::move(options));
  for (const bool at_once : {true, false}) {
    TestClient& client = bed.Connect();
    client.Ask("EHLO c");
    auth::ScramClient scram("alice@example.test", "posthorn");
    const std::string first = base::EncodeBase64(scram.First());
    if (!at_once) EXPECT_EQ(client.Ask("AUTH SCRAM-SHA-256"), "334 ");
    const std::string challenge = Challenged(client.Ask(at_once ? "AUTH SCRAM-SHA-256 " + first : first));
    const std::string last = Challenged(client.Ask(base::EncodeBase64(scram.Final(challenge))));
    EXPECT_TRUE(scram.Believes(last));
    // Not before the client has seen that the server knows it too.
    EXPECT_THAT(client.Ask(""), StartsWith("235 2.7.0"));
    EXPECT_THAT(client.Ask("MAIL FROM:<alice@example.test>"), StartsWith("250"));
  }
}

TEST(Session, AWrongScramProofIsAWrongPassword) {
  TestBedOptions options;
  options.settings.plaintext_auth_on_loopback = true;
  options.connection = {};
  options.scram_keys = true;
  TestBed bed(std::move(options));
  for (const std::string name : {"alice@example.test", "nobody@example.test"}) {
    TestClient& client = bed.Connect();
    client.Ask("EHLO c");
    auth::ScramClient scram(name, "guess");
    const std::string challenge = Challenged(client.Ask("AUTH SCRAM-SHA-256 " + base::EncodeBase64(scram.First())));
    EXPECT_EQ(client.Ask(base::EncodeBase64(scram.Final(challenge))), "535 5.7.8 The name or the password is wrong");
  }
  TestClient& client = bed.Connect();
  client.Ask("EHLO c");
  auth::ScramClient scram("alice@example.test", "posthorn");
  const std::string challenge = Challenged(client.Ask("AUTH SCRAM-SHA-256 " + base::EncodeBase64(scram.First())));
  bed.directory().failure = base::Errc::kIo;
  EXPECT_THAT(client.Ask(base::EncodeBase64(scram.Final(challenge))), StartsWith("454 4.7.0"));
}

// ---- The queue gets what the client said ----

// A direct delivery would leave nobody to tell it.
TEST(Session, MailWhoseDeliveryIsToBeToldGoesThroughTheQueue) {
  TestBed bed;
  TestClient& client = bed.Connect();
  EXPECT_THAT(client.Ask("EHLO client.remote.test"), HasSubstr("250-DSN"));
  for (const std::string_view notify : {"SUCCESS", "SUCCESS,FAILURE", "NEVER", "FAILURE,DELAY"}) {
    client.Ask("MAIL FROM:<sender@remote.test>");
    client.Ask(std::string("RCPT TO:<alice@example.test> NOTIFY=").append(notify));
    client.Ask("DATA");
    client.Send("Subject: s\r\n\r\n.\r\n");
    EXPECT_THAT(client.ReadReply(), StartsWith("250"));
  }
  EXPECT_THAT(bed.Queued(), SizeIs(2));
  EXPECT_THAT(bed.Mails(kAlice), SizeIs(2));
}

TEST(Session, TheQueuedEnvelopeIsTheClients) {
  TestBed bed;
  TestClient& client = bed.Connect();
  client.Ask("EHLO client.remote.test");
  client.Ask("MAIL FROM:<gr\xc3\xbcn@remote.test> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=e1");
  client.Ask("RCPT TO:<alice+x@example.test> NOTIFY=SUCCESS ORCPT=rfc822;a@b.test");
  client.Ask("RCPT TO:<bob@example.test>");
  client.Ask("RCPT TO:<Bob@example.test>");
  client.Ask("DATA");
  client.Send(std::string(kNamed) + ".\r\n");
  const std::string answer = client.ReadReply();
  ASSERT_THAT(answer, StartsWith("250 2.0.0 Ok: "));
  const auto queued = bed.Queued();
  ASSERT_THAT(queued, SizeIs(1));
  const mail::Envelope& envelope = queued[0].envelope;
  EXPECT_THAT(answer, HasSubstr(envelope.id));
  EXPECT_EQ(envelope.sender, "gr\xc3\xbcn@remote.test");
  EXPECT_TRUE(envelope.smtputf8);
  EXPECT_EQ(envelope.body, mail::BodyType::k8BitMime);
  EXPECT_EQ(envelope.dsn_return, mail::DsnReturn::kHeaders);
  EXPECT_EQ(envelope.envelope_id, "e1");
  EXPECT_EQ(envelope.client_ip, "192.0.2.7");
  EXPECT_EQ(envelope.helo, "client.remote.test");
  EXPECT_EQ(envelope.protocol, "UTF8SMTP");
  EXPECT_EQ(envelope.received, bed.node().clock().WallNow());
  // A mailbox that was named twice is there twice, each with what its RCPT asked for.
  ASSERT_THAT(envelope.recipients, SizeIs(3));
  EXPECT_EQ(envelope.recipients[0],
            (mail::Recipient{
                .address = "alice+x@example.test", .notify = mail::kNotifySuccess, .original = "rfc822;a@b.test"}));
  EXPECT_EQ(envelope.recipients[1].address, "bob@example.test");
  EXPECT_EQ(envelope.recipients[2].address, "Bob@example.test");
}

TEST(Session, CountsWhatItDoes) {
  base::MetricsRegistry registry;
  TestBed bed;
  SessionMetrics& metrics = bed.services().metrics;
  metrics.mails_direct = &registry.AddCounter("direct", "d");
  metrics.mails_queued = &registry.AddCounter("queued", "q");
  metrics.bytes = &registry.AddCounter("bytes", "b");
  metrics.refused_permanent = &registry.AddCounter("refused", "r");
  TestClient& client = bed.Connect();
  client.SendMail({kAlice}, std::string(kNamed));
  client.SendMail({kAlice, kBob}, std::string(kNamed));
  client.SendMail({kAlice}, "bare\n\r\n");
  client.Ask("MAIL FROM:<>");
  client.Ask("RCPT TO:<nobody@example.test>");
  client.Ask("RCPT TO:<a@foreign.test>");
  EXPECT_EQ(metrics.mails_direct->value(), 1u);
  EXPECT_EQ(metrics.mails_queued->value(), 1u);
  EXPECT_EQ(metrics.bytes->value(), 2 * kNamed.size());
  EXPECT_EQ(metrics.refused_permanent->value(), 3u);
}

// ---- Aliases that lead out of this server ----

std::string HeadOfQueued(TestBed& bed) {
  const queue::Claim claim = bed.node().Run(bed.queue().NextClaim());
  auto bytes = bed.node().Run(bed.queue().ReadBody(claim, 0, claim.body.size_bytes));
  bed.queue().GiveBack(claim);
  return bytes ? *std::move(bytes) : bytes.error().message();
}

TestBedOptions WithAlias(const routing::TableFolder& folder) {
  TestBedOptions options;
  options.addresses.alias_files = {folder.Write("aliases", "away: carol, x@foreign.test\nhome: carol\n")};
  return options;
}

TEST(Session, AForwardedMailNamesTheAliasThatForwardsIt) {
  const routing::TableFolder folder;
  TestBed bed(WithAlias(folder));
  TestClient& client = bed.Connect();
  ASSERT_THAT(client.SendMail({"Away@example.test"}, std::string(kNamed)), StartsWith("250"));
  const std::string mail = HeadOfQueued(bed);
  EXPECT_THAT(mail, StartsWith("Delivered-To: Away@example.test\r\nReceived: "));
  EXPECT_THAT(mail, HasSubstr("for <Away@example.test>"));
  // The members of the alias are nobody's business.
  EXPECT_EQ(mail.find("carol"), std::string::npos);
}

TEST(Session, AForwardedMailTellsNobodyOfItsOtherRecipients) {
  const routing::TableFolder folder;
  TestBed bed(WithAlias(folder));
  TestClient& client = bed.Connect();
  ASSERT_THAT(client.SendMail({"away@example.test", kAlice}, std::string(kNamed)), StartsWith("250"));
  const std::string mail = HeadOfQueued(bed);
  EXPECT_THAT(mail, StartsWith("Received: "));
  EXPECT_EQ(mail.find("away"), std::string::npos);
}

TEST(Session, AForwardedMailThatComesBackIsKnownWhateverItsSize) {
  const routing::TableFolder folder;
  TestBed bed(WithAlias(folder));
  TestClient& client = bed.Connect();
  for (const std::size_t size : {10u, 300'000u, 900'000u}) {
    const std::string body = "\r\n" + std::string(size, 'x') + "\r\n";
    EXPECT_THAT(client.SendMail({"away@example.test"}, "Delivered-To: away@example.test\r\n" + body),
                StartsWith("554 5.4.6"))
        << size;
    EXPECT_THAT(client.SendMail({"away@example.test"}, "Delivered-To: else@example.test\r\n" + body), StartsWith("250"))
        << size;
  }
}

TEST(Session, AReloadChangesWhereMailGoesFromTheNextRecipientOn) {
  const routing::TableFolder folder;
  TestBed bed;
  TestClient& client = bed.Connect();
  client.Ask("EHLO c.test");
  client.Ask("MAIL FROM:<a@remote.test>");
  EXPECT_THAT(client.Ask("RCPT TO:<home@example.test>"), StartsWith("550"));
  bed.services().addresses = *routing::AddressBook::Load(WithAlias(folder).addresses);
  EXPECT_THAT(client.Ask("RCPT TO:<home@example.test>"), StartsWith("250"));
}

}  // namespace
}  // namespace smtp
