#include "imap/proto/mailbox_name.h"

#include <gtest/gtest.h>

#include "imap/proto/mailbox_pattern.h"

namespace imap {
namespace {

TEST(MailboxName, DecodesAndEncodesModifiedUtf7) {
  const struct {
    std::string_view wire;
    std::string_view name;
  } kRows[] = {
      {"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"},  // RFC 3501 §5.1.3.
      {"Entw&APw-rfe", "Entwürfe"},
      {"R&-D", "R&D"},
      {"&-&-", "&&"},
      {"Hi Mom -&Jjo--!", "Hi Mom -\u263a-!"},
      {"&2D3eAA-", "\U0001F600"},
      {"&AOkA6Q-", "éé"},
      {"plain", "plain"},
      {"", ""},
  };
  for (const auto& row : kRows) {
    const auto decoded = DecodeMailboxName(row.wire);
    ASSERT_TRUE(decoded.has_value()) << row.wire;
    EXPECT_EQ(*decoded, row.name);
    EXPECT_EQ(EncodeMailboxName(row.name), row.wire);
  }
}

TEST(MailboxName, RefusesEveryEncodingButTheCanonicalOne) {
  for (const std::string_view wire : {
           "&",           // Not closed.
           "&APw",        // Not closed.
           "&AGE-",       // Printable ASCII encoded.
           "&APw-&APw-",  // RFC 3501 §5.1.3: a superfluous shift.
           "&APx-",       // Bits left over.
           "&APwA-",      // A whole sextet left over.
           "&2D0-",       // High surrogate alone.
           "&3gA-",       // Low surrogate alone.
           "&AP/-",       // '/' instead of ','.
           "&AAA-",       // NUL.
           "\xc3\xbc",    // Raw UTF-8.
           "a\tb",
           "a\r\nb",
       }) {
    EXPECT_FALSE(DecodeMailboxName(wire).has_value()) << wire;
  }
  EXPECT_FALSE(DecodeMailboxName(std::string(1001, 'a')).has_value());
}

TEST(MailboxName, SpellsInboxInUpperCase) {
  EXPECT_EQ(*DecodeMailboxName("inBox"), "INBOX");
  EXPECT_EQ(*DecodeMailboxName("inBoxes"), "inBoxes");
}

TEST(MailboxName, EncodesBytesThatAreNoUtf8AsReplacement) {
  EXPECT_EQ(*DecodeMailboxName(EncodeMailboxName("a\xff\xc0\x80z")), "a\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(*DecodeMailboxName(EncodeMailboxName("\xe2\x82")), "\uFFFD\uFFFD");
  EXPECT_EQ(*DecodeMailboxName(EncodeMailboxName("\xed\xa0\x80")), "\uFFFD\uFFFD\uFFFD");
}

TEST(MailboxName, CheckRefusesNamesThatCannotBeMade) {
  for (const std::string_view name : {"a", "a/b", "INBOX/x", "übung & more", "a.b"}) {
    EXPECT_TRUE(CheckMailboxName(name).has_value()) << name;
  }
  for (const std::string_view name : {"", "/", "/a", "a/", "a//b", "a*", "%", "a\x01", "a\x7f"}) {
    EXPECT_FALSE(CheckMailboxName(name).has_value()) << name;
  }
}

TEST(MailboxPattern, MatchesAsRfc3501Section6_3_8Says) {
  const struct {
    std::string_view pattern;
    std::string_view name;
    bool expected;
  } kRows[] = {
      {"*", "a/b/c", true},
      {"%", "a", true},
      {"%", "a/b", false},
      {"a/%", "a/b", true},
      {"a/%", "a/b/c", false},
      {"a/*", "a/b/c", true},
      {"a/*", "a", false},
      {"a*", "a/b", true},
      {"%/%", "a/b", true},
      {"%/%", "a", false},
      {"*c", "a/b/c", true},
      {"%c", "a/c", false},
      {"inbox", "INBOX", true},
      {"InBoX/%", "INBOX/x", true},
      {"Inbox/X", "INBOX/x", false},
      {"abc", "ABC", false},
      {"", "", true},
      {"", "a", false},
      {"*%*%", "", true},
      {"a%b*c", "axxbyy/zc", true},
      {"foo", "foobar", false},
      {"*in*", "INBOX", true},
      {"i*", "INBOX", true},
      {"i%/x", "INBOX/x", true},
      {"i*", "INBOXES", false},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(MatchesPattern(row.pattern, row.name), row.expected) << row.pattern << " over " << row.name;
  }
}

TEST(MailboxPattern, HostilePatternsCostNoMoreThanOthers) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(MatchesPattern(pattern + "b", std::string(1000, 'a')));
}

}  // namespace
}  // namespace imap
