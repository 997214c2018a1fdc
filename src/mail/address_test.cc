#include "mail/address.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

struct ValidRow {
  std::string_view label;
  std::string_view text;
  std::string_view local;
  std::string_view domain;
  std::string_view form;  // ToString().
};

TEST(Address, BringsEachValidMailboxIntoOneForm) {
  const AddressSyntax syntax{.utf8 = true, .bare_postmaster = true};
  const ValidRow rows[] = {
      {"plain", "alice@example.test", "alice", "example.test", "alice@example.test"},
      {"case of the domain", "Alice@Example.TEST", "Alice", "example.test", "Alice@example.test"},
      {"dots", "a.b.c@x.y.z", "a.b.c", "x.y.z", "a.b.c@x.y.z"},
      {"all atext", "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~", "x", "!#$%&'*+-/=?^_`{|}~@x"},
      {"needless quotes", "\"alice\"@x.test", "alice", "x.test", "alice@x.test"},
      {"needless backslashes", R"("a\l\ice"@x.test)", "alice", "x.test", "alice@x.test"},
      {"needed quotes", "\"a b\"@x.test", "a b", "x.test", "\"a b\"@x.test"},
      {"at sign in quotes", "\"a@b\"@x.test", "a@b", "x.test", "\"a@b\"@x.test"},
      {"quoted quote", R"("a\"\\b"@x.test)", R"(a"\b)", "x.test", R"("a\"\\b"@x.test)"},
      {"two dots in quotes", "\"a..b\"@x.test", "a..b", "x.test", "\"a..b\"@x.test"},
      {"empty quotes", "\"\"@x.test", "", "x.test", "\"\"@x.test"},
      {"one label", "root@localhost", "root", "localhost", "root@localhost"},
      {"hyphens", "a@b-c.d--e", "a", "b-c.d--e", "a@b-c.d--e"},
      {"IPv4", "a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]"},
      {"IPv6", "a@[ipv6:2001:DB8:0:0:0:0:0:1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
      {"U-label",
       "a@B\xc3\xbc"
       "cher.example",
       "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example"},
      {"A-label", "a@XN--bcher-kva.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example"},
      {"UTF-8 local part", "j\xc3\xb6rg@x.test", "j\xc3\xb6rg", "x.test", "j\xc3\xb6rg@x.test"},
      {"UTF-8 in quotes", "\"j\xc3\xb6 g\"@x.test", "j\xc3\xb6 g", "x.test", "\"j\xc3\xb6 g\"@x.test"},
      {"postmaster", "PostMaster", "PostMaster", "", "PostMaster"},
  };
  for (const ValidRow& row : rows) {
    SCOPED_TRACE(row.label);
    const auto address = Address::Parse(row.text, syntax);
    ASSERT_TRUE(address.has_value()) << address.error().message();
    EXPECT_EQ(address->local, row.local);
    EXPECT_EQ(address->domain, row.domain);
    EXPECT_EQ(address->ToString(), row.form);
    const auto again = Address::Parse(address->ToString(), syntax);
    ASSERT_TRUE(again.has_value()) << again.error().message();
    EXPECT_EQ(*again, *address);
  }
}

TEST(Address, RefusesWhatIsNoMailbox) {
  const std::string long_local = std::string(255, 'a') + "@x.test";
  const std::string long_label = "a@" + std::string(64, 'b') + ".test";
  std::string long_domain = "a@";
  for (int i = 0; i < 130; ++i) long_domain += "b.";
  long_domain += "test";
  const std::string_view rows[] = {"",
                                   "@",
                                   "a",
                                   "a@",
                                   "@b",
                                   "a@@b",
                                   "a@b@c",
                                   "a b@c",
                                   "a@b c",
                                   ".a@b",
                                   "a.@b",
                                   "a..b@c",
                                   "a@.b",
                                   "a@b.",
                                   "a@b..c",
                                   "a@-b",
                                   "a@b-",
                                   "a@b-.c",
                                   "a@b_c",
                                   "a@b!",
                                   "<a@b>",
                                   "a@b>",
                                   "\"a@b",
                                   "\"a\"b@c",
                                   "\"a\"",
                                   "\"a\\",
                                   "\"a\rb\"@c",
                                   "\"a\nb\"@c",
                                   "a\r\n@b",
                                   "a@b\r\n",
                                   "a@b\nRCPT",
                                   "a@[1.2.3]",
                                   "a@[1.2.3.4",
                                   "a@[1.2.3.4]x",
                                   "a@[]",
                                   "a@[IPv6:]",
                                   "a@[IPv6:1.2.3.4]",
                                   "a@[2001:db8::1]",
                                   "a@[IPv6:12345::1]",
                                   "a@[tag:x]",
                                   "(c)a@b",
                                   "a@b(c)",
                                   "postmaster",
                                   "j\xc3\xb6rg@x.test",
                                   "a@b\xc3\xbc"
                                   "cher.example",
                                   std::string_view("a\0b@c", 5),
                                   std::string_view("a@b\0c", 5),
                                   std::string_view("a@[1.2.3.4\0]", 12),
                                   long_local,
                                   long_label,
                                   long_domain};
  for (const std::string_view text : rows) {
    const auto address = Address::Parse(text);
    EXPECT_FALSE(address.has_value()) << text;
    if (!address.has_value()) EXPECT_EQ(address.error().code(), base::Errc::kInvalid);
  }
}

TEST(Address, RefusesMalformedUtf8EvenWhenUtf8IsAllowed) {
  const std::string_view rows[] = {"\xff@x.test",     "a\xc3@x.test", "\xc0\xaf@x.test", "\xed\xa0\x80@x.test",
                                   "\"\xff\"@x.test", "a@\xff.test",  "a@\xc3.test"};
  for (const std::string_view text : rows) EXPECT_FALSE(Address::Parse(text, {.utf8 = true}).has_value()) << text;
}

TEST(Address, AcceptsTheLongestMailbox) {
  const std::string domain = std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(61, 'd');
  const std::string text = std::string(64, 'a') + "@" + domain;
  ASSERT_EQ(text.size(), 254u);
  EXPECT_TRUE(Address::Parse(text).has_value());
  EXPECT_FALSE(Address::Parse(text + "e").has_value());
  EXPECT_FALSE(Address::Parse("a" + text).has_value());
}

TEST(Address, MapsCaseAndWidthOfInternationalDomainsToOne) {
  const std::string_view rows[] = {
      "a@\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",             // 例え.テスト
      "a@\xe4\xbe\x8b\xe3\x81\x88\xe3\x80\x82\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",  // With the ideographic full stop.
      "a@xn--r8jz45g.xn--zckzah"};
  for (const std::string_view text : rows) {
    const auto address = Address::Parse(text, {.utf8 = true});
    ASSERT_TRUE(address.has_value()) << address.error().message();
    EXPECT_EQ(address->domain, "xn--r8jz45g.xn--zckzah");
  }
}

TEST(Address, HasOneKeyForLookUpWhateverTheCase) {
  const AddressSyntax syntax{.utf8 = true};
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"Alice@Example.test", "alice@example.test"},
      {"\"A L\"@x.test", "\"a l\"@x.test"},
      {"J\xc3\x96RG@x.test", "j\xc3\xb6rg@x.test"},
      {"Jo\xcc\x88rg@x.test", "j\xc3\xb6rg@x.test"},  // A decomposed umlaut.
  };
  for (const auto& [text, key] : rows) EXPECT_EQ(Address::Parse(text, syntax)->CanonicalKey(), key);
}

