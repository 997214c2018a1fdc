#include "app/space_drawing.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "app/commands_text.h"

namespace app {
namespace {

constexpr std::size_t kPerLine = 64;

struct StreamLook {
  char letter;
  std::string_view colour;  // Told apart by colour-blind people too (Okabe and Ito).
};
constexpr std::array<StreamLook, mffs::kStreamCount> kLooks{{{'m', "#555555"},
                                                             {'t', "#0072b2"},
                                                             {'p', "#d55e00"},
                                                             {'b', "#009e73"},
                                                             {'c', "#56b4e9"},
                                                             {'h', "#cc79a7"},
                                                             {'s', "#e69f00"}}};

const StreamLook& LookOf(mffs::Stream stream) {
  return kLooks[static_cast<std::size_t>(stream)];
}

std::string_view StreamName(std::size_t stream) {
  return mffs::ToString(static_cast<mffs::Stream>(stream));
}

// Sizes of the drawing, in its own units.
constexpr std::size_t kCell = 12;
constexpr std::size_t kStep = 14;
constexpr std::size_t kLeft = 76;
constexpr std::size_t kRight = 24;
constexpr std::size_t kBarTop = 64;
constexpr std::size_t kRowHeight = 22;
constexpr std::size_t kMapWidth = kPerLine * kStep;
constexpr std::size_t kNameWidth = 96;
constexpr std::size_t kBarWidth = 340;

// Mail names no file, but whoever runs the command does.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : Printable(text)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '&':
        out += "&amp;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string CountsInWords(const mffs::SpaceCounts& counts) {
  const std::pair<std::uint64_t, std::string_view> parts[] = {{counts.live_bytes, "live"},
                                                              {counts.dead_bytes, "dead"},
                                                              {counts.overhead_bytes, "overhead"},
                                                              {counts.unused_bytes, "unused"},
                                                              {counts.free_bytes, "free"}};
  std::string words;
  for (const auto& [bytes, name] : parts) {
    if (bytes > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", ReadableBytes(bytes), name);
  }
  if (counts.records > 0) words += fmt::format(", {} of {} records live", counts.live_records, counts.records);
  return words.empty() ? "nothing" : words;
}

struct BarLook {
  std::string_view name;
  std::string_view colour;
};

// `scale_bytes` take the whole width.
void AddBar(std::string* svg, std::size_t row, BarLook look, const mffs::SpaceCounts& counts,
            std::uint64_t scale_bytes) {
  const std::size_t y = kBarTop + row * kRowHeight;
  const auto width = [scale_bytes](std::uint64_t bytes) {
    return scale_bytes == 0 ? 0.0 : static_cast<double>(bytes) * kBarWidth / static_cast<double>(scale_bytes);
  };
  const double live = width(counts.live_bytes);
  const double dead = width(counts.dead_bytes + counts.overhead_bytes + counts.unused_bytes);
  const double free = width(counts.free_bytes);
  auto out = std::back_inserter(*svg);
  fmt::format_to(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", kLeft + kNameWidth - 36, y + 12,
                 look.name);
  const double x = kLeft + kNameWidth - 24;
  fmt::format_to(out, "<rect x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"14\" fill=\"{}\"/>\n", x, y, live,
                 look.colour);
  fmt::format_to(out,
                 "<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"14\" fill=\"{}\" fill-opacity=\"0.25\"/>\n",
                 x + live, y, dead, look.colour);
  fmt::format_to(out,
                 "<rect x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"14\" fill=\"#f1f1ee\" stroke=\"#ccccc6\" "
                 "stroke-width=\"0.5\"/>\n",
                 x + live + dead, y, free);
  fmt::format_to(out, "<text x=\"{:.1f}\" y=\"{}\">{}</text>\n", x + kBarWidth + 12, y + 12, CountsInWords(counts));
}

void AddCell(std::string* svg, const mffs::SpaceMap& map, std::size_t index, std::size_t top) {
  const mffs::SegmentSpace& segment = map.segments[index];
  const std::size_t x = kLeft + index % kPerLine * kStep;
  const std::size_t y = top + index / kPerLine * kStep;
  auto out = std::back_inserter(*svg);
  if (segment.state == mffs::SegmentState::kFree) {
    fmt::format_to(out, "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"f\"/>\n", x, y, kCell, kCell);
    return;
  }
  const char letter = LookOf(segment.stream).letter;
  const double live =
      static_cast<double>(segment.counts.live_bytes) / static_cast<double>(map.geometry.segment_bytes) * kCell;
  fmt::format_to(out, "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{} d\"/>", x, y, kCell, kCell,
                 letter);
  if (live > 0) {
    fmt::format_to(out, "<rect x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" class=\"{}\"/>", x,
                   static_cast<double>(y + kCell) - live, kCell, live, letter);
  }
  if (segment.state == mffs::SegmentState::kOpen) {
    fmt::format_to(out, "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"o\"/>", x, y, kCell, kCell);
  }
  *svg += '\n';
}

void AddBegin(std::string* svg, const mffs::SpaceMap& map, std::size_t height, const std::string& title) {
  const std::size_t width = kLeft + kMapWidth + kRight;
  auto out = std::back_inserter(*svg);
  fmt::format_to(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
                 "font-family=\"sans-serif\" font-size=\"12\" fill=\"#333333\">\n"
                 "<style>.f{{fill:#f1f1ee;stroke:#ccccc6;stroke-width:.5}}"
                 ".d{{fill-opacity:.25}}.o{{fill:none;stroke:#222222;stroke-width:1.5}}",
                 width, height);
  for (const StreamLook& look : kLooks) fmt::format_to(out, ".{}{{fill:{}}}", look.letter, look.colour);
  fmt::format_to(out, "</style>\n<rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>\n", width, height);
  fmt::format_to(out, "<text x=\"{}\" y=\"30\" font-size=\"18\">{}</text>\n", kLeft, Escaped(title));
  fmt::format_to(out, "<text x=\"{}\" y=\"50\">{} in {} segments of {}</text>\n", kLeft,
                 ReadableBytes(std::uint64_t{map.geometry.segment_bytes} * map.segments.size()), map.segments.size(),
                 ReadableBytes(map.geometry.segment_bytes));
}

}  // namespace

char LetterOf(const mffs::SegmentSpace& segment) {
  switch (segment.state) {
    case mffs::SegmentState::kFree:
      return '.';
    case mffs::SegmentState::kEmpty:
      return '-';
    case mffs::SegmentState::kOpen:
    case mffs::SegmentState::kSealed:
      break;
  }
  const char letter = LookOf(segment.stream).letter;
  const bool is_half_live = segment.counts.live_bytes >= segment.counts.dead_bytes + segment.counts.overhead_bytes +
                                                             segment.counts.unused_bytes + segment.counts.free_bytes;
  return is_half_live ? static_cast<char>(letter - 'a' + 'A') : letter;
}

std::string TextMap(const mffs::SpaceMap& map) {
  std::string text;
  const std::size_t shown = std::min(map.segments.size(), kSegmentsInTextMax);
  for (std::size_t first = 0; first < shown; first += kPerLine) {
    text += fmt::format("{:>8}  ", first);
    for (std::size_t i = first; i < std::min(first + kPerLine, shown); ++i) text += LetterOf(map.segments[i]);
    text += '\n';
  }
  if (shown < map.segments.size()) {
    text += fmt::format("... and {} segments more; --json has them all\n", map.segments.size() - shown);
  }
  text += "a letter is the stream of a segment:";
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    text += fmt::format("{} {} {}", i == 0 ? "" : ",", kLooks[i].letter, StreamName(i));
  }
  text += ";\na capital when half of it or more is live;  . free  - nothing live, free after the next checkpoint\n";
  return text;
}

