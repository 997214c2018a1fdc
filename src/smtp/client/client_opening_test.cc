// The opening of a session: greeting, EHLO, STARTTLS, AUTH, and what a server can do wrong at each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "smtp/client/testing.h"

namespace smtp {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// "open", or the error's code and sentence.
std::string Outcome(const base::Result<std::unique_ptr<ClientSession>>& session) {
  if (session.has_value()) return "open";
  return fmt::format("{}: {}", base::ToString(session.error().code()), session.error().message());
}

TEST(ClientOpening, GoesByWhatTheServerSays) {
  const struct {
    std::string_view label;
    Script script;
    std::string_view outcome;
  } rows[] = {
      {"plain", {"S: 220 mx.test ESMTP", "C: EHLO client.test", "S: 250-mx.test", "S: 250 SIZE"}, "open"},
      {"long greeting", {"S: 220-mx.test ESMTP", "S: 220 welcome", "C: EHLO client.test", "S: 250 mx.test"}, "open"},
      {"bare line feeds", {"S. 220 mx.test\n", "C: EHLO client.test", "S. 250-mx\n250 SIZE\n"}, "open"},
      {"EHLO unknown",
       {"S: 220 mx.test", "C: EHLO client.test", "S: 502 what?", "C: HELO client.test", "S: 250 mx"},
       "open"},
      {"HELO refused",
       {"S: 220 mx.test", "C: EHLO client.test", "S: 500 what?", "C: HELO client.test", "S: 550 5.7.1 not you"},
       "denied: HELO: 550 5.7.1 not you"},
      {"EHLO later", {"S: 220 mx.test", "C: EHLO client.test", "S: 451 4.3.0 later"}, "busy: EHLO: 451 4.3.0 later"},
      {"greeting 421", {"S: 421 4.3.2 too busy"}, "busy: greeting: 421 4.3.2 too busy"},
      {"greeting 4xx", {"S: 450-4.7.1 try", "S: 450 4.7.1 later"}, "busy: greeting: 450 4.7.1 try later"},
      {"greeting 5xx", {"S: 554 5.7.1 no mail here"}, "denied: greeting: 554 5.7.1 no mail here"},
      {"greeting 3xx", {"S: 354 go on"}, "invalid: greeting: 354 go on"},
      {"no SMTP",
       {"S: SSH-2.0-OpenSSH_9.2"},
       "invalid: greeting: the server's answer is no reply: \"SSH-2.0-OpenSSH_9.2\""},
      {"endless line",
       {"S. " + std::string(5000, '2')},
       "invalid: greeting: the server's answer has a line of endless length"},
      {"cut at once", {"Close"}, "closed: greeting: the peer closed the connection"},
      {"cut in a line", {"S. 220 mx", "Close"}, "closed: greeting: the peer closed the connection"},
      {"cut at EHLO",
       {"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "Close"},
       "closed: EHLO: the peer closed the connection"},
      {"two codes in one reply",
       {"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "S: 550 no"},
       "invalid: EHLO: the server's answer is no reply: \"550 no\""},
  };
  for (const auto& row : rows) {
    ClientBed bed;
    bed.Serve(row.script);
    EXPECT_EQ(Outcome(bed.Open()), row.outcome) << row.label;
    EXPECT_EQ(bed.server().problem, "") << row.label;
  }
}

TEST(ClientOpening, EndsWithinItsTimeouts) {
  ClientBed bed;
  bed.settings.greeting_timeout = 30s;
  bed.settings.command_timeout = 20s;
  bed.Serve({"Stall"});
  EXPECT_THAT(Outcome(bed.Open()), StartsWith("timeout: greeting: "));
  EXPECT_LE(bed.elapsed, 32s);
  EXPECT_GE(bed.elapsed, 30s);
  bed.Serve({"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "Stall"});
  EXPECT_THAT(Outcome(bed.Open()), StartsWith("timeout: EHLO: "));
  EXPECT_LE(bed.elapsed, 22s);
}

TEST(ClientOpening, KnowsTheServerByItsName) {
  ClientBed bed;
  bed.Serve({"S: 220 greeting.test ESMTP", "C: EHLO client.test", "S: 250 mx.test"});
  EXPECT_EQ((*bed.Open())->server_name(), "mx.test");
  bed.Serve({"S: 220 greeting.test ESMTP", "C: EHLO client.test", "S: 250"});
  EXPECT_EQ((*bed.Open())->server_name(), "greeting.test");
}

TEST(ClientOpening, SpeaksLmtp) {
  ClientBed bed;
  bed.settings.protocol = ClientProtocol::kLmtp;
  bed.Serve({"S: 220 lmtp.test", "C: LHLO client.test", "S: 250-lmtp.test", "S: 250 PIPELINING"});
  EXPECT_EQ(Outcome(bed.Open()), "open");
  bed.Serve({"S: 220 smtp.test", "C: LHLO client.test", "S: 500 5.5.2 what?"});
  EXPECT_EQ(Outcome(bed.Open()), "denied: LHLO: 500 5.5.2 what?");
}

// ---- STARTTLS ----

const Script kOffersTls = {"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "S: 250-DSN", "S: 250 STARTTLS"};

Script After(Script script, const Script& rest) {
  script.insert(script.end(), rest.begin(), rest.end());
  return script;
}

TEST(ClientTls, IsUsedAsTheSettingsSay) {
  const Script begins = After(kOffersTls, {"C: STARTTLS", "S: 220 go ahead", "Tls", "C: EHLO client.test"});
  const Script refuses = After(kOffersTls, {"C: STARTTLS", "S: 454 4.7.0 no TLS today"});
  const Script lacks = {"S: 220 mx.test", "C: EHLO client.test", "S: 250 mx.test"};
  const Script implicit = {"Tls", "S: 220 mx.test", "C: EHLO client.test", "S: 250 mx.test"};
  const struct {
    std::string_view label;
    ClientTls tls;
    Script script;
    std::string_view outcome;
    bool is_tls;
  } rows[] = {
      {"never", ClientTls::kNever, kOffersTls, "open", false},
      {"opportunistic, offered", ClientTls::kOpportunistic, After(begins, {"S: 250 mx.test"}), "open", true},
      {"opportunistic, lacking", ClientTls::kOpportunistic, lacks, "open", false},
      {"opportunistic, refused", ClientTls::kOpportunistic, refuses, "open", false},
      {"opportunistic, cut in the handshake", ClientTls::kOpportunistic,
       After(kOffersTls, {"C: STARTTLS", "S: 220 go ahead", "Close"}),
       "io: TLS: TLS handshake failed: the peer closed the connection", false},
      {"required, offered", ClientTls::kRequired, After(begins, {"S: 250 mx.test"}), "open", true},
      {"required, lacking", ClientTls::kRequired, lacks,
       "denied: TLS is required and the server does not offer STARTTLS", false},
      {"required, refused", ClientTls::kRequired, refuses, "busy: STARTTLS: 454 4.7.0 no TLS today", false},
      {"required, EHLO refused after", ClientTls::kRequired, After(begins, {"S: 421 4.3.0 bye"}),
       "busy: EHLO: 421 4.3.0 bye", false},
      {"implicit", ClientTls::kImplicit, implicit, "open", true},
      {"opportunistic, goodbye", ClientTls::kOpportunistic, After(kOffersTls, {"C: STARTTLS", "S: 421 4.3.0 bye"}),
       "busy: STARTTLS: 421 4.3.0 bye", false},
  };
  for (const auto& row : rows) {
    ClientBed bed;
    bed.settings.tls = row.tls;
    bed.Serve(row.script);
    const auto session = bed.Open();
    EXPECT_EQ(Outcome(session), row.outcome) << row.label;
    if (session.has_value()) EXPECT_EQ((*session)->tls().version.empty(), !row.is_tls) << row.label;
    EXPECT_EQ(bed.server().problem, "") << row.label;
  }
}

TEST(ClientTls, AStalledHandshakeEndsAndCountsAsFailed) {
  ClientBed bed;
  bed.settings.tls_timeout = 15s;
  bed.Serve(After(kOffersTls, {"C: STARTTLS", "S: 220 go ahead", "Stall"}));
  EXPECT_THAT(Outcome(bed.Open()), StartsWith("io: TLS: "));
  EXPECT_LE(bed.elapsed, 17s);
}

// CVE-2011-0411: replies put in front of the handshake are not taken for the server's.
TEST(ClientTls, DropsPlainTextInFrontOfTheHandshake) {
  ClientBed bed;
  bed.Serve(After(kOffersTls, {"C: STARTTLS", "S. 220 go ahead\r\n250-evil.test\r\n250 AUTH PLAIN\r\n", "Tls",
                               "C: EHLO client.test", "S: 250 mx.test"}));
  const auto session = bed.Open();
  ASSERT_EQ(Outcome(session), "open");
  EXPECT_EQ((*session)->server_name(), "mx.test");
  EXPECT_EQ(bed.server().problem, "");
}

TEST(ClientTls, ForgetsWhatWasOfferedInPlainText) {
  ClientBed bed;
  bed.Serve(After(kOffersTls, {"C: STARTTLS", "S: 220 go ahead", "Tls", "C: EHLO client.test", "S: 250 mx.test",
                               "C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test>", "S: 250 ok", "C: DATA",
                               "S: 354 go", "Data", "S: 250 done"}));
  const auto session = bed.Open();
  ASSERT_EQ(Outcome(session), "open");
  const mail::Envelope envelope{.sender = "a@b.test",
                                .recipients = {{.address = "c@d.test", .notify = mail::kNotifyNever}}};
  EXPECT_THAT(bed.Send(session->get(), envelope, "x\r\n"), ElementsAre("0 accepted 250 2.0.0 done"));
  EXPECT_EQ(bed.server().problem, "");
}

// ---- AUTH ----

TEST(ClientAuth, GivesThePasswordInTheWaysThatAreOffered) {
  const std::string plain = base::EncodeBase64(std::string_view("\0anna\0secret", 12));
  const std::string name = base::EncodeBase64("anna");
  const std::string password = base::EncodeBase64("secret");
  const struct {
    std::string_view label;
    std::string offer;
    Script rest;
    std::string_view outcome;
  } rows[] = {
      {"PLAIN", "AUTH LOGIN PLAIN", {"C: AUTH PLAIN " + plain, "S: 235 2.7.0 welcome"}, "open"},
      {"PLAIN, wrong", "AUTH PLAIN", {"C: AUTH PLAIN " + plain, "S: 535 5.7.8 wrong"}, "denied: AUTH: 535 5.7.8 wrong"},
      {"PLAIN, later", "AUTH PLAIN", {"C: AUTH PLAIN " + plain, "S: 454 4.7.0 later"}, "busy: AUTH: 454 4.7.0 later"},
      {"PLAIN, asked again", "AUTH PLAIN", {"C: AUTH PLAIN " + plain, "S: 334 "}, "invalid: AUTH: 334 "},
      {"LOGIN",
       "AUTH LOGIN",
       {"C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", "C: " + name, "S: 334 UGFzc3dvcmQ6", "C: " + password, "S: 235 ok"},
       "open"},
      {"LOGIN, no such user",
       "AUTH LOGIN",
       {"C: AUTH LOGIN", "S: 334 x", "C: " + name, "S: 535 no"},
       "denied: AUTH: 535 no"},
      {"LOGIN, wrong",
       "AUTH LOGIN",
       {"C: AUTH LOGIN", "S: 334 x", "C: " + name, "S: 334 y", "C: " + password, "S: 535 no"},
       "denied: AUTH: 535 no"},
      {"LOGIN, cut",
       "AUTH LOGIN",
       {"C: AUTH LOGIN", "S: 334 x", "C: " + name, "Close"},
       "closed: AUTH: the peer closed the connection"},
      {"none",
       "SIZE",
       {},
       "denied: the server offers neither AUTH PLAIN nor AUTH LOGIN, and a user name is set for it"},
      {"others",
       "AUTH CRAM-MD5",
       {},
       "denied: the server offers neither AUTH PLAIN nor AUTH LOGIN, and a user name is set for it"},
  };
  for (const auto& row : rows) {
    ClientBed bed;
    bed.settings.username = "anna";
    bed.settings.password = "secret";
    bed.Serve(After({"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "S: 250 " + row.offer}, row.rest));
    EXPECT_EQ(Outcome(bed.Open()), row.outcome) << row.label;
    EXPECT_EQ(bed.server().problem, "") << row.label;
  }
}

TEST(ClientAuth, ThePasswordLeavesTheMachineOverTlsOnly) {
  ClientBed bed;
  bed.settings.username = "anna";
  bed.server_address = {.ip = "192.0.2.1", .port = 25, .is_loopback = false};
  bed.Serve({"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "S: 250 AUTH PLAIN", "C: QUIT"});
  EXPECT_EQ(Outcome(bed.Open()), "denied: the password is not sent without TLS: require TLS for this next hop");
  bed.Settle();
  EXPECT_EQ(bed.server().problem, "");
  bed.Serve(After(kOffersTls, {"C: STARTTLS", "S: 220 go ahead", "Tls", "C: EHLO client.test", "S: 250-mx.test",
                               "S: 250 AUTH PLAIN", "C: AUTH PLAIN AGFubmEA", "S: 235 ok"}));
  EXPECT_EQ(Outcome(bed.Open()), "open");
}

TEST(ClientAuth, CredentialsThatFitIntoNoCommandAreRefused) {
  ClientBed bed;
  bed.settings.username = "anna";
  for (const std::string& password : {std::string("a\0b", 3), std::string(5000, 'x')}) {
    bed.settings.password = password;
    bed.Serve({"S: 220 mx.test", "C: EHLO client.test", "S: 250-mx.test", "S: 250 AUTH PLAIN"});
    EXPECT_THAT(Outcome(bed.Open()), StartsWith("invalid: "));
  }
}

}  // namespace
}  // namespace smtp
