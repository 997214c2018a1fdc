// Mails over an open session: commands and bytes as they leave, and the fate of each recipient.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "smtp/client/testing.h"
#include "smtp/proto/data_scanner.h"

namespace smtp {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using Strings = std::vector<std::string>;

mail::Envelope To(const Strings& recipients, std::string sender = "a@b.test") {
  mail::Envelope envelope{.sender = std::move(sender)};
  for (const std::string& address : recipients) envelope.recipients.push_back({.address = address});
  return envelope;
}

const mail::Envelope kToTwo = To({"c@d.test", "e@d.test"});
constexpr const char* kMail = "Subject: x\r\n\r\nhello\r\n";

struct SendRow {
  std::string_view label;
  Script script;
  Strings fates;
  bool is_usable;
};

void CheckRow(const SendRow& row, const Strings& extensions, ClientProtocol protocol) {
  SCOPED_TRACE(row.label);
  ClientBed bed;
  bed.settings.protocol = protocol;
  const auto session = bed.OpenWith(extensions, row.script);
  EXPECT_EQ(bed.Send(session.get(), kToTwo, kMail), row.fates);
  EXPECT_EQ(session->is_usable(), row.is_usable);
  bed.Settle();
  EXPECT_EQ(bed.server().problem, "");
}

TEST(ClientSend, StepByStepWhereNothingIsOffered) {
  const SendRow rows[] = {
      {"good",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 251 2.1.5 forwards", "C: DATA", "S: 354 go", "Data", "S: 250 2.6.0 queued as 7"},
       {"0 accepted 250 2.6.0 2.6.0 queued as 7", "1 accepted 250 2.6.0 2.6.0 queued as 7"},
       true},
      {"MAIL refused",
       {"C: MAIL FROM:<a@b.test>", "S: 553 5.1.8 no such domain"},
       {"0 refused 553 5.1.8 5.1.8 no such domain", "1 refused 553 5.1.8 5.1.8 no such domain"},
       true},
      {"MAIL later",
       {"C: MAIL FROM:<a@b.test>", "S: 452 full"},
       {"0 again 452 4.0.0 full", "1 again 452 4.0.0 full"},
       true},
      {"all RCPT refused",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 550-5.1.1 no", "S: 550 5.1.1 such user",
        "C: RCPT TO:<e@d.test>", "S: 450 4.2.1 busy"},
       {"0 refused 550 5.1.1 5.1.1 no such user", "1 again 450 4.2.1 4.2.1 busy"},
       true},
      {"one RCPT refused",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 550 no", "C: RCPT TO:<e@d.test>",
        "S: 250 ok", "C: DATA", "S: 354 go", "Data", "S: 250 ok"},
       {"0 refused 550 5.0.0 no", "1 accepted 250 2.0.0 ok"},
       true},
      {"DATA refused",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 550 5.1.1 no", "C: DATA", "S: 451 4.3.0 later"},
       {"1 refused 550 5.1.1 5.1.1 no", "0 again 451 4.3.0 4.3.0 later"},
       true},
      {"mail refused",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 250 ok", "C: DATA", "S: 354 go", "Data", "S: 554 5.7.1 spam"},
       {"0 refused 554 5.7.1 5.7.1 spam", "1 refused 554 5.7.1 5.7.1 spam"},
       true},
      {"too many recipients",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 452 4.5.3 too many", "C: DATA", "S: 354 go", "Data", "S: 250 ok"},
       {"1 again 452 4.5.3 4.5.3 too many", "0 accepted 250 2.0.0 ok"},
       true},
      {"too many recipients, as of old",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 552 too many", "C: DATA", "S: 354 go", "Data", "S: 250 ok"},
       {"1 again 552 4.5.3 too many", "0 accepted 250 2.0.0 ok"},
       true},
      {"mailbox full",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 552 5.2.2 full", "C: DATA", "S: 354 go", "Data", "S: 250 ok"},
       {"1 refused 552 5.2.2 5.2.2 full", "0 accepted 250 2.0.0 ok"},
       true},
      {"goodbye at a RCPT",
       {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: RCPT TO:<e@d.test>",
        "S: 421 4.7.0 enough"},
       {"0 again 421 4.7.0 4.7.0 enough", "1 again 421 4.7.0 4.7.0 enough"},
       false},
  };
  for (const SendRow& row : rows) CheckRow(row, {}, ClientProtocol::kSmtp);
}

