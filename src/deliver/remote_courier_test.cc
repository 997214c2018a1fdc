#include "deliver/remote_courier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "deliver/remote_testing.h"

namespace deliver {
namespace {

using queue::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class RemoteCourierTest : public ::testing::Test {
 protected:
  static std::vector<Outcome> Ends(const std::vector<queue::RecipientOutcome>& outcomes) {
    std::vector<Outcome> ends;
    for (const auto& outcome : outcomes) ends.push_back(outcome.outcome);
    return ends;
  }
  // One mail to the recipients, delivered.
  std::vector<queue::RecipientOutcome> Send(std::vector<std::string> recipients) {
    bed_.Add(std::move(recipients));
    return bed_.DeliverNext();
  }

  // Of a lesser preference.
  void AddSecondHost(const std::string& domain, const std::string& ip) {
    bed_.dns.AddMx(domain, 20, "second." + domain);
    bed_.dns.AddIp("second." + domain, ip);
    bed_.Server(ip);
  }

  RemoteBed bed_;
};

TEST_F(RemoteCourierTest, DeliversToTheHostThatTheDnsNames) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  const auto outcomes = Send({"x@a.test", "y@a.test"});
  EXPECT_THAT(Ends(outcomes), ElementsAre(Outcome::kDelivered, Outcome::kDelivered));
  EXPECT_EQ(outcomes[0].answer, "250 2.0.0 taken (mx.a.test[192.0.2.1]:25)");
  EXPECT_EQ(outcomes[0].status, "2.0.0");
  EXPECT_EQ(outcomes[0].remote_mta, "mx.a.test");
  EXPECT_EQ(outcomes[0].handover, queue::Handover::kRelayed);
  ASSERT_THAT(server.mails, SizeIs(1));
  EXPECT_THAT(server.mails[0].sender, StartsWith("MAIL FROM:<sender@example.test>"));
  EXPECT_THAT(server.mails[0].recipients, ElementsAre("x@a.test", "y@a.test"));
  EXPECT_EQ(server.mails[0].text, "Subject: s\r\n\r\nhello\r\n");
  EXPECT_EQ(bed_.rig.queue->Status().mails, 0u);
}

TEST_F(RemoteCourierTest, EachRecipientHasItsOwnEndAndNoOtherHostIsAskedAgain) {
  AddSecondHost("a.test", "192.0.2.2");
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  server.answer = [](const std::string& line) {
    if (line.starts_with("RCPT TO:<later")) return "451 4.2.1 greylisted";
    if (line.starts_with("RCPT TO:<no")) return "550 5.1.1 no such user";
    return "";
  };
  const auto outcomes = Send({"ok@a.test", "later@a.test", "no@a.test"});
  EXPECT_THAT(Ends(outcomes), ElementsAre(Outcome::kDelivered, Outcome::kRetryLater, Outcome::kRejected));
  EXPECT_EQ(outcomes[1].answer, "451 4.2.1 greylisted (mx.a.test[192.0.2.1]:25)");
  EXPECT_EQ(outcomes[2].answer, "550 5.1.1 no such user (mx.a.test[192.0.2.1]:25)");
  EXPECT_EQ(bed_.Server("192.0.2.2").connections, 0);
}

TEST_F(RemoteCourierTest, GoesOnToTheNextHostUntilOneTakesPart) {
  struct Row {
    const char* label;
    std::string at;  // The line at which the first host does as `answer` says.
    std::string answer;
  };
  const Row rows[] = {
      {"closes at once", "", "CUT"},
      {"is busy", "", "421 4.3.2 too many connections"},
      {"wants nobody", "", "554 5.7.1 go away"},
      {"never greets", "", "HANG"},
      {"is no SMTP server", "", "HTTP/1.1 400 Bad Request"},
      {"cuts the hello", "EHLO localhost", "CUT"},
      {"hangs at the hello", "EHLO localhost", "HANG"},
      {"cuts the first command", "MAIL", "CUT"},
      {"hangs at the first command", "MAIL", "HANG"},
  };
  int n = 1;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    const std::string domain = "d" + std::to_string(n) + ".test";
    const std::string first = "192.0.2." + std::to_string(n);
    const std::string second = "198.51.100." + std::to_string(n++);
    bed_.AddDomain(domain, first).answer = [&row](const std::string& line) {
      return row.at.empty() ? line.empty() ? row.answer : "" : line.starts_with(row.at) ? row.answer : "";
    };
    AddSecondHost(domain, second);
    EXPECT_THAT(Ends(Send({"x@" + domain})), ElementsAre(Outcome::kDelivered));
    EXPECT_THAT(bed_.Server(second).mails, SizeIs(1));
    EXPECT_EQ(bed_.Server(first).connections, 1);
  }
}

