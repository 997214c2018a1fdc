// How the space of a volume is drawn for people: a map of its segments as text and as SVG. Pure functions.
#pragma once

#include <string>

#include "mffs/space_map.h"

namespace app {

// Larger volumes are drawn up to here, and the drawing says so.
inline constexpr std::size_t kSegmentsInTextMax = 16'384;
inline constexpr std::size_t kSegmentsInSvgMax = 65'536;

// What stands for a segment in the text: a letter of its stream, in capitals when half of it or more is live.
char LetterOf(const mffs::SegmentSpace& segment);

// Lines of 64 letters behind the number of the first, then what the letters mean.
std::string TextMap(const mffs::SpaceMap& map);

// One square a segment, filled from below as far as it is live, in the colour of its stream.
std::string SvgMap(const mffs::SpaceMap& map, const std::string& title);

}  // namespace app
