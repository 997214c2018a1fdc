#include "history/event.h"

#include <gtest/gtest.h>

namespace history {
namespace {

base::WallTime At(std::int64_t seconds) {
  return base::WallTime(std::chrono::seconds(seconds));
}

std::vector<Event> Samples() {
  const auto at = [](auto what) {
    return Event{
        .partition = replog::PartitionId(7), .index = replog::Index(300), .time = At(1'800'000'000), .what = what};
  };
  Arrival arrival{.queued = false,
                  .cls = mail::Class::kBulk,
                  .size_bytes = 70'000,
                  .mail_id = "0123456789abcdef",
                  .sender = "News@X.test",
                  .client_ip = "192.0.2.1",
                  .helo = "mx.x.test",
                  .auth_account = "bob@example.test",
                  .protocol = "ESMTPSA",
                  .about = {},
                  .recipients = {{"alice@example.test", ""}, {"carol@example.test", "rfc822;Info@example.test"}}};
  Arrival queued = arrival;
  queued.queued = true;
  queued.about = replog::Index(9);
  return {at(arrival), at(queued),
          at(Outcome{.mail = replog::Index(5),
                     .notice = replog::Index(300),
                     .recipients = {{.recipient = 1,
                                     .state = queue::RecipientState::kBounced,
                                     .told = true,
                                     .next_attempt = At(1'800'000'060),
                                     .relay = "mx[192.0.2.9]:25",
                                     .cipher = "TLSv1.3",
                                     .answer = "550 5.1.1 no such user"}}}),
          at(Control{.mail = replog::Index(5), .operation = queue::Operation::kReclass, .cls = mail::Class::kHeld})};
}

TEST(HistoryEvent, IsReadAsItWasWritten) {
  for (const Event& event : Samples()) {
    std::string bytes;
    event.EncodeTo(bytes);
    const auto read = Event::Decode(bytes);
    ASSERT_TRUE(read.has_value()) << read.error().message();
    EXPECT_EQ(*read, event);
  }
}

TEST(HistoryEvent, IsRefusedWhenBytesAreMissingOrTooMany) {
  for (const Event& event : Samples()) {
    std::string bytes;
    event.EncodeTo(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(Event::Decode(std::string_view(bytes).substr(0, size)).has_value()) << size;
    }
    EXPECT_FALSE(Event::Decode(bytes + "x").has_value());
  }
}

TEST(HistoryEvent, IsFoundByEveryAddressAndDomainInItWhateverTheirCase) {
  std::vector<std::uint32_t> hashes;
  AddHashes(Samples()[1], &hashes);
  const auto has = [&](std::uint32_t hash) { return std::ranges::count(hashes, hash) == 1; };
  EXPECT_TRUE(has(HashOf(KeyKind::kMailId, "0123456789ABCDEF")));
  EXPECT_TRUE(has(HashOf(queue::QueueId{replog::PartitionId(7), replog::Index(300)})));
  EXPECT_TRUE(has(HashOf(KeyKind::kSender, "news@x.TEST")));
  EXPECT_TRUE(has(HashOf(KeyKind::kSenderDomain, "x.test")));
  EXPECT_TRUE(has(HashOf(KeyKind::kRecipient, "ALICE@example.test")));
  EXPECT_TRUE(has(HashOf(KeyKind::kRecipient, "info@example.test")));
  EXPECT_TRUE(has(HashOf(KeyKind::kRecipientDomain, "example.test")));
  EXPECT_FALSE(has(HashOf(KeyKind::kRecipient, "news@x.test")));
}

}  // namespace
}  // namespace history