TEST_F(RemoteCourierTest, AHostThatIsCutOffAfterTheFirstAnswerIsNotFollowedByAnother) {
  int n = 0;
  for (const std::string at : {"RCPT", "DATA", "."}) {
    const std::string domain = "d" + std::to_string(++n) + ".test";
    AddSecondHost(domain, "198.51.100.1");
    bed_.AddDomain(domain, "192.0.2." + std::to_string(n)).answer = [at](const std::string& line) {
      return line.starts_with(at) ? "CUT" : "";
    };
    const auto outcomes = Send({"x@" + domain});
    EXPECT_THAT(Ends(outcomes), ElementsAre(Outcome::kRetryLater)) << at;
    EXPECT_EQ(bed_.Server("198.51.100.1").connections, 0) << at;
  }
}

TEST_F(RemoteCourierTest, WhenNoHostCanBeReachedTheMailWaits) {
  bed_.dns.AddMx("a.test", 10, "mx.a.test");
  bed_.dns.AddIp("mx.a.test", "192.0.2.1");
  bed_.dns.AddIp("mx.a.test", "192.0.2.2");
  const auto outcomes = Send({"x@a.test", "y@a.test"});
  EXPECT_THAT(Ends(outcomes), ElementsAre(Outcome::kRetryLater, Outcome::kRetryLater));
  EXPECT_THAT(outcomes[0].answer, StartsWith("4.4.1 mx.a.test[192.0.2."));
  EXPECT_THAT(outcomes[0].answer, HasSubstr("nobody listens there"));
  EXPECT_THAT(bed_.dialled, SizeIs(2));
}

TEST_F(RemoteCourierTest, TriesNoMoreHostsThanItMay) {
  for (int i = 1; i <= 9; ++i) bed_.dns.AddIp("mx.a.test", "192.0.2." + std::to_string(i));
  bed_.dns.AddMx("a.test", 10, "mx.a.test");
  EXPECT_THAT(Ends(Send({"x@a.test"})), ElementsAre(Outcome::kRetryLater));
  EXPECT_THAT(bed_.dialled, SizeIs(5));
}

TEST_F(RemoteCourierTest, WhatTheDnsSaysForGoodGoesBack) {
  const auto unknown = Send({"x@no-such.test"});
  EXPECT_THAT(Ends(unknown), ElementsAre(Outcome::kRejected));
  EXPECT_THAT(unknown[0].answer, StartsWith("5.1.2 "));
  bed_.dns.AddMx("null.test", 0, "");
  EXPECT_THAT(Send({"x@null.test"})[0].answer, StartsWith("5.1.10 "));
  for (const auto type : {net::DnsType::kMx, net::DnsType::kA}) bed_.dns.Hang("a.test", type);
  const auto waits = Send({"x@a.test"});
  EXPECT_THAT(Ends(waits), ElementsAre(Outcome::kRetryLater));
  EXPECT_THAT(waits[0].answer, StartsWith("4.4.3 "));
}

TEST_F(RemoteCourierTest, TheNextMailTakesTheSameConnection) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Ends(Send({"x@a.test"})), ElementsAre(Outcome::kDelivered));
  EXPECT_EQ(server.connections, 1);
  EXPECT_THAT(server.mails, SizeIs(5));
  // Another domain with the same host.
  bed_.dns.AddMx("b.test", 10, "mx.a.test");
  EXPECT_THAT(Ends(Send({"x@b.test"})), ElementsAre(Outcome::kDelivered));
  EXPECT_EQ(server.connections, 1);
}

TEST_F(RemoteCourierTest, AConnectionThatDiedWhileItWasIdleCostsNoAttempt) {
  for (const std::string manner : {"CUT", "CUT after 421 4.4.2 idle for too long"}) {
    const std::string domain = "d" + std::to_string(manner.size()) + ".test";
    FakeServer& server = bed_.AddDomain(domain, "192.0.2." + std::to_string(manner.size()));
    int mails = 0;
    server.answer = [&](const std::string& line) { return line.starts_with("MAIL") && ++mails == 2 ? manner : ""; };
    EXPECT_THAT(Ends(Send({"x@" + domain})), ElementsAre(Outcome::kDelivered));
    EXPECT_THAT(Ends(Send({"y@" + domain})), ElementsAre(Outcome::kDelivered)) << manner;
    EXPECT_EQ(server.connections, 2);
    EXPECT_THAT(server.mails, SizeIs(2));
  }
}

