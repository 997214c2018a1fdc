#include "mail/delivery_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "mail/ascii.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/text.h"

namespace mail {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr std::string_view kOriginal =
    "Received: from a by b\r\nFrom: Ann <ann@example.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Message-ID: <one@example.test>\r\n\r\nHello Bob\r\n";

base::WallTime At(std::int64_t seconds) {
  return base::WallTime(std::chrono::seconds(1'700'000'000 + seconds));
}

DeliveryStatus Failure() {
  DeliveryStatus status{.hostname = "mx.example.test",
                        .to = "ann@example.test",
                        .id = "0011223344556677",
                        .now = At(60),
                        .arrival = At(0),
                        .retry_until = At(432'000),
                        .mail_id = "8899aabbccddeeff",
                        .original = kOriginal};
  status.recipients.push_back({.address = "bob@remote.test",
                               .remote_mta = "mx.remote.test",
                               .answer = "550 5.1.1 <bob@remote.test>: no such user"});
  return status;
}

std::string Field(std::string_view text, std::string_view name) {
  return Unfold(FindHeader(text, name).value_or("(none)"));
}

std::string_view BytesOf(const std::string& text, const Range& range) {
  return std::string_view(text).substr(range.offset, range.size);
}

// What both readers of the report need; every line ends in CRLF and is not too long.
MimePart ExpectReport(const DeliveryNotice& notice, std::size_t parts) {
  const std::string& text = notice.text;
  MimePart root = ScanMime(text);
  EXPECT_EQ(root.type + "/" + root.subtype, "multipart/report") << text;
  EXPECT_THAT(root.parameters,
              ::testing::Contains(std::pair<std::string, std::string>("report-type", "delivery-status")));
  EXPECT_THAT(root.children, SizeIs(parts)) << text;
  EXPECT_EQ(Field(text, "Auto-Submitted"), "auto-replied");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\r\n", at);
    EXPECT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 998u);
    EXPECT_FALSE(std::string_view(text).substr(at, end - at).contains('\n'));
    if (end == std::string::npos) break;
    at = end + 2;
  }
  return root;
}

TEST(DeliveryStatus, AFailureIsAReportForPeopleAndPrograms) {
  const DeliveryNotice notice = ComposeNotice(Failure());
  const MimePart root = ExpectReport(notice, 3);
  EXPECT_EQ(Field(notice.text, "From"), "Mail Delivery System <MAILER-DAEMON@mx.example.test>");
  EXPECT_EQ(Field(notice.text, "To"), "<ann@example.test>");
  EXPECT_EQ(Field(notice.text, "Message-ID"), "<0011223344556677@mx.example.test>");
  EXPECT_EQ(Field(notice.text, "In-Reply-To"), "<one@example.test>");
  EXPECT_EQ(Field(notice.text, "References"), "<one@example.test>");
  EXPECT_EQ(Field(notice.text, "Date"), "Tue, 14 Nov 2023 22:14:20 +0000");

  const std::string people(BytesOf(notice.text, root.children[0].body));
  EXPECT_EQ(people,
            "This is the mail system of mx.example.test.\r\n"
            "\r\n"
            "Your message could not be delivered to this address, and will not be tried\r\n"
            "again:\r\n"
            "\r\n"
            "  <bob@remote.test>\r\n"
            "    The mail server mx.remote.test answered:\r\n"
            "      550 5.1.1 <bob@remote.test>: no such user\r\n"
            "    There is no such mailbox. Check the address for typing mistakes; if it\r\n"
            "    is right, the person may have another one by now.\r\n"
            "\r\n"
            "Subject of the message: Grüße\r\n"
            "Received from its sender: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            "Its number, for questions to your postmaster: 8899aabbccddeeff\r\n");

  EXPECT_EQ(root.children[1].subtype, "delivery-status");
  EXPECT_EQ(BytesOf(notice.text, root.children[1].body),
            "Reporting-MTA: dns; mx.example.test\r\n"
            "Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
            "X-Posthorn-ID: 8899aabbccddeeff\r\n"
            "\r\n"
            "Final-Recipient: rfc822; bob@remote.test\r\n"
            "Action: failed\r\n"
            "Status: 5.1.1\r\n"
            "Remote-MTA: dns; mx.remote.test\r\n"
            "Diagnostic-Code: smtp; 550 5.1.1 <bob@remote.test>: no such user\r\n"
            "Last-Attempt-Date: Tue, 14 Nov 2023 22:14:20 +0000\r\n");

  // The header only.
  EXPECT_EQ(root.children[2].type + "/" + root.children[2].subtype, "text/rfc822-headers");
  EXPECT_EQ(BytesOf(notice.text, root.children[2].body), kOriginal.substr(0, HeaderSize(kOriginal)));
  EXPECT_EQ(notice.body, BodyType::k8BitMime);  // The subject's letters.
  EXPECT_FALSE(notice.smtputf8);
}

TEST(DeliveryStatus, TheWholeMailIsReturnedWhenAskedFor) {
  DeliveryStatus status = Failure();
  status.is_whole = true;
  const DeliveryNotice notice = ComposeNotice(status);
  const MimePart root = ExpectReport(notice, 3);
  EXPECT_EQ(root.children[2].type + "/" + root.children[2].subtype, "message/rfc822");
  EXPECT_EQ(BytesOf(notice.text, root.children[2].body), kOriginal);
}

TEST(DeliveryStatus, AMailThatCannotBeReadIsLeftOut) {
  DeliveryStatus status = Failure();
  status.original = {};
  const DeliveryNotice notice = ComposeNotice(status);
  ExpectReport(notice, 2);
  EXPECT_FALSE(FindHeader(notice.text, "In-Reply-To").has_value());
  EXPECT_EQ(notice.body, BodyType::k7Bit);
}

TEST(DeliveryStatus, TellsOriginalRecipientAndEnvelopeIdWithoutXtext) {
  DeliveryStatus status = Failure();
  status.envelope_id = "QQ+2B314159+3D";
  status.recipients[0].original = "rfc822;Bob+40example.test";
  const std::string text = ComposeNotice(status).text;
  EXPECT_THAT(text, HasSubstr("\r\nOriginal-Envelope-Id: QQ+314159=\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nOriginal-Recipient: rfc822;Bob@example.test\r\n"));
}

TEST(DeliveryStatus, ADelayTellsUntilWhenItIsTried) {
  DeliveryStatus status = Failure();
  status.recipients[0].action = DsnAction::kDelayed;
  status.recipients[0].answer = "4.4.1 mx.remote.test does not answer";
  status.recipients[0].remote_mta.clear();
  const std::string text = ComposeNotice(status).text;
  EXPECT_EQ(Field(text, "Subject"), "Your mail is delayed");
  EXPECT_THAT(text, HasSubstr("\r\nAction: delayed\r\nStatus: 4.4.1\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nDiagnostic-Code: x-posthorn; 4.4.1 mx.remote.test does not answer\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nWill-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("Remote-MTA")));
}

TEST(DeliveryStatus, RecipientsOfEveryFateStandInOneReport) {
  DeliveryStatus status = Failure();
  status.recipients.push_back({.address = "carol@remote.test", .action = DsnAction::kDelivered, .answer = "2.0.0 ok"});
  status.recipients.push_back({.address = "dave@remote.test", .action = DsnAction::kRelayed, .answer = "250 queued"});
  status.recipients.push_back({.address = "eve@remote.test", .action = DsnAction::kDelayed, .answer = "451 later"});
  status.recipients.push_back({.address = "team@example.test", .action = DsnAction::kExpanded});
  const DeliveryNotice notice = ComposeNotice(status);
  ExpectReport(notice, 3);
  EXPECT_EQ(Field(notice.text, "Subject"), "Your mail could not be delivered");
  for (const std::string_view fields : {"bob@remote.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
                                        "carol@remote.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
                                        "dave@remote.test\r\nAction: relayed\r\nStatus: 2.0.0\r\n",
                                        "team@example.test\r\nAction: expanded\r\nStatus: 2.0.0\r\n",
                                        "eve@remote.test\r\nAction: delayed\r\nStatus: 4.0.0\r\n"}) {
    EXPECT_THAT(notice.text, HasSubstr(fields));
  }
}

TEST(DeliveryStatus, ThePostmasterIsToldWhyHe) {
  DeliveryStatus status = Failure();
  status.to = "postmaster@example.test";
  status.to_postmaster = true;
  const std::string text = ComposeNotice(status).text;
  EXPECT_THAT(text, HasSubstr("You get this as its postmaster"));
  EXPECT_THAT(text, HasSubstr("It could not be delivered to this address:"));
}

// RFC 6533: the report's types, and the address type.
TEST(DeliveryStatus, AddressesInUtf8AreReportedInUtf8) {
  DeliveryStatus status = Failure();
  status.recipients[0].address = "bjørn@remote.test";
  DeliveryNotice notice = ComposeNotice(status);
  MimePart root = ExpectReport(notice, 3);
  EXPECT_EQ(root.children[1].subtype, "global-delivery-status");
  EXPECT_THAT(notice.text, HasSubstr("\r\nFinal-Recipient: utf-8; bjørn@remote.test\r\n"));
  EXPECT_EQ(root.children[2].subtype, "rfc822-headers");
  EXPECT_EQ(notice.body, BodyType::k8BitMime);
  EXPECT_FALSE(notice.smtputf8);

  status.to = "ægir@example.test";
  const std::string original = "Subject: Grüße\r\nFrom: ægir@example.test\r\n\r\nx\r\n";
  status.original = original;
  notice = ComposeNotice(status);
  root = ExpectReport(notice, 3);
  EXPECT_EQ(root.children[2].subtype, "global-headers");
  EXPECT_EQ(Field(notice.text, "To"), "<ægir@example.test>");
  EXPECT_TRUE(notice.smtputf8);
  status.is_whole = true;
  EXPECT_THAT(ComposeNotice(status).text, HasSubstr("Content-Type: message/global\r\n"));
}

TEST(DeliveryStatus, StatusCodesFitTheAction) {
  struct Row {
    DsnAction action;
    std::string status;
    std::string answer;
    std::string expected;
  };
  const Row rows[] = {
      {DsnAction::kFailed, "5.7.1", "", "5.7.1"},
      {DsnAction::kFailed, "", "550 5.1.1 no", "5.1.1"},
      {DsnAction::kFailed, "", "550-5.1.1 no", "5.1.1"},
      {DsnAction::kFailed, "", "5.1.10 no", "5.1.10"},
      {DsnAction::kFailed, "", "550 no such user", "5.0.0"},
      {DsnAction::kFailed, "", "", "5.0.0"},
      {DsnAction::kFailed, "4.4.7", "451 x", "4.4.7"},
      {DsnAction::kFailed, "2.0.0", "550 2.0.0 ok?", "5.0.0"},
      {DsnAction::kFailed, "5.1.1234", "x", "5.0.0"},
      {DsnAction::kFailed, "5.1.1\r\nAction: delivered", "", "5.0.0"},
      {DsnAction::kFailed, "5..1", "5.1.", "5.0.0"},
      {DsnAction::kDelayed, "5.1.1", "451 4.7.1 greylisted", "4.7.1"},
      {DsnAction::kDelayed, "", "451 later", "4.0.0"},
      {DsnAction::kDelivered, "", "250 2.1.5 ok", "2.1.5"},
      {DsnAction::kRelayed, "5.0.0", "250 ok", "2.0.0"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(StatusCodeOf({.action = row.action, .status = row.status, .answer = row.answer}), row.expected)
        << row.status << " | " << row.answer;
  }
}

TEST(DeliveryStatus, PeopleAreToldWhatToDo) {
  const std::pair<std::string, std::string_view> rows[] = {
      {"5.1.10", "takes no mail"},  {"5.1.1", "no such mailbox"}, {"5.1.2", "no such mail domain"},
      {"5.2.2", "mailbox is full"}, {"4.2.2", "mailbox is full"}, {"5.3.4", "too large for the other server"},
      {"4.4.7", "for too long"},    {"5.4.6", "in a circle"},     {"5.6.7", "letters like these"},
      {"5.7.26", "refuses"},        {"5.0.0", "postmaster, who"}, {"5.3.2", "postmaster, who"},
  };
  for (const auto& [code, words] : rows) {
    DeliveryStatus status = Failure();
    status.recipients[0].status = code;
    std::string text = TextForPeople(status, "");
    for (std::size_t at = text.find("\r\n    "); at != std::string::npos; at = text.find("\r\n    "))
      text.replace(at, 6, " ");
    EXPECT_THAT(text, HasSubstr(std::string(words))) << code;
  }
}

// Words that remote servers choose cannot become lines of their own.
TEST(DeliveryStatus, RemoteWordsCannotAddLinesOrParts) {
  DeliveryStatus status = Failure();
  status.recipients[0].answer =
      "550 no\r\nAction: delivered\r\n\r\n--=_report-0011223344556677-1\r\nContent-Type: "
      "text/html\r\n\r\n<b>\n.\r\n\x01\xff";
  status.recipients[0].remote_mta = "mx\r\nStatus: 2.0.0";
  status.recipients[0].original = "rfc822;x+0D+0AAction: delivered";
  status.envelope_id = "x+0D+0A+0D+0AFinal-Recipient: y";
  const DeliveryNotice notice = ComposeNotice(status);
  const MimePart root = ExpectReport(notice, 3);
  EXPECT_THAT(notice.text, Not(HasSubstr("\nAction: delivered")));
  EXPECT_THAT(notice.text, Not(HasSubstr("\nStatus: 2.0.0")));
  EXPECT_THAT(notice.text, Not(HasSubstr("\nFinal-Recipient: y")));
  EXPECT_THAT(notice.text, Not(HasSubstr("\n--=_report-0011223344556677-1\r\n")));
  EXPECT_TRUE(IsAscii(BytesOf(notice.text, root.children[1].body)));
}

TEST(DeliveryStatus, AMailWithItsBoundaryDoesNotEndTheReport) {
  DeliveryStatus status = Failure();
  const std::string original =
      std::string(kOriginal) + "\r\n--=_report-0011223344556677-1--\r\n--=_report-0011223344556677-2\r\n";
  status.original = original;
  status.is_whole = true;
  const DeliveryNotice notice = ComposeNotice(status);
  const MimePart root = ExpectReport(notice, 3);
  EXPECT_EQ(BytesOf(notice.text, root.children[2].body), original);
}

TEST(DeliveryStatus, OnlyAPlainMessageIdIsRepliedTo) {
  for (const std::string_view id : {"<a@b", "a@b", "<a b@c>", "<a@b\r\n X: y>", "<\xc3\xa9@b>"}) {
    DeliveryStatus status = Failure();
    const std::string original = "Message-ID: " + std::string(id) + "\r\n\r\n";
    status.original = original;
    EXPECT_FALSE(FindHeader(ComposeNotice(status).text, "In-Reply-To").has_value()) << id;
  }
}

TEST(DeliveryStatus, AnyBytesGiveAReport) {
  const std::uint64_t seed = base::SecureRandom64();
  base::Random random(seed);
  const auto noise = [&random] {
    std::string bytes(random.Below(300), '\0');
    for (char& c : bytes) c = random.OneIn(8) ? "\r\n\0 -:"[random.Below(6)] : static_cast<char>(random.Next());
    return bytes;
  };
  for (int round = 0; round < 300; ++round) {
    const std::string original = noise();
    DeliveryStatus status{.hostname = "mx.example.test",
                          .to = noise(),
                          .id = "00",
                          .mail_id = noise(),
                          .envelope_id = noise(),
                          .original = original,
                          .is_whole = random.OneIn(2)};
    for (std::uint64_t i = 0; i <= random.Below(3); ++i) {
      status.recipients.push_back({.address = noise(),
                                   .original = noise(),
                                   .action = static_cast<DsnAction>(random.Below(4)),
                                   .status = noise(),
                                   .remote_mta = noise(),
                                   .answer = noise()});
    }
    const DeliveryNotice notice = ComposeNotice(status);
    ExpectReport(notice, original.empty() ? 2 : 3);
    ASSERT_FALSE(HasFailure()) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace mail
