// For tests: a sparse disk image as text, one line for each 32 bytes that are not zero: the offset and the bytes, in
// hex. Golden images are kept like this, so that a change shows in a diff.
#pragma once

#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "mffs/sim_image.h"

namespace mffs {

inline constexpr std::size_t kImageTextRowBytes = 32;

inline std::string ImageText(const SimImage& image) {
  std::string text = fmt::format("size {:x}\n", image.size_bytes());
  std::array<std::byte, kSectorBytes> sector;
  for (std::uint64_t i = 0; i < image.size_bytes() / kSectorBytes; ++i) {
    if (!image.Sector(i)) continue;
    image.Read(i * kSectorBytes, sector);
    for (std::size_t at = 0; at < kSectorBytes; at += kImageTextRowBytes) {
      std::string row;
      bool is_zero = true;
      for (std::size_t b = 0; b < kImageTextRowBytes; ++b) {
        row += fmt::format("{:02x}", static_cast<unsigned>(sector[at + b]));
        is_zero = is_zero && sector[at + b] == std::byte{0};
      }
      if (!is_zero) text += fmt::format("{:x} {}\n", i * kSectorBytes + at, row);
    }
  }
  return text;
}

// Nothing: the text is no image.
inline std::optional<SimImage> ImageOf(std::string_view text) {
  std::optional<SimImage> image;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    std::uint64_t number = 0;
    const std::string_view first = image.has_value() ? line.substr(0, space) : line.substr(space + 1);
    if (std::from_chars(first.data(), first.data() + first.size(), number, 16).ec != std::errc()) return std::nullopt;
    if (!image.has_value()) {
      image.emplace(number);
      continue;
    }
    std::array<std::byte, kImageTextRowBytes> row;
    const std::string_view hex = line.substr(space + 1);
    if (hex.size() != 2 * row.size() || number > image->size_bytes() - row.size()) return std::nullopt;
    for (std::size_t b = 0; b < row.size(); ++b) {
      unsigned value = 0;
      const char* digits = hex.data() + 2 * b;
      if (std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2) return std::nullopt;
      row[b] = static_cast<std::byte>(value);
    }
    image->Write(number, row);
  }
  return image;
}

// Nothing: there is no such file, or it is no image.
inline std::optional<SimImage> LoadImage(const std::string& path) {
  std::ifstream in(path);
  if (!in) return std::nullopt;
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return ImageOf(text);
}

}  // namespace mffs
