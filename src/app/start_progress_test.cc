#include "app/start_progress.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace app {
namespace {

// What was logged; the sink is a plain function.
std::vector<std::string>& Lines() {
  static std::vector<std::string> lines;
  return lines;
}

TEST(StartProgress, TellsOnceAnInterval) {
  const std::vector<std::string>& lines = Lines();
  base::SetLogSink([](std::string_view line) { Lines().emplace_back(line); });
  base::SetLogLevel(base::LogLevel::kInfo);  // `mffs` commands, run by another test of this program, lower it.
  base::SimClock clock;
  std::vector<std::string> told;
  StartProgress progress(&clock, [&told](const std::string& sentence) { told.push_back(sentence); });
  progress.Tell({.what = "segments", .done = 1, .total = 9});
  clock.Advance(std::chrono::milliseconds(4999));
  progress.Tell({.what = "segments", .done = 2, .total = 9});
  EXPECT_THAT(lines, testing::IsEmpty());
  clock.Advance(std::chrono::milliseconds(1));
  progress.Tell({.what = "segments", .done = 3, .total = 9});
  progress.Tell({.what = "entries", .done = 4, .total = 10});
  clock.Advance(StartProgress::kInterval);
  progress.Tell({.what = "entries", .done = 5, .total = 10});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[0], testing::HasSubstr("recovering what=segments done=3 total=9"));
  EXPECT_THAT(lines[1], testing::HasSubstr("recovering what=entries done=5 total=10"));
  EXPECT_THAT(told, testing::ElementsAre("Recovering: segments, 3 of 9", "Recovering: entries, 5 of 10"));
  base::SetLogSink(nullptr);
}

}  // namespace
}  // namespace app
