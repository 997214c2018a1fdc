#include "imap/proto/command_reader.h"

#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace imap {
namespace {

// What a session would do: accepts each APPEND unless told otherwise.
struct Driver {
  CommandReader reader;
  bool accept = true;
  std::string log = {};
  std::string message = {};

  void Say(const NeedBytes&) {}
  void Say(const SendContinuation&) { log += "+|"; }
  void Say(const CommandReady& e) { log += "C:" + e.text + "|"; }
  void Say(const LineReady& e) { log += "L:" + e.text + "|"; }
  void Say(const AppendBegins& e) {
    log += fmt::format("A:{}#{}{}|", e.head, e.size_bytes, e.synchronising ? "" : "+");
    message.clear();
    if (accept) {
      reader.AcceptAppend();
    } else {
      reader.RefuseAppend();
    }
  }
  void Say(const AppendBytes& e) { message += e.bytes; }
  void Say(const AppendEnds& e) { log += fmt::format("M:{}{}|", message, e.complete ? "" : "!"); }
  void Say(const Refused& e) { log += fmt::format("{}:{}|", e.close ? "X" : "R", e.tag); }

  void Feed(std::string_view input) {
    while (true) {
      const ReadEvent event = reader.Next(input);
      std::visit([this](const auto& e) { Say(e); }, event);
      if (std::holds_alternative<NeedBytes>(event)) {
        EXPECT_TRUE(input.empty());
        return;
      }
    }
  }
};

const ReaderLimits kSmall{
    .line_bytes_max = 40, .literal_bytes_max = 20, .command_bytes_max = 80, .discard_bytes_max = 300};

struct Row {
  std::string_view label;
  std::string input;
  std::string_view expected;
};

std::vector<Row> Rows() {
  return {
      {"a line", "a NOOP\r\n", "C:a NOOP|"},
      {"bare LF ends a line", "a NOOP\nb NOOP\r\n", "C:a NOOP|C:b NOOP|"},
      {"empty lines are skipped", "\r\n\na NOOP\r\n", "C:a NOOP|"},
      {"synchronising literal", "a LOGIN {3}\r\nbob {2}\r\npw\r\n", "+|+|C:a LOGIN {3}\r\nbob {2}\r\npw|"},
      {"non-synchronising literal", "a LOGIN {3+}\r\nbob {0+}\r\n\r\n", "C:a LOGIN {3}\r\nbob {0}\r\n|"},
      {"a literal holds line ends and braces", "a LOGIN {7+}\r\n{1}\r\nab x\r\n", "C:a LOGIN {7}\r\n{1}\r\nab x|"},
      {"a literal that ends in {3} is no mark", "a LOGIN x {3+}\r\n{3}\r\n", "C:a LOGIN x {3}\r\n{3}|"},
      {"a mark without digits is text", "a X {}\r\nb X {+}\r\nc X {a}\r\n", "C:a X {}|C:b X {+}|C:c X {a}|"},
      {"append", "a APPEND x {5}\r\nhello\r\nb NOOP\r\n", "A:a APPEND x #5|M:hello|C:b NOOP|"},
      {"append, mailbox as literal", "a append {3+}\r\nbox {5+}\r\nhello\r\n", "A:a append {3}\r\nbox #5+|M:hello|"},
      {"append of nothing", "a APPEND x {0+}\r\n\r\nb NOOP\r\n", "A:a APPEND x #0+|M:|C:b NOOP|"},
      {"append with more after it", "a APPEND x {1+}\r\nA y\r\nb NOOP\r\n", "A:a APPEND x #1+|M:A!|C:b NOOP|"},
      {"append with a literal after it", "a APPEND x {1+}\r\nA {3+}\r\n\r\nB\r\nb NOOP\r\n",
       "A:a APPEND x #1+|M:A!|C:b NOOP|"},
      {"append with a synchronising literal after it", "a APPEND x {1+}\r\nA {3}\r\nb NOOP\r\n",
       "A:a APPEND x #1+|M:A!|C:b NOOP|"},
      {"append without a mailbox", "a APPEND {3+}\r\nbox\r\n", "C:a APPEND {3}\r\nbox|"},
      {"line too long", "a " + std::string(50, 'x') + "\r\nb NOOP\r\n", "R:a|C:b NOOP|"},
      {"line too long, literals skipped", "a " + std::string(50, 'x') + "{5+}\r\n12345 {2+}\r\n67\r\nb NOOP\r\n",
       "R:a|C:b NOOP|"},
      {"line too long, then a synchronising literal", "a " + std::string(50, 'x') + "{5}\r\nb NOOP\r\n",
       "R:a|C:b NOOP|"},
      {"literal too large", "a LOGIN {21}\r\nb NOOP\r\n", "R:a|C:b NOOP|"},
      {"literal too large, coming anyway", "a LOGIN {21+}\r\n123456789012345678901 x\r\nb NOOP\r\n", "R:a|C:b NOOP|"},
      {"literals too large together",
       "a X {20+}\r\n12345678901234567890 {20+}\r\n12345678901234567890 {20}\r\nb NOOP\r\n", "R:a|C:b NOOP|"},
      {"size out of all bounds", "a X {99999999999999999999}\r\nb NOOP\r\n", "R:a|C:b NOOP|"},
      {"size out of all bounds, coming anyway", "a X {99999999999999999999+}\r\nb NOOP\r\n", "X:a|"},
      {"too much to skip", "a X {301+}\r\n" + std::string(310, '\n') + "b NOOP\r\n", "X:a|"},
      {"a line that never ends", std::string(400, 'x') + "\r\n", "X:*|"},
      {"no readable tag", "(" + std::string(50, 'x') + "\r\n", "R:*|"},
      {"NUL and high bytes", std::string("\0\xff\r\n", 4), std::string_view("C:\0\xff|", 5)},
  };
}

TEST(CommandReader, CutsCommandsWhateverThePiecesTheyComeIn) {
  for (const Row& row : Rows()) {
    for (std::size_t piece = 1; piece <= row.input.size(); piece = piece < 5 ? piece + 1 : piece * 2) {
      Driver driver{.reader = CommandReader(kSmall)};
      for (std::size_t at = 0; at < row.input.size(); at += piece) {
        driver.Feed(std::string_view(row.input).substr(at, piece));
      }
      EXPECT_EQ(driver.log, row.expected) << row.label << ", in pieces of " << piece;
    }
  }
}

TEST(CommandReader, ARefusedAppendIsSkippedOnlyWhenItsMessageComesAnyway) {
  Driver driver{.reader = CommandReader(kSmall), .accept = false};
  driver.Feed("a APPEND x {5+}\r\nhello\r\nb APPEND x {500}\r\nc NOOP\r\n");
  EXPECT_EQ(driver.log, "A:a APPEND x #5+|A:b APPEND x #500|C:c NOOP|");
  driver.Feed("d APPEND x {500+}\r\n" + std::string(500, 'x') + "\r\ne NOOP\r\n");
  EXPECT_TRUE(driver.log.ends_with("A:d APPEND x #500+|X:d|")) << driver.log;
}

TEST(CommandReader, DroppingTheRestOfAnAppendStillReportsItsEnd) {
  CommandReader reader(kSmall);
  std::string_view input = "a APPEND x {10}\r\n0123456789\r\n";
  ASSERT_TRUE(std::holds_alternative<AppendBegins>(reader.Next(input)));
  reader.AcceptAppend();
  std::string_view first = input.substr(0, 4);
  EXPECT_EQ(std::get<AppendBytes>(reader.Next(first)).bytes, "0123");
  reader.DropRestOfAppend();
  input.remove_prefix(4);
  EXPECT_TRUE(std::get<AppendEnds>(reader.Next(input)).complete);
}

TEST(CommandReader, AnExpectedLineIsTakenAsItIs) {
  Driver driver{.reader = CommandReader(kSmall)};
  driver.reader.ExpectLine();
  driver.Feed("abc{5}\r\n{5}x NOOP\r\n");
  EXPECT_EQ(driver.log, "L:abc{5}|C:{5}x NOOP|");
  driver.reader.ExpectLine();
  driver.Feed("\r\n");
  EXPECT_TRUE(driver.log.ends_with("L:|"));
  driver.reader.ExpectLine();
  driver.Feed(std::string(60, 'A') + "{5}\r\ny NOOP\r\n");
  EXPECT_TRUE(driver.log.ends_with("R:*|C:y NOOP|")) << driver.log;
}

TEST(CommandReader, KnowsWhenNoCommandHasBegun) {
  Driver driver{.reader = CommandReader(kSmall)};
  EXPECT_TRUE(driver.reader.AtCommandStart());
  driver.Feed("a NO");
  EXPECT_FALSE(driver.reader.AtCommandStart());
  driver.Feed("OP\r\n");
  EXPECT_TRUE(driver.reader.AtCommandStart());
}

// Nothing but the memory bound and the absence of CHECKs is asserted: the bytes mean nothing.
TEST(CommandReader, SurvivesRandomBytes) {
  constexpr std::string_view kAlphabet = "aA {}+\r\n01259\"\\APPEND(x)";
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed={}", seed));
    std::mt19937 random(seed);
    Driver driver{.reader = CommandReader(kSmall), .accept = random() % 2 == 0};
    for (int i = 0; i < 300; ++i) {
      std::string piece;
      for (std::uint32_t n = random() % 12; n > 0; --n) piece.push_back(kAlphabet[random() % kAlphabet.size()]);
      driver.Feed(random() % 10 == 0 ? "\r\na APPEND x {9+}\r\n" : piece);
    }
    EXPECT_FALSE(driver.log.empty());
  }
}

}  // namespace
}  // namespace imap
