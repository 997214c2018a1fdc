// LatencyHistogram: waits in buckets an octave's 64th wide, so that millions of them cost 32 KiB.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace bench {

// A value. Quantiles are right within 1 %.
class LatencyHistogram {
 public:
  void Add(std::chrono::nanoseconds wait) {
    counts_[IndexOf(static_cast<std::uint64_t>(wait.count()))] += 1;
    count_ += 1;
  }

  void Merge(const LatencyHistogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
  }

  // The wait that `fraction` of all waits do not exceed, in microseconds; 0 without any.
  double Microseconds(double fraction) const {
    const auto rank = static_cast<std::uint64_t>(fraction * static_cast<double>(count_));
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      below += counts_[i];
      if (below > rank) return MiddleOf(i) / 1000.0;
    }
    return 0;
  }

 private:
  static constexpr int kStepBits = 6;
  static constexpr std::uint64_t kSteps = 1u << kStepBits;

  static std::size_t IndexOf(std::uint64_t value) {
    if (value < kSteps) return value;
    const int octave = std::bit_width(value) - 1 - kStepBits;
    return (static_cast<std::size_t>(octave) + 1) * kSteps + ((value >> octave) & (kSteps - 1));
  }
  static double MiddleOf(std::size_t index) {
    if (index < kSteps) return static_cast<double>(index);
    const std::size_t octave = index / kSteps - 1;
    const std::uint64_t lowest = (kSteps + index % kSteps) << octave;
    return static_cast<double>(lowest) + static_cast<double>(std::uint64_t{1} << octave) / 2;
  }

  std::array<std::uint64_t, kSteps * (64 - kStepBits + 1)> counts_{};
  std::uint64_t count_ = 0;
};

}  // namespace bench
