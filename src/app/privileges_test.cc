// What needs root is tested when the tests run as root; test/e2e/run_as_test.py has the whole program.
#include "app/privileges.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

namespace app {
namespace {

using testing::HasSubstr;

uid_t OwnerOf(const std::string& path) {
  struct stat file{};
  EXPECT_EQ(::lstat(path.c_str(), &file), 0) << path;
  return file.st_uid;
}

TEST(Privileges, FindsUsersAndGroupsByName) {
  const auto nobody = FindUser("nobody");
  ASSERT_TRUE(nobody) << nobody.error().message();
  EXPECT_EQ(nobody->name, "nobody");
  EXPECT_NE(nobody->user_id, 0u);
  const auto with_group = FindUser("nobody:daemon");
  ASSERT_TRUE(with_group) << with_group.error().message();
  EXPECT_NE(with_group->group_id, nobody->group_id);
  EXPECT_EQ(FindUser("no-such-user").error().message(), "there is no user \"no-such-user\"");
  EXPECT_EQ(FindUser("nobody:no-such-group").error().message(), "there is no group \"no-such-group\"");
  EXPECT_EQ(FindUser("root").error().message(), "\"root\" has root's rights");
  EXPECT_EQ(FindUser("nobody:root").error().message(), "\"nobody:root\" has root's rights");
  EXPECT_FALSE(FindUser(""));
}

TEST(Privileges, RootMustBecomeSomebodyUnlessADeveloperSaysOtherwise) {
  NodeConfig config;
  config.run_as = "no-such-user";
  config.dev = true;
  ASSERT_TRUE(WhomToBecome(config));
  EXPECT_FALSE(*WhomToBecome(config));
  config.dev = false;
  if (::geteuid() != 0) {
    EXPECT_TRUE(WhomToBecome(config));
    return;
  }
  EXPECT_THAT(WhomToBecome(config).error().message(), HasSubstr("adduser --system"));
  config.run_as = "nobody";
  ASSERT_TRUE(WhomToBecome(config));
  EXPECT_EQ((*WhomToBecome(config))->name, "nobody");
}

class HandOverTest : public testing::Test {
 protected:
  HandOverTest() {
    CHECK(::mkdtemp(folder_.data()) != nullptr);
    std::filesystem::create_directories(folder_ + "/data/index");
    for (const char* const name : {"/data/volume.mffs", "/data/index/000001.log", "/elsewhere", "/linked"}) {
      std::ofstream(folder_ + name) << "x";
    }
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  ~HandOverTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_ = "/tmp/posthorn-handover-XXXXXX";
  const RunAs user_{.name = "somebody", .user_id = 12'345, .group_id = 12'346};
};

TEST_F(HandOverTest, GivesAwayWhatIsRootsAndNothingElse) {
  std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/data/link");
  std::filesystem::create_hard_link(folder_ + "/linked", folder_ + "/data/hard_link");
  std::ofstream(folder_ + "/data/another_user") << "x";
  ASSERT_EQ(::lchown((folder_ + "/data/another_user").c_str(), 777, 777), 0);
  ASSERT_TRUE(HandOver(folder_ + "/data", user_));
  for (const char* const name : {"/data", "/data/volume.mffs", "/data/index", "/data/index/000001.log"}) {
    EXPECT_EQ(OwnerOf(folder_ + name), user_.user_id) << name;
  }
  for (const char* const name : {"/data/link", "/elsewhere", "/linked", "/data/hard_link"}) {
    EXPECT_EQ(OwnerOf(folder_ + name), 0u) << name;
  }
  EXPECT_EQ(OwnerOf(folder_ + "/data/another_user"), 777u);
}

TEST_F(HandOverTest, GivesAFileOutsideTheFolderAwayButNoFolder) {
  ASSERT_TRUE(HandOverFile(folder_ + "/elsewhere", user_));
  EXPECT_EQ(OwnerOf(folder_ + "/elsewhere"), user_.user_id);
  ASSERT_TRUE(HandOverFile(folder_ + "/data", user_));
  EXPECT_EQ(OwnerOf(folder_ + "/data"), 0u);
  EXPECT_TRUE(HandOverFile(folder_ + "/none", user_));
}

}  // namespace
}  // namespace app
