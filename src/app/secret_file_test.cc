#include "app/secret_file.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "app/scratch_folder.h"

namespace app {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() { std::filesystem::create_directories(folder_.path()); }
  std::string Path() const { return folder_.path() + "/a.secret"; }

  ScratchFolder folder_{""};
};

TEST_F(SecretFileTest, IsMadeOnceAndForItsOwnerOnly) {
  const std::string made = EnsureSecretFile(Path()).value();
  EXPECT_GE(made.size(), 32u);
  EXPECT_EQ(EnsureSecretFile(Path()).value(), made);
  EXPECT_EQ(std::filesystem::status(Path()).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  std::filesystem::remove(Path());
  EXPECT_NE(EnsureSecretFile(Path()).value(), made);
}

TEST_F(SecretFileTest, OneThatWasCutOffIsMadeAnew) {
  std::ofstream(Path()) << "short";
  EXPECT_GE(EnsureSecretFile(Path()).value().size(), 32u);
}

TEST_F(SecretFileTest, SaysWhatIsWrongWithItsFolder) {
  const auto missing = EnsureSecretFile(folder_.path() + "/missing/a.secret");
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message().find("missing/a.secret"), std::string::npos);
}

}  // namespace
}  // namespace app
