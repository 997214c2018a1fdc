#include "app/config.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace app {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Config, ReadsEveryKindOfValue) {
  const auto config = ParseConfig(R"(
      dev = true
      hostname = "mx.example.test"
      [mail]
      domains = ["Example.TEST"]
      auto_create_accounts = ["example.test"]
      size_max = "10MiB"
      [smtp]
      listen = ["127.0.0.1:2525"]
      command_timeout = 30
      [quota]
      bytes = "2GiB"
      warn_at = [95, 80, 95]
      [[account]]
      address = "alice@example.test"
      password = "x"
      )",
                                  "test");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->hostname, "mx.example.test");
  EXPECT_EQ(config->domains, std::vector<std::string>{"example.test"});
  EXPECT_EQ(config->message_bytes_max, 10u << 20);
  EXPECT_EQ(config->smtp_command_timeout, std::chrono::seconds(30));
  EXPECT_EQ(config->quota_bytes, 2ull << 30);
  EXPECT_EQ(config->quota_warn_at, (std::vector<std::uint64_t>{80, 95}));
  ASSERT_EQ(config->dev_accounts.size(), 1u);
  EXPECT_EQ(config->dev_accounts[0].address, "alice@example.test");
}

TEST(Config, SaysWhatIsWrongWithABadFile) {
  struct Row {
    std::string_view text;
    std::string_view part;  // Of the sentence.
  };
  for (const Row& row : {
           Row{"x = ", "test:1: "},
           Row{"colour = 1", "no such key"},
           Row{"[smtp]\nlisten = \"a\"", "smtp.listen: must be a list"},
           Row{"[smtp]\ncommand_timeout = 0", "at least 1"},
           Row{"[smtp]\nbare_line_ends = \"eat\"", "refuse, normalize"},
           Row{"[mail]\nsize_max = \"10 elephants\"", "KiB, MiB"},
           Row{"[mail]\ndomains = [\"a..b\"]", "mail.domains"},
           Row{"[mail]\ndomains=[\"a.test\"]\nauto_create_accounts = [\"a.test\"]", "unless dev = true"},
           Row{"dev=true\n[mail]\nauto_create_accounts = [\"a.test\"]", "not in mail.domains"},
           Row{"[[account]]\naddress=\"a@b.test\"\npassword=\"x\"", "unless dev = true"},
           Row{"[quota]\nwhen_full = \"burst\"", "tempfail, reject"},
           Row{"[quota]\nwarn_at = [0]", "1 to 100"},
           Row{"[quota]\nwarn_at = [101]", "1 to 100"},
           Row{"[quota]\nwarn_at = [1,2,3,4,5,6,7,8,9,10,11]", "at most 10"},
           Row{"[quota]\nwarn_at = \"80\"", "list of whole numbers"},
           Row{"[quota]\nwarn_at = [-1]", "list of whole numbers"},
           Row{"[tls]\nkey = \"k\"", "together"},
           Row{"dev = 1", "true or false"},
       }) {
    const auto config = ParseConfig(row.text, "test");
    ASSERT_FALSE(config) << row.text;
    EXPECT_NE(config.error().message().find(row.part), std::string::npos) << config.error().message();
  }
}

TEST(Config, IsDocumentedKeyByKey) {
  const std::string page = ReadFile("docs/configuration.md");
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_NE(page.find(DescribeKey(key)), std::string::npos) << "docs/configuration.md lacks the row\n"
                                                              << DescribeKey(key);
  }
}

TEST(Config, OfDevelopersIsValid) {
  const auto config = LoadConfig("config/dev.toml");
  EXPECT_TRUE(config) << config.error().message();
}

}  // namespace
}  // namespace app
