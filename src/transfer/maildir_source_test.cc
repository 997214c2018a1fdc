#include "transfer/maildir_source.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace transfer {
namespace {

namespace fs = std::filesystem;
using Flags = std::vector<std::string>;

class MaildirSourceTest : public testing::Test {
 protected:
  MaildirSourceTest() {
    char name[] = "/tmp/posthorn-maildir-XXXXXX";
    path_ = ::mkdtemp(name);
    for (const char* sub : {"cur", "new", "tmp"}) fs::create_directory(path_ / sub);
  }
  ~MaildirSourceTest() override { fs::remove_all(path_); }

  void Write(const std::string& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  // Of the INBOX, by UID or date.
  std::vector<SourceMail> Mails() const {
    auto source = MaildirSource::Open({.path = path_.string()});
    EXPECT_TRUE(source.has_value());
    const auto folders = source->Folders();
    EXPECT_TRUE(folders.has_value());
    auto mails = source->Mails(folders->at(0));
    EXPECT_TRUE(mails.has_value());
    EXPECT_EQ(source->TakeFaults(), std::vector<std::string>{});
    return *std::move(mails);
  }

  fs::path path_;
};

// The files as Courier-IMAP 5 leaves them: a list, changes that it has not yet brought into the list, and one that it
// was writing.
TEST_F(MaildirSourceTest, BringsCouriersKeywords) {
  Write("courierimapuiddb",
        "1 1262234910 40\n1 1262234911.M1P1.host,S=5\n2 1262234912.M1P1.host,S=5\n"
        "3 1262234913.M1P1.host,S=5\n4 1262234914.M1P1.host,S=5\n");
  Write("cur/1262234911.M1P1.host,S=5:2,FS", "A:1\n\n");
  Write("cur/1262234912.M1P1.host,S=5:2,", "A:2\n\n");
  Write("cur/1262234913.M1P1.host,S=5:2,", "A:3\n\n");
  Write("new/1262234914.M1P1.host,S=5", "A:4\n\n");
  Write("courierimapkeywords/:list",
        "$Label1\nJunk\n\n1262234911.M1P1.host,S=5:0 1\n1262234912.M1P1.host,S=5:1\n1262234913.M1P1.host,S=5:1\n");
  Write("courierimapkeywords/.4207449.1262234912.M1P1.host,S=5", "Old\n");
  Write("courierimapkeywords/.4207450.1262234912.M1P1.host,S=5", "Work\n$Label1\n");
  Write("courierimapkeywords/1262234913.M1P1.host,S=5", "");
  Write("courierimapkeywords/.tmp.1262234999.M1P1.host", "Half");
  const auto mails = Mails();
  ASSERT_EQ(mails.size(), 4u);
  EXPECT_EQ(mails[0].flags, (Flags{"\\Flagged", "\\Seen", "$Label1", "Junk"}));
  EXPECT_EQ(mails[1].flags, (Flags{"Work", "$Label1"}));
  EXPECT_EQ(mails[2].flags, Flags{});
  EXPECT_EQ(mails[3].flags, Flags{});
}

TEST_F(MaildirSourceTest, LeavesOutKeywordsOfACourierThatDovecotReplaced) {
  Write("dovecot-uidlist", "3 V1262234910 N40 Gc1968807dcfd026b0442000083ecc375\n1 :1262234911.M1P1.host,S=5\n");
  Write("dovecot-keywords", "0 Work\n1 $Label1\n");
  Write("cur/1262234911.M1P1.host,S=5:2,Sb", "A:1\n\n");
  Write("courierimapkeywords/:list", "Old\n\n1262234911.M1P1.host,S=5:0\n");
  const auto mails = Mails();
  ASSERT_EQ(mails.size(), 1u);
  EXPECT_EQ(mails[0].flags, (Flags{"\\Seen", "$Label1"}));
}

TEST(ForeignFlags, AreLeftOutAndKeywordsAmongThemTold) {
  std::vector<SourceMail> mails(2);
  mails[0].flags = {"\\Seen", "two words", "$Label1", "\\XList", "caf\xc3\xa9", std::string(129, 'x')};
  mails[1].flags = {"two words", "", "\\Deleted"};
  EXPECT_EQ(LeaveOutForeignFlags(&mails), (Flags{"two words", "caf\xc3\xa9", std::string(129, 'x'), ""}));
  EXPECT_EQ(mails[0].flags, (Flags{"\\Seen", "$Label1"}));
  EXPECT_EQ(mails[1].flags, Flags{"\\Deleted"});
}

}  // namespace
}  // namespace transfer