TEST(ClientSend, AllAtOnceWherePipeliningIsOffered) {
  const Script commands = {"C: MAIL FROM:<a@b.test>", "C: RCPT TO:<c@d.test>", "C: RCPT TO:<e@d.test>", "C: DATA"};
  const auto after = [&](const Script& rest) {
    Script script = commands;
    script.insert(script.end(), rest.begin(), rest.end());
    return script;
  };
  const SendRow rows[] = {
      {"good",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"}),
       {"0 accepted 250 2.0.0 ok", "1 accepted 250 2.0.0 ok"},
       true},
      {"one refused",
       after({"S: 250 ok", "S: 550 5.1.1 no", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"}),
       {"0 refused 550 5.1.1 5.1.1 no", "1 accepted 250 2.0.0 ok"},
       true},
      {"all refused, DATA too",
       after({"S: 250 ok", "S: 550 no", "S: 450 later", "S: 554 no recipients"}),
       {"0 refused 550 5.0.0 no", "1 again 450 4.0.0 later"},
       true},
      // RFC 2920 §3.1.
      {"all refused, but not DATA",
       after({"S: 250 ok", "S: 550 no", "S: 450 later", "S: 354 go", "Data", "S: 554 no"}),
       {"0 refused 550 5.0.0 no", "1 again 450 4.0.0 later"},
       true},
      {"an empty mail for nobody is taken",
       after({"S: 250 ok", "S: 550 no", "S: 450 later", "S: 354 go", "Data", "S: 250 queued"}),
       {"0 refused 550 5.0.0 no", "1 again 450 4.0.0 later"},
       true},
      {"MAIL refused",
       after({"S: 550 5.7.1 no", "S: 503 MAIL first", "S: 503 MAIL first", "S: 503 MAIL first"}),
       {"0 refused 550 5.7.1 5.7.1 no", "1 refused 550 5.7.1 5.7.1 no"},
       true},
      {"MAIL refused, all else taken",
       after({"S: 451 later", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"}),
       {"0 again 451 4.0.0 later", "1 again 451 4.0.0 later"},
       true},
      {"goodbye at MAIL",
       after({"S: 421 4.3.2 bye", "Close"}),
       {"0 again 421 4.3.2 4.3.2 bye", "1 again 421 4.3.2 4.3.2 bye"},
       false},
      {"cut after the first RCPT",
       after({"S: 250 ok", "S: 550 5.1.1 no", "Close"}),
       {"0 refused 550 5.1.1 5.1.1 no", "1 again 0 4.4.2 4.4.2 answer to RCPT: the peer closed the connection"},
       false},
      {"354 too early",
       after({"S: 250 ok", "S: 354 go"}),
       {"0 again 354 4.5.0 4.5.0 RCPT: the server's answer makes no sense: 354 go",
        "1 again 354 4.5.0 4.5.0 RCPT: the server's answer makes no sense: 354 go"},
       false},
      {"250 to DATA",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 250 ok"}),
       {"0 again 250 4.5.0 4.5.0 DATA: the server's answer makes no sense: 250 ok",
        "1 again 250 4.5.0 4.5.0 DATA: the server's answer makes no sense: 250 ok"},
       false},
      {"354 to the mail",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 354 more"}),
       {"0 again 354 4.5.0 4.5.0 the end of the mail: the server's answer makes no sense: 354 more",
        "1 again 354 4.5.0 4.5.0 the end of the mail: the server's answer makes no sense: 354 more"},
       false},
      // RFC 1047: it may have it, but nobody knows.
      {"cut after the final dot",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "Close"}),
       {"0 again 0 4.4.2 4.4.2 answer to the end of the mail: the peer closed the connection",
        "1 again 0 4.4.2 4.4.2 answer to the end of the mail: the peer closed the connection"},
       false},
  };
  for (const SendRow& row : rows) CheckRow(row, {"PIPELINING"}, ClientProtocol::kSmtp);
}

TEST(ClientSend, OneAnswerForEachRecipientOverLmtp) {
  const Script commands = {"C: MAIL FROM:<a@b.test>", "C: RCPT TO:<c@d.test>", "C: RCPT TO:<e@d.test>", "C: DATA"};
  const auto after = [&](const Script& rest) {
    Script script = commands;
    script.insert(script.end(), rest.begin(), rest.end());
    return script;
  };
  const SendRow rows[] = {
      {"good",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 2.1.5 one", "S: 250 2.1.5 two"}),
       {"0 accepted 250 2.1.5 2.1.5 one", "1 accepted 250 2.1.5 2.1.5 two"},
       true},
      {"one full",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 452 4.2.2 full", "S: 250 ok"}),
       {"0 again 452 4.2.2 4.2.2 full", "1 accepted 250 2.0.0 ok"},
       true},
      {"one refused before",
       after({"S: 250 ok", "S: 550 5.1.1 no", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"}),
       {"0 refused 550 5.1.1 5.1.1 no", "1 accepted 250 2.0.0 ok"},
       true},
      {"all refused",
       after({"S: 250 ok", "S: 550 no", "S: 550 no", "S: 503 5.5.1 no recipients"}),
       {"0 refused 550 5.0.0 no", "1 refused 550 5.0.0 no"},
       true},
      {"cut between",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok", "Close"}),
       {"0 accepted 250 2.0.0 ok",
        "1 again 0 4.4.2 4.4.2 answer to the end of the mail: the peer closed the connection"},
       false},
      {"goodbye",
       after({"S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 421 4.3.2 bye"}),
       {"0 again 421 4.3.2 4.3.2 bye", "1 again 421 4.3.2 4.3.2 bye"},
       false},
  };
  for (const SendRow& row : rows) CheckRow(row, {"PIPELINING"}, ClientProtocol::kLmtp);
}

// Every answer of a dialogue replaced by everything that can go wrong there.
TEST(ClientSend, SurvivesEachStepGoingWrong) {
  const Script good = {"C: MAIL FROM:<a@b.test>",
                       "S: 250 ok",
                       "C: RCPT TO:<c@d.test>",
                       "S: 250 ok",
                       "C: RCPT TO:<e@d.test>",
                       "S: 250 ok",
                       "C: DATA",
                       "S: 354 go",
                       "Data",
                       "S: 250 ok"};
  const Strings faults = {"Close",           "Stall",         "S. 25",
                          "S: 421 bye",      "S: 451 later",  "S: 550 no",
                          "S: hello",        "S: 299-more",   "S. " + std::string(3000, '2'),
                          "S: \xff\xfe\x01", "S. 250-\r\n250"};
  const Script good_at_once = {"C: MAIL FROM:<a@b.test>",
                               "C: RCPT TO:<c@d.test>",
                               "C: RCPT TO:<e@d.test>",
                               "C: DATA",
                               "S: 250 ok",
                               "S: 250 ok",
                               "S: 250 ok",
                               "S: 354 go",
                               "Data",
                               "S: 250 ok"};
  for (const bool pipelining : {false, true}) {
    const Script& script = pipelining ? good_at_once : good;
    for (std::size_t i = 0; i < script.size(); ++i) {
      if (!script[i].starts_with("S:")) continue;
      for (const std::string& fault : faults) {
        SCOPED_TRACE(fmt::format("step {} becomes {}", script[i], fault.substr(0, 20)));
        Script broken(script.begin(), script.begin() + static_cast<std::ptrdiff_t>(i));
        broken.push_back(fault);
        if (fault.starts_with("S")) broken.emplace_back("Stall");
        ClientBed bed;
        const auto session = bed.OpenWith(pipelining ? Strings{"PIPELINING"} : Strings{}, broken);
        const Strings fates = bed.Send(session.get(), kToTwo, kMail);
        ASSERT_THAT(fates, SizeIs(2));
        EXPECT_NE(bed.fates[0].recipient, bed.fates[1].recipient);
        for (const RecipientFate& fate : bed.fates) {
          EXPECT_NE(fate.fate, Fate::kAccepted) << Describe(fate);
          EXPECT_EQ(fate.fate == Fate::kRefused, fate.code / 100 == 5) << Describe(fate);
          EXPECT_EQ(fate.status.substr(0, 1), fate.fate == Fate::kRefused ? "5" : "4") << Describe(fate);
          EXPECT_FALSE(fate.answer.empty());
        }
        EXPECT_LE(bed.elapsed, 2 * 300s + 600s + 10s);
      }
    }
  }
}

TEST(ClientSend, FewWritesCarryAMail) {
  ClientBed bed;
  const auto session =
      bed.OpenWith({"PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN"},
                   {"C: MAIL FROM:<a@b.test> SIZE=21 RET=HDRS ENVID=id", "C: RCPT TO:<c@d.test> NOTIFY=SUCCESS,FAILURE",
                    "C: RCPT TO:<e@d.test> ORCPT=rfc822;o@d.test", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 250 ok",
                    "S: 354 go", "Data", "S: 250 ok", "C: MAIL FROM:<> SIZE=21", "C: RCPT TO:<c@d.test>", "C: DATA",
                    "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"});
  mail::Envelope envelope = kToTwo;
  envelope.dsn_return = mail::DsnReturn::kHeaders;
  envelope.envelope_id = "id";
  envelope.recipients[0].notify = mail::kNotifySuccess | mail::kNotifyFailure;
  envelope.recipients[1].original = "rfc822;o@d.test";
  EXPECT_THAT(bed.Send(session.get(), envelope, kMail),
              ElementsAre("0 accepted 250 2.0.0 ok +dsn", "1 accepted 250 2.0.0 ok +dsn"));
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}, ""), kMail), ElementsAre("0 accepted 250 2.0.0 ok +dsn"));
  EXPECT_EQ(bed.server().problem, "");
  EXPECT_THAT(bed.writes,
              ElementsAre("MAIL FROM:<a@b.test> SIZE=21 RET=HDRS ENVID=id\r\n"
                          "RCPT TO:<c@d.test> NOTIFY=SUCCESS,FAILURE\r\n"
                          "RCPT TO:<e@d.test> ORCPT=rfc822;o@d.test\r\n"
                          "DATA\r\n",
                          "Subject: x\r\n\r\nhello\r\n.\r\n", "MAIL FROM:<> SIZE=21\r\nRCPT TO:<c@d.test>\r\nDATA\r\n",
                          "Subject: x\r\n\r\nhello\r\n.\r\n"));
}

