#include "app/transfer_progress.h"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>

namespace app {
namespace {

using namespace std::chrono_literals;

TEST(TransferProgress, TellsMailsBytesRateAndWhatIsLeft) {
  EXPECT_EQ(TransferText("INBOX", {.mails = 50, .bytes = 1u << 20}, {.mails = 200, .bytes = 4u << 20}, 2s),
            "INBOX: 50 of 200 mails, 1.0 MiB of 4.0 MiB, 25 mails/s, 512.0 KiB/s, 6 s left");
  EXPECT_EQ(TransferText("a\x1b", {}, {.mails = 1, .bytes = 1}, 0s), "a?: 0 of 1 mails, 0 B of 1 B, 0 mails/s, 0 B/s");
}

TEST(TransferProgress, IsALineEveryFiveSecondsOrOneThatIsRedrawn) {
  base::SimClock clock;
  std::ostringstream lines;
  TransferProgress progress(&lines, ProgressBar::Style::kLines, &clock);
  progress.Begin("INBOX", {.mails = 100, .bytes = 100});
  for (int i = 0; i < 11; ++i) {
    clock.Advance(1s);
    progress.Add({.mails = 1, .bytes = 1});
  }
  progress.Finish();
  EXPECT_EQ(std::ranges::count(lines.str(), '\n'), 2);
  std::ostringstream bar;
  TransferProgress redrawn(&bar, ProgressBar::Style::kBar, &clock);
  redrawn.Begin("INBOX", {.mails = 100, .bytes = 100});
  clock.Advance(1s);
  redrawn.Add({.mails = 1, .bytes = 1});
  redrawn.Finish();
  EXPECT_EQ(std::ranges::count(bar.str(), '\n'), 0);
  EXPECT_TRUE(bar.str().ends_with("\r\x1b[K")) << "the line is taken away at the end";
}

}  // namespace
}  // namespace app