std::string SvgMap(const mffs::SpaceMap& map, const std::string& title) {
  const std::size_t shown = std::min(map.segments.size(), kSegmentsInSvgMax);
  constexpr std::size_t kBars = mffs::kStreamCount + 1;
  const std::size_t top = kBarTop + kBars * kRowHeight + 46;
  const std::size_t bottom = top + (shown + kPerLine - 1) / kPerLine * kStep;
  std::string svg;
  AddBegin(&svg, map, bottom + 40, title);
  // The largest bar takes the whole width.
  std::uint64_t scale = map.free.counts.free_bytes;
  for (const mffs::StreamSpace& stream : map.streams) {
    scale = std::max(scale, stream.segments * map.geometry.segment_bytes);
  }
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    AddBar(&svg, i, {StreamName(i), kLooks[i].colour}, map.streams[i].counts, scale);
  }
  AddBar(&svg, mffs::kStreamCount, {"free", "#f1f1ee"}, map.free.counts, scale);
  svg += fmt::format(
      "<text x=\"{}\" y=\"{}\">One square a segment, in the order of the disk; strong colour: the live share, light: "
      "dead and overhead, grey: free, framed: open</text>\n",
      kLeft, top - 14);
  for (std::size_t first = 0; first < shown; first += kPerLine) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"10\">{}</text>\n", kLeft - 8,
                       top + first / kPerLine * kStep + 10, first);
  }
  for (std::size_t i = 0; i < shown; ++i) AddCell(&svg, map, i, top);
  if (shown < map.segments.size()) {
    svg += fmt::format("<text x=\"{}\" y=\"{}\">and {} segments more</text>\n", kLeft, bottom + 20,
                       map.segments.size() - shown);
  }
  svg += "</svg>\n";
  return svg;
}

}  // namespace app
