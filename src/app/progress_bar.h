// ProgressBar: how far a long command is: a bar on a terminal, else a line every 10 s.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace app {

// What a step counts.
enum class ProgressUnit : std::uint8_t { kBytes, kThings };

// "43 %, 1.2 GiB of 2.8 GiB, 512.0 MiB/s, 3 s left"; with total 0 only what is done and how fast.
std::string ProgressText(ProgressUnit unit, std::uint64_t done, std::uint64_t total, std::chrono::milliseconds elapsed);

// Thread: one. Borrows stream and clock, which outlive it.
class ProgressBar {
 public:
  enum class Style : std::uint8_t { kNone, kLines, kBar };
  ProgressBar(std::ostream* out, Style style, const base::Clock* clock,
              std::chrono::seconds between_lines = std::chrono::seconds(10))
      : out_(out), style_(style), clock_(clock), between_lines_(between_lines) {}
  ~ProgressBar() { Finish(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // As often as one likes. Another step begins anew.
  void Update(std::string_view step, ProgressUnit unit, std::uint64_t done, std::uint64_t total);
  // Takes the bar off the terminal.
  void Finish();

 private:
  std::ostream* out_;
  Style style_;
  const base::Clock* clock_;
  std::chrono::seconds between_lines_;
  std::string step_;
  base::SteadyTime began_{};
  base::SteadyTime shown_{};
  bool is_on_screen_ = false;
};

// kBar when `out` is standard error and that is a terminal.
ProgressBar::Style StyleFor(const std::ostream* out, bool is_quiet);

}  // namespace app
