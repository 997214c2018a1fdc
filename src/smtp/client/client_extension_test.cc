// What a mail needs of a server: SIZE, 8BITMIME, SMTPUTF8; servers that lack it, and servers that lie about it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smtp/client/testing.h"

namespace smtp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Strings = std::vector<std::string>;

constexpr const char* kAscii = "Subject: x\r\n\r\nhello\r\n";
constexpr const char* kEightBit = "MIME-Version: 1.0\r\n\r\ncaf\xc3\xa9 and more of it\r\n";
constexpr const char* kQuoted =
    "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9 and more of it\r\n";
constexpr const char* kUtf8Header = "Subject: caf\xc3\xa9\r\n\r\nhello\r\n";

mail::Envelope From(std::string sender, const Strings& recipients, bool smtputf8 = false) {
  mail::Envelope envelope{.sender = std::move(sender), .smtputf8 = smtputf8};
  for (const std::string& address : recipients) envelope.recipients.push_back({.address = address});
  return envelope;
}

Script Taking(const std::string& mail, const std::string& rcpt = "C: RCPT TO:<c@d.test>") {
  return {mail, "S: 250 ok", rcpt, "S: 250 ok", "C: DATA", "S: 354 go", "Data", "S: 250 ok"};
}

struct Row {
  std::string_view label;
  Strings extensions;
  mail::Envelope envelope;
  std::string mail;
  Script script;
  Strings fates;
  std::string received;  // Empty: nothing.
};

void Check(const Row& row) {
  SCOPED_TRACE(row.label);
  ClientBed bed;
  const auto session = bed.OpenWith(row.extensions, row.script);
  EXPECT_EQ(bed.Send(session.get(), row.envelope, row.mail), row.fates);
  bed.Settle();
  EXPECT_EQ(bed.server().problem, "");
  EXPECT_TRUE(session->is_usable());
  EXPECT_EQ(bed.server().mails.empty() ? "" : bed.server().mails.back(), row.received);
}

TEST(ClientExtensions, AreUsedWhereTheyAreOfferedAndNeeded) {
  const Strings accepted = {"0 accepted 250 2.0.0 ok"};
  const Strings all = {"8BITMIME", "SMTPUTF8"};
  const mail::Envelope plain = From("a@b.test", {"c@d.test"});
  mail::Envelope labelled = plain;
  labelled.body = mail::BodyType::k8BitMime;
  const Row rows[] = {
      {"7-bit", all, plain, kAscii, Taking("C: MAIL FROM:<a@b.test>"), accepted, kAscii},
      {"8-bit, labelled", all, labelled, kEightBit, Taking("C: MAIL FROM:<a@b.test> BODY=8BITMIME"), accepted,
       kEightBit},
      {"8-bit, not labelled", all, plain, kEightBit, Taking("C: MAIL FROM:<a@b.test> BODY=8BITMIME"), accepted,
       kEightBit},
      {"8-bit, not offered", {}, labelled, kEightBit, Taking("C: MAIL FROM:<a@b.test>"), accepted, kQuoted},
      {"8-bit, not offered, with a size",
       {"SIZE 1000"},
       labelled,
       kEightBit,
       Taking("C: MAIL FROM:<a@b.test>"),
       accepted,
       kQuoted},
      {"7-bit, labelled, not offered", {}, labelled, kAscii, Taking("C: MAIL FROM:<a@b.test>"), accepted, kAscii},
      {"8-bit in the header only: an old fault",
       {},
       plain,
       kUtf8Header,
       Taking("C: MAIL FROM:<a@b.test>"),
       accepted,
       kUtf8Header},
      {"SMTPUTF8", all, From("\xc3\xa9@b.test", {"c@d.test"}, true), kUtf8Header,
       Taking("C: MAIL FROM:<\xc3\xa9@b.test> BODY=8BITMIME SMTPUTF8"), accepted, kUtf8Header},
      {"SMTPUTF8 asked for, not needed, not offered",
       {"8BITMIME"},
       From("a@b.test", {"c@d.test"}, true),
       kAscii,
       Taking("C: MAIL FROM:<a@b.test>"),
       accepted,
       kAscii},
      {"SIZE", {"SIZE"}, plain, kAscii, Taking("C: MAIL FROM:<a@b.test> SIZE=21"), accepted, kAscii},
      {"SIZE, just enough", {"SIZE 21"}, plain, kAscii, Taking("C: MAIL FROM:<a@b.test> SIZE=21"), accepted, kAscii},
  };
  for (const Row& row : rows) Check(row);
}