TEST(ClientSend, WithoutDsnNothingOfItIsSaid) {
  ClientBed bed;
  const auto session = bed.OpenWith({"PIPELINING"}, {"C: MAIL FROM:<a@b.test>", "C: RCPT TO:<c@d.test>", "C: DATA",
                                                     "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"});
  mail::Envelope envelope = To({"c@d.test"});
  envelope.dsn_return = mail::DsnReturn::kFull;
  envelope.recipients[0].notify = mail::kNotifySuccess;
  EXPECT_THAT(bed.Send(session.get(), envelope, kMail), ElementsAre("0 accepted 250 2.0.0 ok"));
  EXPECT_EQ(bed.server().problem, "");
}

TEST(ClientSend, AnAbandonedTransactionIsResetBeforeTheNext) {
  ClientBed bed;
  const auto session = bed.OpenWith({"PIPELINING"}, {"C: MAIL FROM:<a@b.test>",
                                                     "C: RCPT TO:<c@d.test>",
                                                     "C: DATA",
                                                     "S: 250 ok",
                                                     "S: 550 no",
                                                     "S: 554 no",
                                                     "C: RSET",
                                                     "C: MAIL FROM:<a@b.test>",
                                                     "C: RCPT TO:<c@d.test>",
                                                     "C: DATA",
                                                     "S: 250 ok",
                                                     "S: 250 ok",
                                                     "S: 250 ok",
                                                     "S: 354 go",
                                                     "Data",
                                                     "S: 250 ok",
                                                     "C: MAIL FROM:<a@b.test>",
                                                     "C: RCPT TO:<c@d.test>",
                                                     "C: DATA",
                                                     "S: 250 ok",
                                                     "S: 250 ok",
                                                     "S: 354 go",
                                                     "Data",
                                                     "S: 250 ok"});
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), kMail), ElementsAre("0 refused 550 5.0.0 no"));
  EXPECT_TRUE(session->is_usable());
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), kMail), ElementsAre("0 accepted 250 2.0.0 ok"));
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), kMail), ElementsAre("0 accepted 250 2.0.0 ok"));
  EXPECT_EQ(bed.server().problem, "");
}

