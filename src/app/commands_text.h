// How the commands print for people: tables, sizes, durations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "admin/readable.h"

namespace app {

using admin::ReadableBytes;
using admin::ReadableDuration;

// Bytes that mail or another server chose, safe for a terminal: control characters become '?'.
std::string Printable(std::string_view text);

// Rows under a header, columns aligned by their widest cell (in code points).
class TextTable {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns; made printable here.
  void AddRow(std::vector<std::string> cells);
  std::size_t size() const { return rows_.size(); }
  // Each line ends with a line end and has no spaces before it.
  std::string ToString() const;

 private:
  std::string Line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace app
