// Call-outs: a recipient is asked for, no mail is sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/client/testing.h"

namespace smtp {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using Strings = std::vector<std::string>;

struct ProbeRow {
  std::string_view label;
  Strings extensions;
  Script script;
  std::string fate;  // Its beginning.
  bool is_usable;
};

TEST(ClientProbe, OnlyTheAnswerToRcptRefuses) {
  const ProbeRow rows[] = {
      {"taken",
       {},
       {"C: MAIL FROM:<>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 2.1.5 ok"},
       "0 accepted 250",
       true},
      {"refused",
       {},
       {"C: MAIL FROM:<>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 550 5.1.1 no such user"},
       "0 refused 550 5.1.1 5.1.1 no such user",
       true},
      {"put off",
       {},
       {"C: MAIL FROM:<>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 450 4.2.0 greylisted"},
       "0 again 450 4.2.0 4.2.0 greylisted",
       true},
      {"MAIL refused", {}, {"C: MAIL FROM:<>", "S: 550 5.7.1 no bounces here"}, "0 again 0 4.4.2 4.4.2 call-out", true},
      {"goodbye", {}, {"C: MAIL FROM:<>", "S: 421 4.3.2 closing", "Close"}, "0 again 0 4.4.2 4.4.2 call-out", false},
      {"cut", {}, {"C: MAIL FROM:<>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "Close"}, "0 again 0 4.4.2", false},
      {"no reply", {}, {"C: MAIL FROM:<>", "S: hello"}, "0 again 0 4.4.2", false},
  };
  for (const ProbeRow& row : rows) {
    SCOPED_TRACE(row.label);
    ClientBed bed;
    const auto session = bed.OpenWith(row.extensions, row.script);
    EXPECT_THAT(Describe(bed.Run(session->Probe("c@d.test"))), StartsWith(row.fate));
    EXPECT_EQ(session->is_usable(), row.is_usable);
    EXPECT_FALSE(session->had_gone_stale());
    bed.Settle();
    EXPECT_EQ(bed.server().problem, "");
  }
}

TEST(ClientProbe, OneFollowsAnotherAndMailFollowsIt) {
  ClientBed bed;
  const auto session = bed.OpenWith({}, {"C: MAIL FROM:<>",
                                         "S: 250 ok",
                                         "C: RCPT TO:<c@d.test>",
                                         "S: 250 ok",
                                         "C: RSET",
                                         "S: 250 ok",
                                         "C: MAIL FROM:<>",
                                         "S: 250 ok",
                                         "C: RCPT TO:<e@d.test>",
                                         "S: 550 no",
                                         "C: RSET",
                                         "S: 250 ok",
                                         "C: MAIL FROM:<a@b.test>",
                                         "S: 250 ok",
                                         "C: RCPT TO:<c@d.test>",
                                         "S: 250 ok",
                                         "C: DATA",
                                         "S: 354 go",
                                         "Data",
                                         "S: 250 ok"});
  EXPECT_THAT(Describe(bed.Run(session->Probe("c@d.test"))), StartsWith("0 accepted"));
  EXPECT_THAT(Describe(bed.Run(session->Probe("e@d.test"))), StartsWith("0 refused"));
  const mail::Envelope envelope{.sender = "a@b.test", .recipients = {{.address = "c@d.test"}}};
  EXPECT_THAT(bed.Send(session.get(), envelope, "Subject: x\r\n\r\n").front(), HasSubstr("accepted"));
  bed.Settle();
  EXPECT_EQ(bed.server().problem, "");
}

TEST(ClientProbe, AnIdleConnectionThatWasClosedIsTold) {
  ClientBed bed;
  const auto session =
      bed.OpenWith({}, {"C: MAIL FROM:<>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "Close"});
  EXPECT_THAT(Describe(bed.Run(session->Probe("c@d.test"))), StartsWith("0 accepted"));
  bed.Settle();
  EXPECT_THAT(Describe(bed.Run(session->Probe("c@d.test"))), StartsWith("0 again 0"));
  EXPECT_TRUE(session->had_gone_stale());
}

TEST(ClientProbe, AnAddressInUtf8NeedsAServerThatKnowsIt) {
  ClientBed bed;
  const auto plain = bed.OpenWith({}, {});
  EXPECT_THAT(Describe(bed.Run(plain->Probe("\xC3\xA9@d.test"))), StartsWith("0 refused 0 5.6.7"));
  ClientBed other;
  const auto knows = other.OpenWith(
      {"SMTPUTF8"}, {"C: MAIL FROM:<> SMTPUTF8", "S: 250 ok", "C: RCPT TO:<\xC3\xA9@d.test>", "S: 250 ok"});
  EXPECT_THAT(Describe(other.Run(knows->Probe("\xC3\xA9@d.test"))), StartsWith("0 accepted"));
}

}  // namespace
}  // namespace smtp
