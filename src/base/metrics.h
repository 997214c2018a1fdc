// Metrics: counters, gauges and histograms, printed as OpenMetrics text. Names are documented in docs/metrics.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// Thread: any; one relaxed add.
class Counter {
 public:
  void Add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void Add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Fixed upper bounds, chosen at registration; observations in the metric's unit (seconds or bytes).
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);
  const std::vector<double>& bounds() const { return bounds_; }
  // Observations at or under bounds()[i]; i == bounds().size() counts all.
  std::uint64_t CumulativeCount(std::size_t i) const;
  double Sum() const { return static_cast<double>(sum_micro_.load(std::memory_order_relaxed)) / 1e6; }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<std::uint64_t> sum_micro_{0};
};

// Owns all metrics of a process. Made once in src/app and passed down; registration happens before threads start.
// A metric lives as long as the registry. `labels` is OpenMetrics text without braces: `protocol="smtp"`.
// Registering the same name again with other labels adds a sample to the family (help and type must agree).
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  Counter& AddCounter(std::string_view name, std::string_view help, std::string_view labels = "");
  Gauge& AddGauge(std::string_view name, std::string_view help, std::string_view labels = "");
  Histogram& AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                          std::string_view labels = "");
  // A gauge read when the page is asked for; `read` runs on the asking thread and must be safe there.
  void AddCallback(std::string_view name, std::string_view help, std::function<double()> read,
                   std::string_view labels = "");
  // The same for a count that is kept elsewhere and never falls while the process lives.
  void AddCounterCallback(std::string_view name, std::string_view help, std::function<double()> read,
                          std::string_view labels = "");

  // The OpenMetrics exposition, ending with "# EOF".
  std::string Render() const;
  // Every family's name, for the test that compares docs/metrics.md with the code.
  std::vector<std::string> Names() const;

 private:
  struct Sample;
  struct Family;
  Family& FindOrAdd(std::string_view name, std::string_view help, std::string_view type);
  std::vector<std::unique_ptr<Family>> families_;
};

}  // namespace base
