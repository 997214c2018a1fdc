#include "mffs/space_watch.h"

#include <gtest/gtest.h>

namespace mffs {
namespace {

constexpr SpaceLevel kAll = SpaceLevel::kAllWelcome;
constexpr SpaceLevel kNoParked = SpaceLevel::kParkedRefused;
constexpr SpaceLevel kNone = SpaceLevel::kNewRefused;

TEST(SpaceWatch, GetsWorseAtOnceAndBetterOnlyWithRoomToSpare) {
  struct Step {
    const char* what;
    SpaceLevel now;
    SpaceLevel with_margin;
    SpaceLevel level;
    bool told;
  };
  const Step steps[] = {
      {"much room", kAll, kAll, kAll, false},
      {"just above the first watermark", kAll, kNoParked, kAll, false},
      {"below it", kNoParked, kNoParked, kNoParked, true},
      {"just above it again", kAll, kNoParked, kNoParked, false},
      {"below it again", kNoParked, kNoParked, kNoParked, false},
      {"below the second", kNone, kNone, kNone, true},
      {"just above the second", kNoParked, kNone, kNone, false},
      {"well above the second", kNoParked, kNoParked, kNoParked, true},
      {"full at one stroke", kNone, kNone, kNone, true},
      {"emptied at one stroke", kAll, kAll, kAll, true},
  };
  SpaceWatch watch;
  for (const Step& step : steps) {
    EXPECT_EQ(watch.Look(step.now, step.with_margin).has_value(), step.told) << step.what;
    EXPECT_EQ(watch.level(), step.level) << step.what;
  }
}

}  // namespace
}  // namespace mffs