TEST(Address, SplitsTheDetailAtTheFirstDelimiter) {
  struct Row {
    std::string_view text, user, detail;
  };
  const Row rows[] = {{"a+b@x", "a@x", "b"},        {"a+b+c@x", "a@x", "b+c"}, {"a@x", "a@x", ""},
                      {"+a@x", "+a@x", ""},         {"a+@x", "a@x", ""},       {"\"\"@x", "\"\"@x", ""},
                      {"\"a+b c\"@x", "a@x", "b c"}};
  for (const Row& row : rows) {
    const auto address = Address::Parse(row.text);
    ASSERT_TRUE(address.has_value()) << row.text;
    EXPECT_EQ(address->WithoutDetail('+').ToString(), row.user);
    EXPECT_EQ(address->Detail('+'), row.detail);
  }
}

TEST(Address, KnowsPostmasterInAnyCaseAtAnyDomain) {
  EXPECT_TRUE(Address::Parse("POSTMASTER@x.test")->IsPostmaster());
  EXPECT_TRUE(Address::Parse("\"postmaster\"@x.test")->IsPostmaster());
  EXPECT_FALSE(Address::Parse("postmaster1@x.test")->IsPostmaster());
  EXPECT_FALSE(Address::Parse("alice", {.bare_postmaster = true}).has_value());
}

}  // namespace
}  // namespace mail
