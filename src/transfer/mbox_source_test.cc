#include "transfer/mbox_source.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace transfer {
namespace {

constexpr const char* kFrom = "From you@example.org Tue Nov 14 22:13:20 2023\n";

class MboxSourceTest : public testing::Test {
 protected:
  MboxSourceTest() {
    char name[] = "/tmp/posthorn-mbox-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~MboxSourceTest() override { std::filesystem::remove_all(folder_); }

  std::vector<SourceMail> Mails(std::string_view text, MboxSourceOptions options = {}) {
    options.path = folder_ + "/mbox";
    std::ofstream(options.path) << text;
    auto source = MboxSource::Open(std::move(options));
    EXPECT_TRUE(source.has_value());
    const auto folders = source->Folders();
    EXPECT_TRUE(folders.has_value());
    auto mails = source->Mails(folders->at(0));
    EXPECT_TRUE(mails.has_value());
    faults_ = source->TakeFaults();
    return *std::move(mails);
  }
  static std::vector<std::string> UidlsOf(const std::vector<SourceMail>& mails) {
    std::vector<std::string> uidls;
    for (const SourceMail& mail : mails) uidls.push_back(mail.uidl);
    return uidls;
  }

  std::string folder_;
  std::vector<std::string> faults_;
};

using Uidls = std::vector<std::string>;

// A spool file as qpopper leaves it, and one that c-client had as well.
TEST_F(MboxSourceTest, KeepsTheUidlsOfQpopper) {
  const std::string from = kFrom;
  const auto mails = Mails(from + "Subject: 1\nX-UIDL: e3f0a51cb9d4f7b7d8b7ad4d4de9d7a5\nStatus: RO\n\nx\n\n" + from +
                           "Subject: 2\nX-UIDL: 5;W\"!Z=2!!j;0\"!MU(!!\n\ny\n\n" + from + "Subject: 3\n\nz\n");
  EXPECT_EQ(UidlsOf(mails), (Uidls{"e3f0a51cb9d4f7b7d8b7ad4d4de9d7a5", "5;W\"!Z=2!!j;0\"!MU(!!", ""}));
  EXPECT_EQ(faults_, std::vector<std::string>{});
}

TEST_F(MboxSourceTest, GivesAUidlToOneMailOnly) {
  const std::string from = kFrom;
  const auto mails = Mails(from + "X-IMAPbase: 1262234910 0000000009\nX-UID: 5\nX-UIDL: same\n\nx\n\n" + from +
                           "X-UID: 6\nX-UIDL: same\n\ny\n\n" + from + "X-UID: 7\nX-UIDL: 000000064b3c2d1e\n\nz\n");
  EXPECT_EQ(UidlsOf(mails), (Uidls{"same", "", "000000064b3c2d1e"}));
  ASSERT_EQ(faults_.size(), 1u);
  EXPECT_NE(faults_[0].find("line 8"), std::string::npos) << faults_[0];
}

TEST_F(MboxSourceTest, MakesUidlsOfUidsAsThePop3ServerThereDid) {
  const std::string file = std::string(kFrom) + "X-IMAPbase: 1262234910 0000000009\nX-UID: 5\n\nx\n\n" + kFrom +
                           "X-UID: 6\nX-UIDL: own\n\ny\n";
  // c-client's ipop3d has UIDVALIDITY first.
  EXPECT_EQ(UidlsOf(Mails(file, {.uidl_format = *pop3::proto::UidlFormat::Parse("%08Xv%08Xu")})),
            (Uidls{"4b3c2d1e00000005", "own"}));
  EXPECT_EQ(UidlsOf(Mails(file)), (Uidls{"000000054b3c2d1e", "own"}));
  EXPECT_EQ(UidlsOf(Mails(file, {.mailbox = "Work"})), (Uidls{"", ""})) << "POP3 shows the INBOX only";
}

// A mail that gets its X-UIDL, its flags or its UID later stays the same mail.
TEST_F(MboxSourceTest, KnowsAMailAgainWhateverItsOwnFieldsSay) {
  const auto plain = Mails(std::string(kFrom) + "Subject: 1\n\nx\n");
  const auto later =
      Mails(std::string(kFrom) + "Subject: 1\nX-UIDL: abc\nStatus: RO\nX-Status: F\nX-Keywords: Work\nX-UID: 3\n\nx\n");
  ASSERT_EQ(plain.size(), 1u);
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(plain[0].origin, later[0].origin);
  EXPECT_EQ(later[0].flags, (std::vector<std::string>{"\\Seen", "\\Flagged", "Work"}));
}

}  // namespace
}  // namespace transfer
