#include "mail/envelope_fields.h"

#include <chrono>

#include <gtest/gtest.h>

namespace mail {
namespace {

// As ENVELOPE writes it: ("name" "adl" "mailbox" "host").
std::string Describe(const std::vector<ListedAddress>& list) {
  std::string text;
  for (const ListedAddress& address : list) {
    text.push_back('(');
    for (const auto* part : {&address.name, &address.adl, &address.mailbox, &address.host}) {
      if (text.back() != '(') text.push_back(' ');
      text.append(*part ? "\"" + **part + "\"" : "NIL");
    }
    text.push_back(')');
  }
  return text;
}

struct Row {
  std::string_view label;
  std::string_view body;
  std::string_view list;
};

TEST(ParseAddressList, ReadsGoodAndBadLists) {
  const Row rows[] = {
      {"plain", " bob@example.test", R"((NIL NIL "bob" "example.test"))"},
      {"angle", "Bob <bob@example.test>", R"(("Bob" NIL "bob" "example.test"))"},
      {"phrase", "Bob  B. \"the \\\"X\\\"\" Builder <bob@x>", R"(("Bob B. the "X" Builder" NIL "bob" "x"))"},
      {"two", "a@b, C <c@d>", R"((NIL NIL "a" "b")("C" NIL "c" "d"))"},
      {"old comment", "bob@x (Bob \\(B\\))", R"_(("Bob (B)" NIL "bob" "x"))_"},
      {"phrase over comment", "Bob <bob@x> (work)", R"(("Bob" NIL "bob" "x"))"},
      {"encoded word", "=?utf-8?q?J=C3=B6rg?= <j@x>", R"(("=?utf-8?q?J=C3=B6rg?=" NIL "j" "x"))"},
      {"quoted local part", "\"a b\"@x", R"((NIL NIL "a b" "x"))"},
      {"quoted in angle", "<\"a b\".c@x>", R"((NIL NIL "a b.c" "x"))"},
      {"obsolete dots", "a . b @ c . d", R"((NIL NIL "a.b" "c.d"))"},
      {"route", "<@a,@b:c@d>", R"((NIL "@a,@b" "c" "d"))"},
      {"literal", "a@[IPv6:2001:db8::1]", R"((NIL NIL "a" "[IPv6:2001:db8::1]"))"},
      {"group", "Team: a@b, C <c@d>;", R"((NIL NIL "Team" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL))"},
      {"empty group", "undisclosed-recipients:;", R"((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))"},
      {"group, then one", "A B:;, c@d", R"((NIL NIL "A B" NIL)(NIL NIL NIL NIL)(NIL NIL "c" "d"))"},
      {"group that does not end", "A: b@c", R"((NIL NIL "A" NIL)(NIL NIL "b" "c")(NIL NIL NIL NIL))"},
      {"folded", "a@b,\r\n\tc@d\r\n", R"((NIL NIL "a" "b")(NIL NIL "c" "d"))"},
      {"empty elements", ",, a@b ,,", R"((NIL NIL "a" "b"))"},
      {"empty", "", ""},
      {"only white space", " \r\n ", ""},
      {"no domain", "root", R"((NIL NIL "root" "MISSING_DOMAIN"))"},
      {"no domain in angle", "Root <root>", R"(("Root" NIL "root" "MISSING_DOMAIN"))"},
      {"empty angle", "Bounce <>", R"(("Bounce" NIL "MISSING_MAILBOX" "MISSING_DOMAIN"))"},
      {"no local part", "@x.test", R"((NIL NIL "MISSING_MAILBOX" "x.test"))"},
      {"angle that does not end", "A <a@b, C <c@d>", R"(("A" NIL "a" "b")("C" NIL "c" "d"))"},
      {"address as a name", "a@b <a@b>", R"(("a@b" NIL "a" "b"))"},
      {"name without angle", "Bob B bob@x", R"(("Bob B" NIL "bob" "x"))"},
      {"two at signs", "a@b@c, d@e", R"((NIL NIL "a" "b")(NIL NIL "d" "e"))"},
      {"semicolons between", "a@b; c@d", R"((NIL NIL "a" "b")(NIL NIL "c" "d"))"},
      {"quote that does not end", "\"Bob <bob@x>", R"((NIL NIL "Bob <bob@x>" "MISSING_DOMAIN"))"},
      {"comment that does not end", "a@b (x", R"(("x" NIL "a" "b"))"},
      {"comma in quotes", "\"B, A\" <a@b>", R"(("B, A" NIL "a" "b"))"},
      {"stray closing angle", "a@b>, c@d", R"((NIL NIL "a" "b")(NIL NIL "c" "d"))"},
      {"group in a group", "A: B: c@d;", R"((NIL NIL "A" NIL)(NIL NIL "B" "MISSING_DOMAIN")(NIL NIL NIL NIL))"},
      {"8-bit", "J\xc3\xb6rg <j@x>", "(\"J\xc3\xb6rg\" NIL \"j\" \"x\")"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    EXPECT_EQ(Describe(ParseAddressList(row.body)), row.list);
  }
}

TEST(ParseAddressList, StopsAtTheLimitAndStillEndsTheGroup) {
  std::string body = "G:";
  for (int i = 0; i < 1000; ++i) body += "a@b,";
  const auto list = ParseAddressList(body, 10);
  ASSERT_EQ(list.size(), 11u);
  EXPECT_TRUE(list.front().IsGroupStart());
  EXPECT_TRUE(list.back().IsGroupEnd());
}

TEST(ParseAddressList, IsLinearOnHostileInput) {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view unit : {"(",  ")",  "<",  ">",    "@",   ":",     ";",  ",", "\"", "\\",   "a ",
                                      "a.", "a:", "<@", "a@b ", "(a)", "\"a\"", ":;", "[", " ",  "\r\n "}) {
    std::string body;
    while (body.size() < (1u << 20)) body.append(unit);
    for (const ListedAddress& address : ParseAddressList(body, ~std::size_t{0})) {
      ASSERT_TRUE(address.host || !address.name);
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(ParseEnvelopeFields, ReadsAHeader) {
  const EnvelopeFields fields = ParseEnvelopeFields(
      "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: Alice <alice@x>\r\nTo: b@x\r\nSubject: =?utf-8?q?x?=\r\n  y\r\n"
      "TO: c@x\r\nSubject: second\r\nMessage-ID: <1@x>\r\nIn-Reply-To:\r\nReply-To: \r\n\r\nCc: body@x\r\n");
  EXPECT_EQ(fields.date, "Tue, 14 Nov 2023 22:13:20 +0000");
  EXPECT_EQ(fields.subject, "=?utf-8?q?x?= y");
  EXPECT_EQ(Describe(fields.from), R"(("Alice" NIL "alice" "x"))");
  EXPECT_EQ(fields.sender, fields.from);
  EXPECT_EQ(fields.reply_to, fields.from);
  EXPECT_EQ(Describe(fields.to), R"((NIL NIL "b" "x")(NIL NIL "c" "x"))");
  EXPECT_TRUE(fields.cc.empty());
  EXPECT_TRUE(fields.bcc.empty());
  EXPECT_EQ(fields.in_reply_to, "");
  EXPECT_EQ(fields.message_id, "<1@x>");
}

TEST(ParseEnvelopeFields, LeavesOutWhatIsAbsent) {
  const EnvelopeFields fields = ParseEnvelopeFields("Sender: s@x\r\n");
  EXPECT_EQ(fields.date, std::nullopt);
  EXPECT_EQ(fields.subject, std::nullopt);
  EXPECT_TRUE(fields.from.empty());
  EXPECT_EQ(fields.sender.size(), 1u);
  EXPECT_TRUE(fields.reply_to.empty());
  EXPECT_EQ(fields.message_id, std::nullopt);
}

TEST(ParseEnvelopeFields, LimitsEachListAcrossFields) {
  std::string header;
  for (int i = 0; i < 100; ++i) header += "To: a@b, c@d\r\n";
  EXPECT_EQ(ParseEnvelopeFields(header, {.addresses_max = 25}).to.size(), 25u);
}

}  // namespace
}  // namespace mail
