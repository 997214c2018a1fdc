#include "transfer/imap_reader.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "transfer/imap_source.h"

namespace transfer {
namespace {

// All whole responses of `bytes`, fed in pieces that the seed cuts.
std::vector<ImapResponse> ReadAll(std::string_view bytes, std::uint64_t seed) {
  base::Random random(seed);
  ImapReader reader({});
  std::vector<ImapResponse> all;
  while (true) {
    auto response = reader.Next();
    EXPECT_TRUE(response.has_value()) << "seed " << seed;
    if (!response.has_value()) return all;
    if (response->has_value()) {
      all.push_back(**std::move(response));
      continue;
    }
    if (bytes.empty()) return all;
    const std::size_t size = std::min<std::size_t>(bytes.size(), 1 + random.Below(9));
    reader.Add(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

TEST(ImapReader, ReadsFetchResponsesHoweverTheyAreCut) {
  const std::string bytes =
      "* 1 FETCH (UID 5 FLAGS (\\Seen \\RECENT $Label1 \\flagged) INTERNALDATE \" 1-Feb-2024 10:00:00 +0100\" "
      "RFC822.SIZE "
      "18 BODY[] {18}\r\nA: (b\r\n\r\n* 2 F\r\n\r\n)\r\n"
      "* 3 FETCH (BODY[] \"quoted \\\"x\\\"\" UID 6)\r\n"
      "* 4 FETCH (BODY[] {0}\r\n UID 7)\r\n"
      "p1 OK done\r\n";
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto all = ReadAll(bytes, seed);
    ASSERT_EQ(all.size(), 4u) << "seed " << seed;
    const auto first = ParseFetch(all[0]);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->uid, 5u);
    EXPECT_EQ(first->size_bytes, 18u);
    EXPECT_EQ(first->flags, (std::vector<std::string>{"\\Seen", "$Label1", "\\Flagged"}));
    EXPECT_EQ(first->date_us, 1'706'778'000'000'000);
    EXPECT_EQ(first->body, "A: (b\r\n\r\n* 2 F\r\n\r\n");
    EXPECT_EQ(ParseFetch(all[1])->body, "quoted \"x\"");
    EXPECT_EQ(ParseFetch(all[2])->body, "");
    EXPECT_EQ(ParseFetch(all[2])->uid, 7u);
    EXPECT_EQ(all[3].tag, "p1");
    EXPECT_TRUE(all[3].IsAtom(0, "ok"));
  }
}

TEST(ImapReader, ReadsLists) {
  const auto all = ReadAll(
      "* LIST (\\HasNoChildren) \".\" INBOX\r\n* LIST (\\Noselect) \"/\" \"a \\\"b\\\"\"\r\n* LIST () NIL {3}\r\nx "
      "y\r\n"
      "* LSUB () \".\" INBOX.Sent\r\n* LIST \".\" x\r\n* LIST (\\x \"/\"\r\n",
      1);
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(ParseList(all[0], "LIST")->name, "INBOX");
  EXPECT_EQ(ParseList(all[0], "LIST")->separator, '.');
  EXPECT_EQ(ParseList(all[1], "LIST")->name, "a \"b\"");
  EXPECT_EQ(ParseList(all[1], "LIST")->attributes, std::vector<std::string>{"\\noselect"});
  EXPECT_EQ(ParseList(all[2], "LIST")->name, "x y");
  EXPECT_EQ(ParseList(all[2], "LIST")->separator, '\0');
  EXPECT_FALSE(ParseList(all[3], "LIST").has_value());
  EXPECT_TRUE(ParseList(all[3], "LSUB").has_value());
  EXPECT_FALSE(ParseList(all[4], "LIST").has_value());
  EXPECT_FALSE(ParseList(all[5], "LIST").has_value());
}

TEST(ImapReader, RefusesWhatIsTooLarge) {
  ImapReader lines({.line_bytes_max = 100, .literal_bytes_max = 100});
  lines.Add("* " + std::string(200, 'x'));
  EXPECT_FALSE(lines.Next().has_value());
  ImapReader literals({.line_bytes_max = 100, .literal_bytes_max = 100});
  literals.Add("* 1 FETCH (BODY[] {101}\r\n");
  EXPECT_FALSE(literals.Next().has_value());
  ImapReader several({.line_bytes_max = 100, .literal_bytes_max = 100});
  several.Add("* 1 FETCH (X {60}\r\n" + std::string(60, 'x') + " Y {60}\r\n");
  EXPECT_FALSE(several.Next().has_value()) << "literals of one response count together";
  ImapReader many({.line_bytes_max = 100, .literal_bytes_max = 100});
  for (int i = 0; i < 30; ++i) many.Add("* (((( {1}\r\nx");
  EXPECT_FALSE(many.Next().has_value()) << "parts of one response count together";
}

TEST(ImapReader, QuotesWhatCanBeQuoted) {
  EXPECT_EQ(QuoteImap("a \"b\\"), "\"a \\\"b\\\\\"");
  EXPECT_FALSE(QuoteImap("a\r\nb").has_value());
  EXPECT_FALSE(QuoteImap("\xc3\xbc").has_value());
}

TEST(ImapUrls, NameUserHostAndPort) {
  const auto plain = ParseImapUrl("imap://alice%40example.test@old.example.test");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->user, "alice@example.test");
  EXPECT_EQ(plain->host, "old.example.test");
  EXPECT_EQ(plain->port, 143);
  EXPECT_FALSE(plain->is_tls);
  const auto tls = ParseImapUrl("imaps://a@b@[::1]:1993/");
  ASSERT_TRUE(tls.has_value());
  EXPECT_EQ(tls->user, "a@b");
  EXPECT_EQ(tls->host, "::1");
  EXPECT_EQ(tls->port, 1993);
  EXPECT_TRUE(tls->is_tls);
  for (const char* text : {"", "imap://", "imap://host", "imap://@host", "imap://a@", "http://a@b", "imap://a@b:0",
                           "imap://a@b:x", "imap://a@b:70000", "imap://a@b/INBOX", "imap://a%0d%0ab@c"}) {
    EXPECT_FALSE(ParseImapUrl(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace transfer
