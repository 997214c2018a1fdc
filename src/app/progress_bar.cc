#include "app/progress_bar.h"

#include <algorithm>
#include <iostream>

#include <fmt/format.h>
#include <unistd.h>

#include "app/commands_text.h"

namespace app {
namespace {

constexpr std::size_t kBarColumns = 24;
constexpr std::chrono::milliseconds kBetweenBars{200};
constexpr const char* kClearLine = "\r\x1b[K";

std::string Amount(ProgressUnit unit, std::uint64_t value) {
  return unit == ProgressUnit::kBytes ? ReadableBytes(value) : std::to_string(value);
}

std::string Bar(std::uint64_t done, std::uint64_t total) {
  const auto full = static_cast<std::size_t>(static_cast<double>(done) / static_cast<double>(total) * kBarColumns);
  std::string bar(std::min(full, kBarColumns), '#');
  bar.resize(kBarColumns, '.');
  return "[" + bar + "] ";
}

}  // namespace

std::string ProgressText(ProgressUnit unit, std::uint64_t done, std::uint64_t total,
                         std::chrono::milliseconds elapsed) {
  const double seconds = static_cast<double>(elapsed.count()) / 1000;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const std::string speed = Amount(unit, static_cast<std::uint64_t>(rate)) + "/s";
  if (total == 0) return fmt::format("{}, {}", Amount(unit, done), speed);
  done = std::min(done, total);
  std::string text =
      fmt::format("{} %, {} of {}, {}", done * 100 / total, Amount(unit, done), Amount(unit, total), speed);
  if (rate > 0) {
    const std::chrono::seconds left(static_cast<std::int64_t>(static_cast<double>(total - done) / rate));
    text += fmt::format(", {} left", ReadableDuration(left));
  }
  return text;
}

void ProgressBar::Update(std::string_view step, ProgressUnit unit, std::uint64_t done, std::uint64_t total) {
  if (style_ == Style::kNone) return;
  const base::SteadyTime now = clock_->SteadyNow();
  if (step != step_) {
    step_ = step;
    began_ = now;
    shown_ = now;
    return;
  }
  if (now - shown_ < (style_ == Style::kBar ? base::SteadyTime::duration(kBetweenBars) : between_lines_)) return;
  shown_ = now;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
  const std::string text = ProgressText(unit, done, total, elapsed);
  if (style_ == Style::kBar) {
    *out_ << kClearLine << step_ << ' ' << (total > 0 ? Bar(std::min(done, total), total) : "") << text << std::flush;
    is_on_screen_ = true;
  } else {
    *out_ << step_ << ": " << text << '\n' << std::flush;
  }
}

void ProgressBar::Finish() {
  if (is_on_screen_) *out_ << kClearLine << std::flush;
  is_on_screen_ = false;
  step_.clear();
}

ProgressBar::Style StyleFor(const std::ostream* out, bool is_quiet) {
  if (is_quiet) return ProgressBar::Style::kNone;
  return out == &std::cerr && ::isatty(STDERR_FILENO) != 0 ? ProgressBar::Style::kBar : ProgressBar::Style::kLines;
}

}  // namespace app