TEST(ClientSend, ARefusedResetIsNobodysFault) {
  ClientBed bed;
  const auto session = bed.OpenWith({}, {"C: MAIL FROM:<a@b.test>", "S: 550 no", "C: RSET", "S: 502 what?"});
  bed.Send(session.get(), To({"c@d.test"}), kMail);
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), kMail),
              ElementsAre("0 again 502 4.5.0 4.5.0 RSET: the server's answer makes no sense: 502 what?"));
  EXPECT_FALSE(session->is_usable());
}

TEST(ClientSend, SaysWhenTheConnectionHadGoneStale) {
  const Script first = {"C: MAIL FROM:<a@b.test>",
                        "S: 250 ok",
                        "C: RCPT TO:<c@d.test>",
                        "S: 250 ok",
                        "C: DATA",
                        "S: 354 go",
                        "Data",
                        "S: 250 ok"};
  for (const Strings& then : {Strings{"Close"}, Strings{"S: 421 4.4.2 idle too long", "Close"},
                              Strings{"C: MAIL FROM:<a@b.test>", "Close"}}) {
    ClientBed bed;
    Script script = first;
    script.insert(script.end(), then.begin(), then.end());
    const auto session = bed.OpenWith({}, script);
    bed.Send(session.get(), To({"c@d.test"}), kMail);
    EXPECT_FALSE(session->had_gone_stale());
    bed.Settle();
    EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), kMail), ElementsAre(StartsWith("0 again ")));
    EXPECT_TRUE(session->had_gone_stale());
    EXPECT_FALSE(session->is_usable());
  }
}

