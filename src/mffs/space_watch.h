// SpaceWatch: which watermark of space a volume is below, told once a change and not once a record.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mffs {

// What a volume takes (docs/format/mffs.md "Space"). Each level refuses what those before it refuse.
enum class SpaceLevel : std::uint8_t {
  kAllWelcome,
  kParkedRefused,  // Suspect, bulk and held mail is refused.
  kNewRefused,     // All new mail is refused; changes of what is there go on.
};
std::string_view ToString(SpaceLevel level);

// A value. It gets worse at once and better only with room to spare, so that a volume at a watermark, where each mail
// that comes or goes crosses it, does not change its level with each mail.
class SpaceWatch {
 public:
  SpaceLevel level() const { return level_; }

  // `now` is the level as it is; `with_margin` what it would be if a little less were free. The new level when it
  // changed.
  std::optional<SpaceLevel> Look(SpaceLevel now, SpaceLevel with_margin);

 private:
  SpaceLevel level_ = SpaceLevel::kAllWelcome;
};

}  // namespace mffs
