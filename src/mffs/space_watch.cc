#include "mffs/space_watch.h"

namespace mffs {

std::string_view ToString(SpaceLevel level) {
  switch (level) {
    case SpaceLevel::kAllWelcome:
      return "all_welcome";
    case SpaceLevel::kParkedRefused:
      return "parked_refused";
    case SpaceLevel::kNewRefused:
      return "new_refused";
  }
  return "unknown";
}

std::optional<SpaceLevel> SpaceWatch::Look(SpaceLevel now, SpaceLevel with_margin) {
  SpaceLevel next = level_;
  if (now > level_) {
    next = now;
  } else if (with_margin < level_) {
    next = with_margin;
  }
  if (next == level_) return std::nullopt;
  level_ = next;
  return next;
}

}  // namespace mffs