TEST(ClientSend, AnInterruptionLaterIsNotStale) {
  ClientBed bed;
  const auto session = bed.OpenWith({}, {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "Close"});
  bed.Send(session.get(), To({"c@d.test"}), kMail);
  EXPECT_FALSE(session->had_gone_stale());
}

// ---- the bytes ----

std::string WithoutDots(const std::string& wire) {
  std::string bytes = wire + ".\r\n";
  DataScanner scanner;
  const DataScanner::Step step = scanner.Scan(bytes);
  EXPECT_TRUE(step.at_end);
  return bytes.substr(0, step.kept);
}

TEST(ClientSend, LargeMailsArriveAsTheyAre) {
  const std::uint64_t seed = base::SecureRandom64();
  SCOPED_TRACE(fmt::format("seed={}", seed));
  base::Random random(seed);
  for (const std::size_t size : {0u, 1u, 65'535u, 65'536u, 65'537u, 300'000u}) {
    std::string text;
    while (text.size() < size) text += random.OneIn(20) ? "\r\n" : random.OneIn(3) ? "." : "x";
    text += "\r\n";
    ClientBed bed;
    const auto session =
        bed.OpenWith({"PIPELINING", "8BITMIME"},
                     {size > 65'533 ? "C: MAIL FROM:<a@b.test> BODY=8BITMIME" : "C: MAIL FROM:<a@b.test>",
                      "C: RCPT TO:<c@d.test>", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 354 go", "Data", "S: 250 ok"});
    EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), text), ElementsAre("0 accepted 250 2.0.0 ok")) << size;
    EXPECT_EQ(bed.server().problem, "");
    ASSERT_THAT(bed.server().mails, SizeIs(1));
    EXPECT_EQ(WithoutDots(bed.server().mails[0]), text) << size;
  }
}

TEST(ClientSend, AServerThatRefusesWhileWeWriteIsHeard) {
  ClientBed bed;
  const auto session = bed.OpenWith({}, {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok",
                                         "C: DATA", "S: 354 go", "Bytes 100000", "S: 552 5.3.4 too large", "Close"});
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), std::string(1'000'000, 'x')),
              ElementsAre("0 refused 552 5.3.4 5.3.4 too large"));
  EXPECT_FALSE(session->is_usable());
}

TEST(ClientSend, AServerThatStopsReadingIsGivenUp) {
  ClientBed bed;
  bed.settings.data_block_timeout = 40s;
  const auto session = bed.OpenWith({}, {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok",
                                         "C: DATA", "S: 354 go", "Deaf"});
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), std::string(1'000'000, 'x')),
              ElementsAre(StartsWith("0 again 0 4.4.2 4.4.2 sending the mail: ")));
  EXPECT_GE(bed.elapsed, 40s);
  EXPECT_LE(bed.elapsed, 42s);
}

