#include "pop3/proto/command.h"

#include <gtest/gtest.h>

namespace pop3::proto {
namespace {

using namespace std::string_literals;

// A command as text, to compare whole values in a table.
struct Printer {
  static std::string Number(const std::optional<std::uint32_t>& n) { return n ? std::to_string(*n) : "-"; }
  std::string operator()(const User& c) const { return "USER[" + c.name + "]"; }
  std::string operator()(const Pass& c) const { return "PASS[" + c.password + "]"; }
  std::string operator()(const Stat&) const { return "STAT"; }
  std::string operator()(const List& c) const { return "LIST " + Number(c.message); }
  std::string operator()(const Retr& c) const { return "RETR " + std::to_string(c.message); }
  std::string operator()(const Dele& c) const { return "DELE " + std::to_string(c.message); }
  std::string operator()(const Noop&) const { return "NOOP"; }
  std::string operator()(const Rset&) const { return "RSET"; }
  std::string operator()(const Quit&) const { return "QUIT"; }
  std::string operator()(const Top& c) const {
    return "TOP " + std::to_string(c.message) + " " + std::to_string(c.lines);
  }
  std::string operator()(const Uidl& c) const { return "UIDL " + Number(c.message); }
  std::string operator()(const Capa&) const { return "CAPA"; }
  std::string operator()(const Stls&) const { return "STLS"; }
  std::string operator()(const Auth& c) const { return "AUTH " + c.mechanism + " " + c.initial.value_or("-"); }
  std::string operator()(const BadCommand& c) const { return "bad: " + c.reason; }
};

TEST(ParseCommand, ReadsEveryCommandAndSaysWhatIsWrong) {
  const struct {
    std::string line;
    std::string expected;
  } rows[] = {
      {"USER alice@example.test", "USER[alice@example.test]"},
      {"user  alice@example.test ", "USER[alice@example.test]"},
      {"USER", "bad: the command is: USER address"},
      {"USER  ", "bad: the command is: USER address"},
      {"PASS secret", "PASS[secret]"},
      {"pass  two words ", "PASS[ two words ]"},
      {"PASS p\xc3\xa4ss", "PASS[p\xc3\xa4ss]"},
      {"PASS", "bad: the command is: PASS password"},
      {"PASS a\0b"s, "bad: control characters are not allowed"},
      {"STAT", "STAT"},
      {"sTaT ", "STAT"},
      {"STAT 1", "bad: this command has no arguments"},
      {"LIST", "LIST -"},
      {"LIST 7", "LIST 7"},
      {"LIST x", "bad: give one message number or none"},
      {"LIST 1 2", "bad: give one message number or none"},
      {"RETR 1", "RETR 1"},
      {"RETR 0", "RETR 0"},
      {"RETR 4294967295", "RETR 4294967295"},
      {"RETR 4294967296", "bad: give one message number"},
      {"RETR -1", "bad: give one message number"},
      {"RETR +1", "bad: give one message number"},
      {"RETR 1x", "bad: give one message number"},
      {"RETR", "bad: give one message number"},
      {"DELE 3", "DELE 3"},
      {"NOOP", "NOOP"},
      {"RSET", "RSET"},
      {"QUIT", "QUIT"},
      {"QUIT now", "bad: this command has no arguments"},
      {"TOP 1 0", "TOP 1 0"},
      {"TOP 1 10", "TOP 1 10"},
      {"TOP  1  10 ", "TOP 1 10"},
      {"TOP 1", "bad: the command is: TOP message lines"},
      {"TOP 1 -1", "bad: the command is: TOP message lines"},
      {"TOP 1 2 3", "bad: the command is: TOP message lines"},
      {"UIDL", "UIDL -"},
      {"UIDL 2", "UIDL 2"},
      {"CAPA", "CAPA"},
      {"STLS", "STLS"},
      {"STLS x", "bad: this command has no arguments"},
      {"AUTH PLAIN", "AUTH PLAIN -"},
      {"auth plain AGEAYg==", "AUTH PLAIN AGEAYg=="},
      {"AUTH PLAIN =", "AUTH PLAIN ="},
      {"AUTH", "bad: the command is: AUTH mechanism; CAPA lists the mechanisms"},
      {"APOP alice c4c9334bac560ecc979e58001b3e22fb", "bad: unknown command"},
      {"", "bad: unknown command"},
      {" STAT", "bad: unknown command"},
      {"STATS", "bad: unknown command"},
      {"STAT\r", "bad: control characters are not allowed"},
      {"\xff\xfe", "bad: unknown command"},
  };
  for (const auto& row : rows) EXPECT_EQ(std::visit(Printer(), ParseCommand(row.line)), row.expected) << row.line;
}

}  // namespace
}  // namespace pop3::proto
