#include "mail/quota_warning.h"

#include <gtest/gtest.h>

#include "mail/header.h"

namespace mail {
namespace {

const QuotaWarning kWarning{.address = "alice@example.test",
                            .id = "0123abcd",
                            .now = base::WallTime(std::chrono::hours(24)),
                            .percent = 80,
                            .bytes_used = 1'610'612'736,
                            .bytes_max = 2'000'000'000,
                            .mails_used = 17,
                            .mails_max = 0};

TEST(QuotaWarning, SaysWhatIsUsedAndWhatToDo) {
  const std::string mail = ComposeQuotaWarning(kWarning);
  EXPECT_NE(mail.find("\r\n\r\nYour mailbox is 80% full.\r\n"), std::string::npos) << mail;
  EXPECT_NE(mail.find("  1.5 GB of 1.9 GB\r\n  17 mails\r\n"), std::string::npos) << mail;
  EXPECT_NE(mail.find("empty your trash"), std::string::npos);
}

TEST(QuotaWarning, IsMarkedAsMadeByAProgram) {
  const std::string mail = ComposeQuotaWarning(kWarning);
  const std::string_view header = std::string_view(mail).substr(0, HeaderSize(mail));
  EXPECT_EQ(FindHeader(header, "Auto-Submitted"), " auto-generated");
  EXPECT_EQ(FindHeader(header, "From"), " Mail system <postmaster@example.test>");
  EXPECT_EQ(FindHeader(header, "To"), " <alice@example.test>");
  EXPECT_EQ(FindHeader(header, "Subject"), " Your mailbox is 80% full");
  EXPECT_EQ(FindHeader(header, "Message-ID"), " <quota-0123abcd@example.test>");
  EXPECT_TRUE(FindHeader(header, "Date").has_value());
}

TEST(QuotaWarning, HasOnlyWholeLinesThatFitAScreen) {
  QuotaWarning full = kWarning;
  full.percent = 100;
  full.mails_max = 20;
  for (const QuotaWarning& warning : {kWarning, full}) {
    const std::string mail = ComposeQuotaWarning(warning);
    for (std::size_t at = 0; at < mail.size();) {
      const std::size_t end = mail.find("\r\n", at);
      ASSERT_NE(end, std::string::npos);
      EXPECT_LE(end - at, 78u) << mail.substr(at, end - at);
      at = end + 2;
    }
  }
  EXPECT_NE(ComposeQuotaWarning(full).find("Subject: Your mailbox is full\r\n"), std::string::npos);
  EXPECT_NE(ComposeQuotaWarning(full).find("  17 of 20 mails\r\n"), std::string::npos);
}

}  // namespace
}  // namespace mail