TEST_F(RemoteCourierTest, GoesOverAServersLimitOfRecipientsInSeveralMails) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  int accepted = 0;
  server.answer = [&](const std::string& line) {
    if (line.starts_with("MAIL")) accepted = 0;
    return line.starts_with("RCPT") && ++accepted > 2 ? "452 4.5.3 too many recipients" : "";
  };
  const auto outcomes = Send({"a@a.test", "b@a.test", "c@a.test", "d@a.test", "e@a.test"});
  EXPECT_EQ(Ends(outcomes), std::vector<Outcome>(5, Outcome::kDelivered));
  EXPECT_EQ(server.connections, 1);
  EXPECT_THAT(server.mails, SizeIs(3));
}

TEST_F(RemoteCourierTest, AFullMailboxIsNotAskedForEver) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  int asked = 0;
  server.answer = [&](const std::string& line) {
    return line.starts_with("RCPT TO:<full") && ++asked > 0 ? "452 4.2.2 mailbox full" : "";
  };
  const auto outcomes = Send({"a@a.test", "full@a.test"});
  EXPECT_THAT(Ends(outcomes), ElementsAre(Outcome::kDelivered, Outcome::kRetryLater));
  EXPECT_EQ(asked, 1);
}

TEST_F(RemoteCourierTest, LongListsOfRecipientsAreSplit) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  std::vector<std::string> recipients;
  for (int i = 0; i < 250; ++i) recipients.push_back("r" + std::to_string(i) + "@a.test");
  EXPECT_EQ(Ends(Send(std::move(recipients))), std::vector<Outcome>(250, Outcome::kDelivered));
  ASSERT_THAT(server.mails, SizeIs(3));
  EXPECT_THAT(server.mails[0].recipients, SizeIs(100));
  EXPECT_THAT(server.mails[2].recipients, SizeIs(50));
  EXPECT_EQ(server.connections, 1);
}

TEST_F(RemoteCourierTest, ADeadNextHopIsDialledOnceForAllRecipients) {
  bed_.dns.AddMx("a.test", 10, "mx.a.test");
  bed_.dns.AddIp("mx.a.test", "192.0.2.1");
  std::vector<std::string> recipients;
  for (int i = 0; i < 250; ++i) recipients.push_back("r" + std::to_string(i) + "@a.test");
  EXPECT_EQ(Ends(Send(std::move(recipients))), std::vector<Outcome>(250, Outcome::kRetryLater));
  EXPECT_THAT(bed_.dialled, SizeIs(1));
}

TEST_F(RemoteCourierTest, GivenNextHopsAreReachedByNameByAddressAndOverLmtp) {
  ASSERT_TRUE(bed_.table.Add("named.test", NextHop::Parse("smtp:inner.test:2525").value()).has_value());
  ASSERT_TRUE(bed_.table.Add("v6.test", NextHop::Parse("smtp:[2001:db8::1]:25").value()).has_value());
  ASSERT_TRUE(bed_.table.Add("lmtp.test", NextHop::Parse("lmtp:192.0.2.3:24").value()).has_value());
  bed_.dns.AddIp("inner.test", "192.0.2.1");
  bed_.Server("192.0.2.1");
  bed_.Server("2001:db8::1");
  FakeServer& lmtp = bed_.Server("192.0.2.3");
  lmtp.is_lmtp = true;
  int answers = 0;
  lmtp.answer = [&](const std::string& line) { return line == "." && ++answers == 2 ? "452 4.2.2 full" : ""; };
  EXPECT_THAT(Ends(Send({"x@named.test"})), ElementsAre(Outcome::kDelivered));
  EXPECT_THAT(Ends(Send({"x@v6.test"})), ElementsAre(Outcome::kDelivered));
  EXPECT_THAT(Ends(Send({"x@lmtp.test", "y@lmtp.test"})), ElementsAre(Outcome::kDelivered, Outcome::kRetryLater));
  EXPECT_THAT(bed_.Server("192.0.2.1").mails, SizeIs(1));
  // A mistake in the configuration returns no mail.
  ASSERT_TRUE(bed_.table.Add("typo.test", NextHop::Parse("smtp:no-such.test:25").value()).has_value());
  const auto typo = Send({"x@typo.test"});
  EXPECT_THAT(Ends(typo), ElementsAre(Outcome::kRetryLater));
  EXPECT_THAT(typo[0].answer, HasSubstr("no-such.test has no address"));
}

