#include "app/sendmail_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace app {
namespace {

using Mode = SendmailOptions::Mode;

SendmailOptions Parsed(const std::vector<std::string>& arguments) {
  auto options = SendmailOptions::Parse(arguments);
  EXPECT_TRUE(options) << options.error().message();
  return options ? *std::move(options) : SendmailOptions();
}

TEST(SendmailOptions, ReadsWhatProgramsWrite) {
  struct Row {
    const char* label;
    std::vector<std::string> arguments;
    SendmailOptions expected;
  };
  const Row rows[] = {
      {"cron",
       {"-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f<root>"},
       {.recipients_in_header = true, .dot_is_text = true, .sender = "<root>", .full_name = "CronDaemon"}},
      {"PHP", {"-t", "-i"}, {.recipients_in_header = true, .dot_is_text = true}},
      {"together",
       {"-ti", "-fyou@a.test"},
       {.recipients_in_header = true, .dot_is_text = true, .sender = "you@a.test"}},
      {"mutt",
       {"-oem", "-oi", "-f", "you@a.test", "--", "-odd@b.test", "c@b.test"},
       {.dot_is_text = true, .sender = "you@a.test", .recipients = {"-odd@b.test", "c@b.test"}}},
      {"no bounce", {"-f", "<>", "x@a.test"}, {.sender = "", .recipients = {"x@a.test"}}},
      {"no bounce, empty", {"-f", "", "x@a.test"}, {.sender = "", .recipients = {"x@a.test"}}},
      {"ignored", {"-O", "DeliveryMode=b", "-oQ/var", "-B8BITMIME", "-v", "-em", "-G", "x"}, {.recipients = {"x"}}},
      {"options after recipients", {"a", "-i", "b"}, {.dot_is_text = true, .recipients = {"a", "b"}}},
      {"reports",
       {"-N", "success,failure", "-R", "hdrs", "a"},
       {.notify = "SUCCESS,FAILURE", .dsn_return = "HDRS", .recipients = {"a"}}},
      {"smtp", {"-bs"}, {.mode = Mode::kSpeakSmtp}},
      {"queue", {"-bp"}, {.mode = Mode::kPrintQueue}},
      {"aliases", {"-bi"}, {.mode = Mode::kNewAliases}},
      {"aliases, old", {"-I"}, {.mode = Mode::kNewAliases}},
      {"configuration", {"-C", "/etc/x.toml", "-bm"}, {.config = "/etc/x.toml"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.label);
    const SendmailOptions options = Parsed(row.arguments);
    EXPECT_EQ(options.mode, row.expected.mode);
    EXPECT_EQ(options.recipients_in_header, row.expected.recipients_in_header);
    EXPECT_EQ(options.dot_is_text, row.expected.dot_is_text);
    EXPECT_EQ(options.sender, row.expected.sender);
    EXPECT_EQ(options.full_name, row.expected.full_name);
    EXPECT_EQ(options.config, row.expected.config);
    EXPECT_EQ(options.notify, row.expected.notify);
    EXPECT_EQ(options.dsn_return, row.expected.dsn_return);
    EXPECT_EQ(options.recipients, row.expected.recipients);
  }
}

TEST(SendmailOptions, RefusesWhatItCannotDo) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"-bd"}, {"-q"}, {"-q30m"}, {"-f"}, {"-Z"}, {"-N", "sometimes"}, {"-N", "success,"}, {"-R", "none"}}) {
    EXPECT_FALSE(SendmailOptions::Parse(arguments)) << testing::PrintToString(arguments);
  }
}

}  // namespace
}  // namespace app
