#include "transfer/maildir_names.h"

#include <gtest/gtest.h>

namespace transfer {
namespace {

using Flags = std::vector<std::string>;

TEST(MaildirNames, FlagsComeFromTheFileName) {
  const std::vector<std::string> keywords = {"$Label1", "", "Junk"};
  const struct {
    const char* name;
    Flags flags;
  } rows[] = {
      {"1.M1.host,S=19:2,S", {"\\Seen"}},
      {"1.M1.host:2,DFPRST", {"\\Draft", "\\Flagged", "$Forwarded", "\\Answered", "\\Seen", "\\Deleted"}},
      {"1.M1.host:2,Sac", {"\\Seen", "$Label1", "Junk"}},
      {"1.M1.host:2,SSbzX!", {"\\Seen"}},
      {"1.M1.host:1,S", {}},
      {"1.M1.host", {}},
      {":2,", {}},
  };
  for (const auto& row : rows) EXPECT_EQ(FlagsOfFileName(row.name, keywords), row.flags) << row.name;
  EXPECT_EQ(MaildirBaseName("1.M1.host,S=19:2,S"), "1.M1.host,S=19");
}

TEST(MaildirNames, FlagsGoIntoTheFileNameInOrder) {
  std::uint64_t lost = 0;
  EXPECT_EQ(FlagSuffix({"\\Seen", "Junk", "\\Answered", "Other", "$Forwarded"}, {"$Label1", "Junk"}, &lost), ":2,PRSb");
  EXPECT_EQ(lost, 1u);
  EXPECT_EQ(FlagSuffix({}, {}, &lost), ":2,");
}

TEST(MaildirNames, FoldersAreMailboxesAndBack) {
  const struct {
    const char* folder;
    MaildirLayout layout;
    const char* mailbox;
  } rows[] = {
      {"", MaildirLayout::kMaildirPlusPlus, "INBOX"},
      {".Sent.2024", MaildirLayout::kMaildirPlusPlus, "Sent/2024"},
      {".Entw&APw-rfe", MaildirLayout::kMaildirPlusPlus, "Entw\xc3\xbcrfe"},
      {".a&AC4-b", MaildirLayout::kMaildirPlusPlus, "a.b"},
      {"Sent/2024", MaildirLayout::kDirectories, "Sent/2024"},
      {"&AC4-&AC4-/x", MaildirLayout::kDirectories, "../x"},
  };
  for (const auto& row : rows) {
    const auto mailbox = MailboxOfFolder(row.folder, row.layout);
    ASSERT_TRUE(mailbox.has_value()) << row.folder << ": " << mailbox.error().message();
    EXPECT_EQ(*mailbox, row.mailbox);
    EXPECT_EQ(*FolderOfMailbox(row.mailbox, row.layout), row.folder);
  }
  EXPECT_EQ(*MailboxOfFolder(".Gr\xc3\xbc\xc3\x9f"
                             "e",
                             MaildirLayout::kMaildirPlusPlus),
            "Gr\xc3\xbc\xc3\x9f"
            "e")
      << "UTF-8 as it is";
}

TEST(MaildirNames, WhatIsNoMailboxIsRefused) {
  for (const char* folder : {".", ".a..b", "..", ".a.", ".a%b", ".a\x01"}) {
    EXPECT_FALSE(MailboxOfFolder(folder, MaildirLayout::kMaildirPlusPlus).has_value()) << folder;
  }
  EXPECT_FALSE(FolderOfMailbox("a/cur", MaildirLayout::kDirectories).has_value());
}

}  // namespace
}  // namespace transfer