TEST(ClientExtensions, AMailThatTheServerCannotTakeIsRefusedUnsent) {
  const std::string signed_mail =
      "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\ncaf\xc3\xa9\r\n--b--\r\n";
  const Row rows[] = {
      {"too large",
       {"SIZE 20"},
       From("a@b.test", {"c@d.test", "e@d.test"}),
       kAscii,
       {},
       {"0 refused 0 5.3.4 5.3.4 The mail has 21 bytes, the server takes 20 at most",
        "1 refused 0 5.3.4 5.3.4 The mail has 21 bytes, the server takes 20 at most"},
       ""},
      {"signed 8-bit",
       {},
       From("a@b.test", {"c@d.test"}),
       signed_mail,
       {},
       {"0 refused 0 5.6.3 5.6.3 The server does not offer 8BITMIME, and the mail cannot be converted: a part with "
        "8-bit "
        "bytes is signed"},
       ""},
      {"sender not ASCII",
       {"8BITMIME"},
       From("\xc3\xa9@b.test", {"c@d.test"}, true),
       kAscii,
       {},
       {"0 refused 0 5.6.7 5.6.7 The sender's address is not ASCII, and the server does not offer SMTPUTF8"},
       ""},
      {"header not ASCII",
       {"8BITMIME"},
       From("a@b.test", {"c@d.test"}, true),
       kUtf8Header,
       {},
       {"0 refused 0 5.6.9 5.6.9 The header is not ASCII, and the server does not offer SMTPUTF8"},
       ""},
      {"one recipient not ASCII",
       {"8BITMIME"},
       From("a@b.test", {"c@d.test", "\xc3\xa9@d.test"}, true),
       kAscii,
       Taking("C: MAIL FROM:<a@b.test>"),
       {"1 refused 0 5.6.7 5.6.7 The address is not ASCII, and the server does not offer SMTPUTF8",
        "0 accepted 250 2.0.0 ok"},
       kAscii},
      {"a sender that smuggles",
       {},
       From("a@b.test>\r\nRCPT TO:<x@y.test", {"c@d.test"}),
       kAscii,
       {},
       {"0 refused 0 5.1.7 5.1.7 The sender's address cannot stand in a MAIL command"},
       ""},
      {"a recipient that smuggles",
       {},
       From("a@b.test", {"x>\r\nDATA", "c@d.test", ""}),
       kAscii,
       Taking("C: MAIL FROM:<a@b.test>"),
       {"0 refused 0 5.1.3 5.1.3 The address cannot stand in a RCPT command",
        "2 refused 0 5.1.3 5.1.3 The address cannot stand in a RCPT command", "1 accepted 250 2.0.0 ok"},
       kAscii},
  };
  for (const Row& row : rows) Check(row);
}

Script Then(Script script, const Script& rest) {
  script.insert(script.end(), rest.begin(), rest.end());
  return script;
}

TEST(ClientExtensions, AServerThatLiesIsAskedOnceMoreWithout) {
  mail::Envelope with_dsn = From("a@b.test", {"c@d.test", "e@d.test"});
  with_dsn.recipients[0].notify = mail::kNotifyNever;
  const Row rows[] = {
      {"BODY",
       {"8BITMIME"},
       From("a@b.test", {"c@d.test"}),
       kEightBit,
       Then({"C: MAIL FROM:<a@b.test> BODY=8BITMIME", "S: 555 5.5.4 what?", "C: RSET", "S: 250 ok"},
            Taking("C: MAIL FROM:<a@b.test>")),
       {"0 accepted 250 2.0.0 ok"},
       kQuoted},
      {"SIZE",
       {"SIZE 100"},
       From("a@b.test", {"c@d.test"}),
       kAscii,
       Then({"C: MAIL FROM:<a@b.test> SIZE=21", "S: 501 syntax", "C: RSET", "S: 250 ok"},
            Taking("C: MAIL FROM:<a@b.test>")),
       {"0 accepted 250 2.0.0 ok"},
       kAscii},
      {"SMTPUTF8, not needed",
       {"SMTPUTF8"},
       From("a@b.test", {"c@d.test"}, true),
       kAscii,
       Then({"C: MAIL FROM:<a@b.test> SMTPUTF8", "S: 504 what?", "C: RSET", "S: 250 ok"},
            Taking("C: MAIL FROM:<a@b.test>")),
       {"0 accepted 250 2.0.0 ok"},
       kAscii},
      {"SMTPUTF8, needed",
       {"SMTPUTF8"},
       From("\xc3\xa9@b.test", {"c@d.test"}, true),
       kAscii,
       {"C: MAIL FROM:<\xc3\xa9@b.test> SMTPUTF8", "S: 555 what?"},
       {"0 refused 0 5.6.7 5.6.7 The sender's address is not ASCII, and the server does not offer SMTPUTF8"},
       ""},
      {"the refusal stays",
       {"SIZE"},
       From("a@b.test", {"c@d.test"}),
       kAscii,
       {"C: MAIL FROM:<a@b.test> SIZE=21", "S: 501 syntax", "C: RSET", "S: 250 ok", "C: MAIL FROM:<a@b.test>",
        "S: 501 syntax"},
       {"0 refused 501 5.0.0 syntax"},
       ""},
      {"it is about the address",
       {"SIZE"},
       From("a@b.test", {"c@d.test"}),
       kAscii,
       {"C: MAIL FROM:<a@b.test> SIZE=21", "S: 501 5.1.7 no such sender"},
       {"0 refused 501 5.1.7 5.1.7 no such sender"},
       ""},
      {"NOTIFY of one of two",
       {"DSN"},
       with_dsn,
       kAscii,
       Then({"C: MAIL FROM:<a@b.test>", "S: 250 ok", "C: RCPT TO:<c@d.test> NOTIFY=NEVER", "S: 555 what?",
             "C: RCPT TO:<e@d.test>", "S: 250 ok", "C: DATA", "S: 354 go", "Data", "S: 250 one"},
            Taking("C: MAIL FROM:<a@b.test>")),
       {"1 accepted 250 2.0.0 one +dsn", "0 accepted 250 2.0.0 ok"},
       kAscii},
  };
  for (const Row& row : rows) Check(row);
}

// The mail is read piece by piece, also where it is looked through and converted.
TEST(ClientExtensions, ALargeMailIsConvertedAsItGoes) {
  std::string text = "MIME-Version: 1.0\r\n\r\n";
  std::string quoted = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
  for (int i = 0; i < 10'000; ++i) {
    text += "a line without anything special in it\r\n";
    quoted += "a line without anything special in it\r\n";
  }
  text += "\xe9\r\n";
  quoted += "=E9\r\n";
  Check({"large",
         {},
         From("a@b.test", {"c@d.test"}),
         text,
         Taking("C: MAIL FROM:<a@b.test>"),
         {"0 accepted 250 2.0.0 ok"},
         quoted});
}

}  // namespace
}  // namespace smtp
