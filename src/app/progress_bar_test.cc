#include "app/progress_bar.h"

#include <sstream>

#include <gtest/gtest.h>

namespace app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ProgressText, SaysHowMuchHowFastAndHowLong) {
  struct Case {
    ProgressUnit unit;
    std::uint64_t done, total;
    milliseconds elapsed;
    const char* text;
  };
  const Case cases[] = {
      {ProgressUnit::kBytes, 1u << 20, 4u << 20, seconds(1), "25 %, 1.0 MiB of 4.0 MiB, 1.0 MiB/s, 3 s left"},
      {ProgressUnit::kThings, 50, 100, seconds(10), "50 %, 50 of 100, 5/s, 10 s left"},
      {ProgressUnit::kThings, 500, 0, seconds(2), "500, 250/s"},
      {ProgressUnit::kBytes, 0, 4u << 20, seconds(0), "0 %, 0 B of 4.0 MiB, 0 B/s"},
      {ProgressUnit::kBytes, 9, 4, seconds(1), "100 %, 4 B of 4 B, 9 B/s, 0 s left"},
  };
  for (const Case& c : cases) EXPECT_EQ(ProgressText(c.unit, c.done, c.total, c.elapsed), c.text);
}

TEST(ProgressBar, PrintsALineEveryTenSeconds) {
  std::ostringstream out;
  base::SimClock clock;
  ProgressBar bar(&out, ProgressBar::Style::kLines, &clock);
  for (int second = 0; second <= 25; ++second) {
    bar.Update("blocks", ProgressUnit::kThings, second, 100);
    clock.Advance(seconds(1));
  }
  EXPECT_EQ(out.str(), "blocks: 10 %, 10 of 100, 1/s, 90 s left\nblocks: 20 %, 20 of 100, 1/s, 80 s left\n");
}

TEST(ProgressBar, LeavesATerminalClean) {
  std::ostringstream out;
  base::SimClock clock;
  ProgressBar bar(&out, ProgressBar::Style::kBar, &clock);
  bar.Update("blocks", ProgressUnit::kThings, 0, 100);
  clock.Advance(seconds(1));
  bar.Update("blocks", ProgressUnit::kThings, 50, 100);
  EXPECT_NE(out.str().find("blocks [############............] 50 %"), std::string::npos) << out.str();
  bar.Finish();
  EXPECT_TRUE(out.str().ends_with("\r\x1b[K"));
}

TEST(ProgressBar, IsSilentWhenAsked) {
  std::ostringstream out;
  base::SimClock clock;
  ProgressBar bar(&out, ProgressBar::Style::kNone, &clock);
  for (int i = 0; i < 3; ++i) {
    bar.Update("blocks", ProgressUnit::kThings, i, 3);
    clock.Advance(seconds(60));
  }
  bar.Finish();
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace app