TEST(ClientSend, AMailThatCannotBeReadIsTriedLater) {
  ClientBed bed;
  const Script commands = {
      "C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: DATA", "S: 354 go", "Stall"};
  const auto session = bed.OpenWith({}, commands);
  TextBytes bytes(std::string(200'000, 'x'));
  bytes.fails_from = 10;
  EXPECT_THAT(bed.Send(session.get(), To({"c@d.test"}), &bytes),
              ElementsAre("0 again 0 4.3.0 4.3.0 block 7 has a wrong checksum"));
  EXPECT_THAT(bed.writes, IsEmpty());
  EXPECT_TRUE(session->is_usable());
  // In the middle of it the connection is the price: a final dot would make half a mail of it.
  const auto other =
      bed.OpenWith({"8BITMIME"}, {"C: MAIL FROM:<a@b.test> BODY=8BITMIME", "S: 250 ok", "C: RCPT TO:<c@d.test>",
                                  "S: 250 ok", "C: DATA", "S: 354 go", "Stall"});
  bytes.fails_from = 100'000;
  EXPECT_THAT(bed.Send(other.get(), To({"c@d.test"}), &bytes),
              ElementsAre("0 again 0 4.3.0 4.3.0 block 7 has a wrong checksum"));
  EXPECT_FALSE(other->is_usable());
  EXPECT_FALSE(bed.writes.back().ends_with(".\r\n"));
}

TEST(ClientSend, ThousandsOfRecipientsFitThroughASmallBuffer) {
  constexpr std::size_t kRecipients = 3000;
  Strings addresses;
  Script script;
  // This server answers each command at once and reads on only when its answer has left, as simple ones do.
  script.emplace_back("C: MAIL FROM:<a@b.test>");
  script.emplace_back("S: 250 ok");
  for (std::size_t i = 0; i < kRecipients; ++i) {
    addresses.push_back(fmt::format("recipient{}@example.test", i));
    script.push_back("C: RCPT TO:<" + addresses.back() + ">");
    script.push_back(i % 2 == 0 ? "S: 250 2.1.5 a rather long answer to a recipient" : "S: 450 4.2.0 later");
  }
  for (const char* step : {"C: DATA", "S: 354 go", "Data", "S: 250 ok"}) script.emplace_back(step);
  ClientBed bed(net::MemoryOptions{.buffer_bytes_max = 4500});
  const auto session = bed.OpenWith({"PIPELINING"}, script);
  bed.Send(session.get(), To(addresses), kMail);
  EXPECT_EQ(bed.server().problem, "");
  EXPECT_EQ(bed.elapsed, 0s);
  ASSERT_THAT(bed.fates, SizeIs(kRecipients));
  EXPECT_EQ(std::ranges::count(bed.fates, Fate::kAccepted, &RecipientFate::fate), kRecipients / 2);
  EXPECT_LT(bed.writes.size(), 60u);
}

// ---- the end ----

TEST(ClientQuit, IsShort) {
  ClientBed bed;
  auto session = bed.OpenWith({}, {"C: QUIT", "S: 221 bye", "Close"});
  bed.Run(session->Quit());
  EXPECT_FALSE(session->is_usable());
  EXPECT_EQ(bed.elapsed, 0s);
  session = bed.OpenWith({}, {"C: QUIT", "Stall"});
  bed.Run(session->Quit());
  EXPECT_LE(bed.elapsed, 7s);
  session = bed.OpenWith({}, {"Close"});
  bed.Run(session->Quit());
  EXPECT_EQ(bed.elapsed, 0s);
}

async::Task<void> SendTo(ClientSession* session, const mail::Envelope* envelope, MailBytes* bytes,
                         std::vector<RecipientFate>* fates) {
  co_await session->Send(envelope, {0, 1}, bytes, fates);
}

TEST(ClientSend, ACancelledMailLeavesWhatIsKnownAndAnUnusableSession) {
  ClientBed bed;
  const auto session = bed.OpenWith({}, {"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 550 no",
                                         "C: RCPT TO:<e@d.test>", "Stall"});
  TextBytes bytes(kMail);
  std::vector<RecipientFate> fates;
  bed.Cancel(SendTo(session.get(), &kToTwo, &bytes, &fates));
  ASSERT_THAT(fates, SizeIs(1));
  EXPECT_EQ(Describe(fates[0]), "0 refused 550 5.0.0 no");
  EXPECT_FALSE(session->is_usable());
  bed.Run(session->Quit());
  EXPECT_EQ(bed.elapsed, 0s);
}

}  // namespace
}  // namespace smtp
