#include "mail/header_watch.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "mail/header.h"

namespace mail {
namespace {

HeaderWatch Watch(std::string_view text, std::size_t cut) {
  HeaderWatch watch;
  watch.Add(text.substr(0, cut));
  watch.Add(text.substr(cut));
  return watch;
}

TEST(HeaderWatch, CountsFieldsHoweverTheBytesArrive) {
  const struct {
    std::string_view text;
    std::uint32_t received;
    bool message_id;
  } rows[] = {
      {"", 0, false},
      {"Received: a\r\nreceived: b\n\r\nReceived: body\r\n", 2, false},
      {"RECEIVED \t: a\r\nMessage-Id:\r\n", 1, true},
      {"Received: a\r\n Received: folded\r\n\tMessage-ID: folded\r\n", 1, false},
      {"Receive: a\r\nReceivedX: b\r\nX-Received: c\r\nRe ceived: d\r\n: e\r\nReceived\r\n", 0, false},
      {"Message-IDs: a\r\nMessage-I: b\r\n", 0, false},
      {"no field\r\n\r\r\nReceived: a\r\n", 1, false},
      {"\r\nReceived: a\r\n", 0, false},
      {"\nReceived: a\n", 0, false},
  };
  for (const auto& row : rows) {
    for (std::size_t cut = 0; cut <= row.text.size(); ++cut) {
      const HeaderWatch watch = Watch(row.text, cut);
      EXPECT_EQ(watch.received_count(), row.received) << row.text << " cut at " << cut;
      EXPECT_EQ(watch.has_message_id(), row.message_id) << row.text << " cut at " << cut;
    }
  }
}

TEST(HeaderWatch, ReadsAnyBytesAsHeaderReaderDoes) {
  const std::uint64_t seed = base::SecureRandom64();
  base::Random random(seed);
  const std::string_view words[] = {"Received", "message-ID", ":", " ", "\t", "\r", "\n", "\r\n", "x", "\xff"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t i = random.Below(16); i > 0; --i) text += words[random.Below(std::size(words))];
    const HeaderWatch watch = Watch(text, random.Below(text.size() + 1));
    ASSERT_EQ(watch.received_count(), FindHeaders(text, "Received").size()) << text << " seed=" << seed;
    ASSERT_EQ(watch.has_message_id(), FindHeader(text, "Message-ID").has_value()) << text << " seed=" << seed;
  }
}

}  // namespace
}  // namespace mail
