// Our client against our server: what one node sends, another takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "smtp/client/client_session.h"
#include "smtp/server/testing.h"

namespace smtp {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class TextBytes final : public MailBytes {
 public:
  explicit TextBytes(std::string text) : text_(std::move(text)) {}
  std::uint64_t size_bytes() const override { return text_.size(); }
  async::Task<base::Result<std::string>> Read(std::uint64_t offset, std::uint64_t size) override {
    co_return text_.substr(offset, size);
  }

 private:
  std::string text_;
};

class Relay : public ::testing::Test {
 protected:
  void Make(TestBedOptions options = {}) {
    connection_ = options.connection;
    bed_.emplace(std::move(options));
    settings_.hostname = "relay.test";
    settings_.tls_context = net::TlsContext::ForClient();  // Memory connections look at none.
  }
  std::unique_ptr<ClientSession> Open() {
    auto pair = net::MemoryConnection::MakePair(bed_->node().executor(), &bed_->sweep(), connection_);
    auto unused = net::MemoryConnection::MakePair(bed_->node().executor(), &bed_->sweep(), connection_);
    bed_->Serve(std::move(pair.server), std::move(unused.client));
    auto session = bed_->node().Run(ClientSession::Open(std::move(pair.client), &settings_));
    EXPECT_TRUE(session.has_value()) << session.error().message();
    return *std::move(session);
  }
  std::vector<RecipientFate> Send(ClientSession* session, const mail::Envelope& envelope, std::string text) {
    TextBytes bytes(std::move(text));
    std::vector<std::uint32_t> recipients(envelope.recipients.size());
    for (std::uint32_t i = 0; i < recipients.size(); ++i) recipients[i] = i;
    std::vector<RecipientFate> fates;
    bed_->node().Run(session->Send(&envelope, std::move(recipients), &bytes, &fates));
    return fates;
  }

  net::MemoryOptions connection_;
  std::optional<TestBed> bed_;
  ClientSettings settings_;
};

mail::Envelope To(const std::vector<std::string_view>& recipients) {
  mail::Envelope envelope{.sender = "sender@remote.test"};
  for (const std::string_view address : recipients) envelope.recipients.push_back({.address = std::string(address)});
  return envelope;
}

TEST_F(Relay, MailAfterMailArrivesAsItWas) {
  const std::uint64_t seed = base::SecureRandom64();
  SCOPED_TRACE(fmt::format("seed={}", seed));
  base::Random random(seed);
  for (const bool tls : {false, true}) {
    Make({.tls = tls});
    const auto session = Open();
    EXPECT_EQ(!session->tls().version.empty(), tls);
    EXPECT_EQ(session->server_name(), "mx.example.test");
    std::vector<std::string> sent;
    for (const std::size_t size : {0u, 10u, 100u, 70'000u, 300'000u}) {
      std::string text = "Subject: x\r\n\r\n";
      while (text.size() < size) text += random.OneIn(20) ? "\r\n" : random.OneIn(3) ? "." : "\xe9";
      text += "\r\n";
      const auto fates = Send(session.get(), To({kAlice}), text);
      ASSERT_THAT(fates, SizeIs(1));
      EXPECT_EQ(fates[0].fate, Fate::kAccepted) << fates[0].answer;
      sent.push_back(std::move(text));
    }
    std::vector<std::string> arrived;
    for (const std::string& mail : bed_->Mails(kAlice)) arrived.push_back(TestBed::OwnBytes(mail));
    EXPECT_EQ(arrived, sent);
    bed_->node().Run(session->Quit());
    bed_->Join();
  }
}

TEST_F(Relay, EachRecipientHasItsFate) {
  Make();
  const auto session = Open();
  const auto fates =
      Send(session.get(), To({kAlice, "nobody@example.test", kCarol, "x@elsewhere.test"}), "A: b\r\n\r\nx\r\n");
  ASSERT_THAT(fates, SizeIs(4));
  const auto of = [&](std::uint32_t recipient) {
    return std::ranges::find(fates, recipient, &RecipientFate::recipient);
  };
  EXPECT_EQ(of(0)->fate, Fate::kAccepted);
  EXPECT_EQ(of(1)->fate, Fate::kRefused);
  EXPECT_EQ(of(1)->status, "5.1.1");
  EXPECT_EQ(of(2)->fate, Fate::kAccepted);
  EXPECT_EQ(of(3)->fate, Fate::kRefused);
  EXPECT_EQ(of(3)->status, "5.7.1");
  // And the next mail goes on as if nothing had been.
  const auto none = Send(session.get(), To({"nobody@example.test"}), "A: b\r\n\r\nx\r\n");
  EXPECT_EQ(none[0].fate, Fate::kRefused);
  const auto again = Send(session.get(), To({kAlice}), "A: b\r\n\r\nx\r\n");
  EXPECT_EQ(again[0].fate, Fate::kAccepted);
  EXPECT_THAT(bed_->Mails(kAlice), SizeIs(2));
}

TEST_F(Relay, TheSizeLimitIsSeenBeforeTheMailLeaves) {
  TestBedOptions options;
  options.settings.message_bytes_max = 1000;
  Make(std::move(options));
  const auto session = Open();
  const auto fates = Send(session.get(), To({kAlice}), "A: b\r\n\r\n" + std::string(1000, 'x') + "\r\n");
  EXPECT_EQ(fates[0].fate, Fate::kRefused);
  EXPECT_EQ(fates[0].status, "5.3.4");
  EXPECT_EQ(fates[0].code, 0);
}

TEST_F(Relay, RecipientsBeyondTheLimitAreForAnotherMail) {
  TestBedOptions options;
  options.settings.recipients_max = 2;
  Make(std::move(options));
  const auto session = Open();
  const mail::Envelope envelope = To({kAlice, kBob, kCarol});
  auto fates = Send(session.get(), envelope, "A: b\r\n\r\nx\r\n");
  ASSERT_THAT(fates, SizeIs(3));
  EXPECT_EQ(fates[0].recipient, 2u);
  EXPECT_EQ(fates[0].fate, Fate::kTryAgain);
  EXPECT_EQ(fates[0].status, "4.5.3");
  EXPECT_EQ(fates[1].fate, Fate::kAccepted);
  EXPECT_EQ(fates[2].fate, Fate::kAccepted);
  EXPECT_TRUE(session->is_usable());
  fates = Send(session.get(), To({kCarol}), "A: b\r\n\r\nx\r\n");
  EXPECT_EQ(fates[0].fate, Fate::kAccepted);
}

TEST_F(Relay, WorksByteByByte) {
  TestBedOptions options;
  options.connection.piece_bytes_max = 1;
  Make(std::move(options));
  const auto session = Open();
  const auto fates = Send(session.get(), To({kAlice, kCarol}), "Subject: x\r\n\r\n.\r\n..\r\n");
  EXPECT_THAT(fates, SizeIs(2));
  EXPECT_EQ(TestBed::OwnBytes(bed_->Mails(kAlice).back()), "Subject: x\r\n\r\n.\r\n..\r\n");
}

}  // namespace
}  // namespace smtp
