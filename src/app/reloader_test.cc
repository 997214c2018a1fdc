#include "app/reloader.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/testing.h"

namespace app {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

TEST(Reloader, SeparatesWhatAReloadChangesFromWhatNeedsARestart) {
  NodeConfig in_force;
  in_force.log_level = "info";
  in_force.domains = {"a.test"};
  NodeConfig next = in_force;
  next.log_level = "debug";
  next.domains = {"a.test", "b.test"};
  next.volume_path = "/elsewhere";
  next.smtp_listen = {"127.0.0.1:25"};
  next.dev_accounts = {{"x@a.test", "x"}};
  next.next_hops = {{.hop = "smtp:relay.test:587", .username = "node", .password = "secret"}};
  const ConfigChanges changes = CompareConfigs(in_force, next);
  EXPECT_THAT(changes.applied, ElementsAre("log.level", "mail.domains", "next_hop"));
  EXPECT_THAT(changes.need_restart, ElementsAre("volume.path", "smtp.listen", "account"));
  EXPECT_EQ(changes.effective.domains, next.domains);
  EXPECT_EQ(changes.effective.volume_path, in_force.volume_path);
  ASSERT_THAT(changes.effective.next_hops, SizeIs(1));
  EXPECT_EQ(changes.effective.next_hops[0].password, "secret");
  EXPECT_TRUE(CompareConfigs(changes.effective, changes.effective).applied.empty());
}

// A reload by parts that write down what happens to them.
class ReloaderTest : public testing::Test {
 protected:
  void Add(const std::string& name, bool fails = false) {
    reloader_.Add(name, [this, name, fails](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
      EXPECT_EQ(effective.hostname, "mx.example.test");
      events_.push_back("prepare " + name);
      if (fails) return base::Error(base::Errc::kInvalid, "line 3 is no alias");
      return [this, name] { events_.push_back("apply " + name); };
    });
  }
  base::Result<> Run() {
    NodeConfig effective;
    effective.hostname = "mx.example.test";
    return async::RunTask(context_, reloader_.Run(effective));
  }

  asio::io_context context_;
  async::WorkerPool worker_{{.name = "files"}};
  Reloader reloader_{&worker_};
  std::vector<std::string> events_;
};

TEST_F(ReloaderTest, AppliesOnceAllIsPrepared) {
  Add("certificate");
  Add("aliases");
  ASSERT_TRUE(Run());
  EXPECT_THAT(events_, ElementsAre("prepare certificate", "prepare aliases", "apply certificate", "apply aliases"));
}

TEST_F(ReloaderTest, AppliesNothingWhenOnePartFails) {
  Add("certificate");
  Add("aliases", true);
  const auto reloaded = Run();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().message(), "aliases: line 3 is no alias");
  EXPECT_THAT(events_, ElementsAre("prepare certificate", "prepare aliases"));
}

TEST(Reloader, ThePageOfTheConfigurationListsWhatAReloadChanges) {
  std::ifstream file("docs/configuration.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t begin = page.find("## What a reload changes");
  ASSERT_NE(begin, std::string::npos);
  const std::string section = page.substr(begin, page.find("\n## ", begin + 1) - begin);
  for (const ConfigKey& key : ConfigKeys()) {
    const bool listed = section.find("`" + std::string(key.name) + "`") != std::string::npos;
    EXPECT_EQ(listed, key.takes_effect == ConfigKey::TakesEffect::kReload) << key.name;
  }
}

}  // namespace
}  // namespace app
