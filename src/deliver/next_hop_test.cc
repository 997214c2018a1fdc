#include "deliver/next_hop.h"

#include <gtest/gtest.h>

#include "deliver/next_hop_table.h"

namespace deliver {
namespace {

using Kind = NextHop::Kind;

TEST(NextHop, ReadsEveryFormAndWritesItBack) {
  struct Row {
    const char* label;
    std::string text;
    NextHop hop;
    std::string written;
  };
  const Row rows[] = {
      {"local", "example.org", {Kind::kLocal, "example.org"}, "example.org"},
      {"local, an address literal", "[IPv6:::1]", {Kind::kLocal, "[IPv6:::1]"}, "[IPv6:::1]"},
      {"no domain", "", {Kind::kLocal, ""}, ""},
      {"by MX", "mx:Example.ORG", {Kind::kMx, "example.org"}, "mx:example.org"},
      {"by literal", "mx:[192.0.2.1]", {Kind::kMx, "[192.0.2.1]"}, "mx:[192.0.2.1]"},
      {"a server", "smtp:Mail.example.org:587", {Kind::kSmtp, "mail.example.org", 587}, "smtp:mail.example.org:587"},
      {"a server's usual port",
       "smtp:Mail.example.org",
       {Kind::kSmtp, "mail.example.org", 25},
       "smtp:mail.example.org:25"},
      {"an address", "smtp:127.0.0.1:2525", {Kind::kSmtp, "127.0.0.1", 2525}, "smtp:127.0.0.1:2525"},
      {"IPv6", "lmtp:[::1]:2424", {Kind::kLmtp, "::1", 2424}, "lmtp:[::1]:2424"},
      {"IPv6 without port", "lmtp:[::1]", {Kind::kLmtp, "::1", 24}, "lmtp:[::1]:24"},
      {"a socket", "lmtp:/run/dovecot/lmtp", {Kind::kLmtp, "/run/dovecot/lmtp"}, "lmtp:/run/dovecot/lmtp"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    const auto hop = NextHop::Parse(row.text);
    ASSERT_TRUE(hop.has_value()) << hop.error().message();
    EXPECT_EQ(*hop, row.hop);
    EXPECT_EQ(hop->ToString(), row.written);
    EXPECT_EQ(NextHop::Parse(hop->ToString()).value(), *hop);
    EXPECT_EQ(IsRemoteDestination(row.text), hop->kind != Kind::kLocal);
  }
}

TEST(NextHop, RefusesWhatNamesNoServer) {
  for (const std::string text :
       {"smtp:", "smtp::25", "smtp:host:", "smtp:host:0", "smtp:host:65536", "smtp:host:25x", "smtp:::1:25",
        "smtp:[::1", "smtp:[::1]x", "smtp:[]:25", "smtp:a b:25", "smtp:/run/socket", "lmtp:h\xc3\xa4:24",
        "mx:", "mx:a b", "mx:exa..mple", "smtp:a@b:25"}) {
    const auto hop = NextHop::Parse(text);
    ASSERT_FALSE(hop.has_value()) << text;
    EXPECT_EQ(hop.error().code(), base::Errc::kInvalid) << text;
  }
  EXPECT_FALSE(NextHop::Parse("lmtp:/" + std::string(200, 'x')).has_value());
}

class NextHopTableTest : public ::testing::Test {
 protected:
  void Add(std::string_view pattern, std::string_view hop) {
    const auto added = table_.Add(pattern, NextHop::Parse(hop).value());
    ASSERT_TRUE(added.has_value()) << added.error().message();
  }
  NextHopTable table_;
};

TEST_F(NextHopTableTest, TheClosestEntryCounts) {
  ASSERT_TRUE(table_.AddLocal("Here.test").has_value());
  Add("relay.test", "smtp:inner.test:25");
  Add(".relay.test", "lmtp:[::1]:24");
  Add(".deep.relay.test", "smtp:127.0.0.1:2525");
  Add("direct.relay.test", "mx:direct.relay.test");
  struct Row {
    std::string recipient;
    std::string destination;
  };
  const Row rows[] = {
      {"a@here.test", "here.test"},
      {"a@HERE.Test", "here.test"},
      {"\"a@b\"@here.test", "here.test"},
      {"a@sub.here.test", "mx:sub.here.test"},
      {"a@relay.test", "smtp:inner.test:25"},
      {"a@x.relay.test", "lmtp:[::1]:24"},
      {"a@x.y.relay.test", "lmtp:[::1]:24"},
      {"a@deep.relay.test", "lmtp:[::1]:24"},
      {"a@x.deep.relay.test", "smtp:127.0.0.1:2525"},
      {"a@direct.relay.test", "mx:direct.relay.test"},
      {"a@notrelay.test", "mx:notrelay.test"},
      {"a@b\xc3\xbc"
       "cher.test",
       "mx:xn--bcher-kva.test"},
      {"a@[192.0.2.1]", "mx:[192.0.2.1]"},
      {"a@under_score.test", "mx:under_score.test"},
      {"Postmaster", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(table_.DestinationOf(row.recipient), row.destination) << row.recipient;
}

TEST_F(NextHopTableTest, ASmarthostTakesWhatNothingElseDoes) {
  ASSERT_TRUE(table_.AddLocal("here.test").has_value());
  Add("*", "smtp:smart.test:587");
  Add("relay.test", "smtp:inner.test:25");
  EXPECT_EQ(table_.DestinationOf("a@far.test"), "smtp:smart.test:587");
  EXPECT_EQ(table_.DestinationOf("a@relay.test"), "smtp:inner.test:25");
  EXPECT_EQ(table_.DestinationOf("a@here.test"), "here.test");
}

TEST_F(NextHopTableTest, SettingsBelongToTheServer) {
  const NextHop smarthost = NextHop::Parse("smtp:Smart.test:587").value();
  table_.SetSettings(smarthost, {.tls = smtp::ClientTls::kRequired, .username = "us", .password = "secret"});
  const NextHopSettings* settings = table_.SettingsOf(NextHop::Parse("smtp:smart.test:587").value());
  ASSERT_NE(settings, nullptr);
  EXPECT_EQ(settings->username, "us");
  EXPECT_EQ(table_.SettingsOf(NextHop::Parse("smtp:smart.test:25").value()), nullptr);
}

TEST_F(NextHopTableTest, RefusesWhatMeansNothing) {
  Add("a.test", "smtp:b.test:25");
  EXPECT_EQ(table_.Add("A.test", NextHop::Parse("smtp:c.test:25").value()).error().code(), base::Errc::kExists);
  EXPECT_EQ(table_.Add("b.test", NextHop::Parse("c.test").value()).error().code(), base::Errc::kInvalid);
  EXPECT_FALSE(table_.Add("a b", NextHop::Parse("mx:c.test").value()).has_value());
  EXPECT_FALSE(table_.AddLocal("a b").has_value());
}

}  // namespace
}  // namespace deliver
