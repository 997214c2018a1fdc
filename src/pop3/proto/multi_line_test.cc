#include "pop3/proto/multi_line.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace pop3::proto {
namespace {

std::string Respond(std::string_view message, std::size_t piece_size, TopFilter top) {
  DotStuffer stuffer;
  std::string out;
  for (std::size_t at = 0; at < message.size(); at += piece_size) {
    stuffer.Add(top.Pass(message.substr(at, piece_size)), out);
  }
  stuffer.Finish(out);
  return out;
}

TEST(DotStuffer, StuffsEndsAndNormalisesHoweverTheMessageIsCut) {
  const struct {
    const char* label;
    std::string message;
    std::string expected;
  } rows[] = {
      {"plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"},
      {"dots", ".\r\n..\r\na.\r\n.b\r\n", "..\r\n...\r\na.\r\n..b\r\n.\r\n"},
      {"no end", "a\r\nb", "a\r\nb\r\n.\r\n"},
      {"half an end", "a\r\nb\r", "a\r\nb\r\n.\r\n"},
      {"empty", "", ".\r\n"},
      {"bare LF", "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"},
      {"bare CR", "a\rb\r\r\n", "a\rb\r\r\n.\r\n"},
      {"only a dot", ".", "..\r\n.\r\n"},
      {"empty lines", "\r\n\n\r\n", "\r\n\r\n\r\n.\r\n"},
  };
  for (const auto& row : rows) {
    for (std::size_t piece_size = 1; piece_size <= row.message.size() + 1; ++piece_size) {
      EXPECT_EQ(Respond(row.message, piece_size, TopFilter(1000)), row.expected)
          << row.label << " in pieces of " << piece_size;
    }
  }
}

TEST(TopFilter, PassesTheHeaderAndTheFirstLinesHoweverTheMessageIsCut) {
  const std::string header = "Subject: x\r\nTo: y\r\n\r\n";
  const struct {
    const char* label;
    std::string message;
    std::uint32_t lines;
    std::string expected;
  } rows[] = {
      {"none", header + "a\r\nb\r\nc\r\n", 0, header},
      {"two", header + "a\r\nb\r\nc\r\n", 2, header + "a\r\nb\r\n"},
      {"as many as there are", header + "a\r\nb\r\n", 2, header + "a\r\nb\r\n"},
      {"more than there are", header + "a\r\nb", 9, header + "a\r\nb\r\n"},
      {"a line without its end counts", header + "a\r\nb", 1, header + "a\r\n"},
      {"header only", "Subject: x\r\n", 3, "Subject: x\r\n"},
      {"no header", "\r\na\r\nb\r\n", 1, "\r\na\r\n"},
      {"bare LF", "Subject: x\n\na\nb\n", 1, "Subject: x\r\n\r\na\r\n"},
      {"empty", "", 5, ""},
  };
  for (const auto& row : rows) {
    for (std::size_t piece_size = 1; piece_size <= row.message.size() + 1; ++piece_size) {
      EXPECT_EQ(Respond(row.message, piece_size, TopFilter(row.lines)), row.expected + ".\r\n")
          << row.label << " in pieces of " << piece_size;
    }
  }
}

TEST(TopFilter, KnowsWhenItNeedsNoMore) {
  TopFilter top(1);
  top.Pass("Subject: x\r\n\r\n");
  EXPECT_FALSE(top.IsDone());
  EXPECT_EQ(top.Pass("a\r\nb"), "a\r\n");
  EXPECT_TRUE(top.IsDone());
  EXPECT_EQ(top.Pass("c"), "");
}

}  // namespace
}  // namespace pop3::proto
