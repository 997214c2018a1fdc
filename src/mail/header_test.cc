#include "mail/header.h"

#include <gtest/gtest.h>

namespace mail {
namespace {

constexpr std::string_view kHeader =
    "Received: one\r\nReceived : two\r\n\tfolded\r\nsubject:Hi\r\nX-Empty:\r\nno colon here\r\nSUBJECT: again\r\n";

TEST(HeaderReader, GivesEveryFieldInOrder) {
  struct Row {
    std::string_view name, body;
    std::uint64_t offset;
  };
  const Row rows[] = {{"Received", " one", 0},   {"Received", " two\r\n\tfolded", 15},
                      {"subject", "Hi", 40},     {"X-Empty", "", 52},
                      {"", "no colon here", 62}, {"SUBJECT", " again", 77}};
  HeaderReader reader(kHeader);
  std::string all;
  for (const Row& row : rows) {
    const auto field = reader.Next();
    ASSERT_TRUE(field.has_value()) << row.name;
    EXPECT_EQ(field->name, row.name);
    EXPECT_EQ(field->body, row.body);
    EXPECT_EQ(field->offset, row.offset);
    all.append(field->raw);
  }
  EXPECT_FALSE(reader.Next().has_value());
  EXPECT_EQ(all, kHeader);
}

TEST(HeaderReader, EndsAtTheEmptyLine) {
  for (const std::string_view text : {"A: b\r\n\r\nC: d\r\n", "A: b\n\nC: d\n", "A: b\n\r\nC: d"}) {
    HeaderReader reader(text);
    EXPECT_TRUE(reader.Next().has_value());
    EXPECT_FALSE(reader.Next().has_value());
  }
}

TEST(HeaderReader, KeepsLinesThatAreNoFields) {
  struct Row {
    std::string_view label, text, raw;
  };
  const Row rows[] = {{"mbox line", "From bob Mon Jan 1 10:00:00\n", "From bob Mon Jan 1 10:00:00\n"},
                      {"starts folded", " x\r\n y\r\nA: b\r\n", " x\r\n y\r\n"},
                      {"8-bit name", "\xc3\xbc: b\r\n", "\xc3\xbc: b\r\n"},
                      {"no name", ": b\r\n", ": b\r\n"},
                      {"colon only after a break", "a\r\n :b\r\n", "a\r\n :b\r\n"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    const auto field = HeaderReader(row.text).Next();
    ASSERT_TRUE(field.has_value());
    EXPECT_EQ(field->name, "");
    EXPECT_EQ(field->raw, row.raw);
  }
}

TEST(HeaderSize, CountsTheEmptyLine) {
  const std::pair<std::string_view, std::size_t> rows[] = {
      {"", 0},          {"\r\n", 2},       {"\r\nbody", 2},           {"A: b", 4}, {"A: b\r\n", 6}, {"A: b\r\n\r\n", 8},
      {"A: b\n\nx", 6}, {"A: b\r\r\n", 7}, {"A: b\r\n \r\n\r\nx", 11}};
  for (const auto& [text, size] : rows) EXPECT_EQ(HeaderSize(text), size) << text;
}

TEST(FindHeader, FindsTheFirstOrAllInAnyCase) {
  EXPECT_EQ(FindHeader(kHeader, "Subject"), "Hi");
  EXPECT_EQ(FindHeader(kHeader, "x-empty"), "");
  EXPECT_EQ(FindHeader(kHeader, "To"), std::nullopt);
  EXPECT_EQ(FindHeader(kHeader, ""), std::nullopt);
  EXPECT_EQ(FindHeaders(kHeader, "subject").size(), 2u);
}

TEST(Unfold, MakesOneLine) {
  const std::pair<std::string_view, std::string_view> rows[] = {{" a b ", "a b"},
                                                                {" a\r\n\tb", "a b"},
                                                                {"a\n b\n\n  c", "a b c"},
                                                                {"a  b", "a  b"},
                                                                {"a \r\n  \r\n b\r\n", "a b"},
                                                                {std::string_view("a\0b", 3), "ab"},
                                                                {"a\rb", "ab"},
                                                                {"", ""}};
  for (const auto& [folded, text] : rows) EXPECT_EQ(Unfold(folded), text) << folded;
}

}  // namespace
}  // namespace mail