TEST_F(RemoteCourierTest, ALargeMailGoesOutWhole) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  std::string text = "Subject: large\r\n\r\n";
  while (text.size() < (1u << 20)) text += ".a line that begins with a dot\r\n";
  bed_.Add({"x@a.test"}, text);
  EXPECT_THAT(Ends(bed_.DeliverNext()), ElementsAre(Outcome::kDelivered));
  ASSERT_THAT(server.mails, SizeIs(1));
  EXPECT_TRUE(server.mails[0].text == text);
}

TEST_F(RemoteCourierTest, WhatHappenedBeforeACancellationIsKnownAndTheRestIsNot) {
  FakeServer& server = bed_.AddDomain("a.test", "192.0.2.1");
  server.answer = [](const std::string& line) {
    if (line.starts_with("RCPT TO:<no")) return "550 5.1.1 no such user";
    return line == "." ? "HANG" : "";
  };
  bed_.Add({"x@a.test", "no@a.test"});
  std::vector<queue::RecipientOutcome> outcomes;
  queue::Claim claim = bed_.NextClaim();
  async::TaskGroup group(bed_.rig.context.get_executor(), "delivery");
  group.Spawn(bed_.courier.Deliver(claim, &outcomes));
  bed_.Settle();
  bed_.Run(group.Stop());
  ASSERT_THAT(outcomes, SizeIs(1));
  EXPECT_EQ(outcomes[0].recipient, 1u);
  EXPECT_EQ(outcomes[0].outcome, Outcome::kRejected);
  bed_.rig.queue->GiveBack(claim);
}

TEST_F(RemoteCourierTest, ADeadDestinationIsPausedAndALivingOneGrows) {
  bed_.dns.AddMx("dead.test", 10, "mx.dead.test");
  bed_.dns.AddIp("mx.dead.test", "192.0.2.9");
  for (int i = 0; i < 10; ++i) bed_.Add({"x@dead.test"});
  for (int i = 0; i < 3; ++i) EXPECT_THAT(Ends(bed_.DeliverNext()), ElementsAre(Outcome::kRetryLater));
  bed_.AddDomain("a.test", "192.0.2.1");
  EXPECT_THAT(Ends(Send({"x@a.test"})), ElementsAre(Outcome::kDelivered));
  const auto destinations = bed_.rig.queue->Destinations();
  ASSERT_THAT(destinations, SizeIs(1));
  EXPECT_EQ(destinations[0].destination, "mx:dead.test");
  EXPECT_EQ(destinations[0].items, 10u);
  EXPECT_EQ(destinations[0].claims_limit, 0u);
  EXPECT_THAT(destinations[0].reason, HasSubstr("nobody listens there"));
}

// --- The log line ---

std::vector<std::string>* lines = nullptr;

TEST_F(RemoteCourierTest, EachRecipientIsALineInTheLog) {
  std::vector<std::string> heard;
  lines = &heard;
  base::SetLogSink([](std::string_view line) { lines->emplace_back(line); });
  bed_.AddDomain("a.test", "192.0.2.1").answer = [](const std::string& line) {
    return line.starts_with("RCPT TO:<no") ? "550 5.1.1 no such user" : "";
  };
  bed_.Add({"x@a.test", "no@a.test"});
  bed_.clock.Advance(std::chrono::milliseconds(2500));
  bed_.DeliverNext();
  base::SetLogSink(nullptr);
  std::erase_if(heard, [](const std::string& line) { return !line.starts_with("delivery "); });
  std::ranges::sort(heard, [](const auto& a, const auto& b) { return a.find("rejected") < b.find("rejected"); });
  ASSERT_THAT(heard, SizeIs(2));
  for (const std::string& line : heard) {
    EXPECT_THAT(line, HasSubstr("id=mail1 "));
    EXPECT_THAT(line, HasSubstr("from=sender@example.test "));
    EXPECT_THAT(line, HasSubstr("relay=mx.a.test[192.0.2.1]:25 "));
  }
  EXPECT_THAT(heard[0], HasSubstr("delay=2.50 "));
  EXPECT_THAT(heard[0], HasSubstr("to=no@a.test "));
  EXPECT_THAT(heard[0], HasSubstr("dsn=5.1.1 status=rejected answer="));
  EXPECT_THAT(heard[1], HasSubstr("dsn=2.0.0 status=delivered answer="));
}

}  // namespace
}  // namespace deliver
