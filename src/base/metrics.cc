#include "base/metrics.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/check.h"

namespace base {

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)), counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {
  CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_micro_.fetch_add(static_cast<std::uint64_t>(std::max(value, 0.0) * 1e6), std::memory_order_relaxed);
}

std::uint64_t Histogram::CumulativeCount(std::size_t i) const {
  std::uint64_t count = 0;
  for (std::size_t k = 0; k <= i; ++k) count += counts_[k].load(std::memory_order_relaxed);
  return count;
}

struct MetricsRegistry::Sample {
  std::string labels;
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
  std::function<double()> callback;
};

struct MetricsRegistry::Family {
  std::string name;
  std::string help;
  std::string type;
  std::vector<std::unique_ptr<Sample>> samples;

  Sample& Add(std::string_view labels) {
    samples.push_back(std::make_unique<Sample>());
    samples.back()->labels = labels;
    return *samples.back();
  }
};

MetricsRegistry::MetricsRegistry() = default;
MetricsRegistry::~MetricsRegistry() = default;

MetricsRegistry::Family& MetricsRegistry::FindOrAdd(std::string_view name, std::string_view help,
                                                    std::string_view type) {
  for (const auto& family : families_) {
    if (family->name == name) {
      CHECK(family->type == type);
      return *family;
    }
  }
  families_.push_back(std::make_unique<Family>(Family{std::string(name), std::string(help), std::string(type), {}}));
  return *families_.back();
}

Counter& MetricsRegistry::AddCounter(std::string_view name, std::string_view help, std::string_view labels) {
  Sample& sample = FindOrAdd(name, help, "counter").Add(labels);
  sample.counter = std::make_unique<Counter>();
  return *sample.counter;
}

Gauge& MetricsRegistry::AddGauge(std::string_view name, std::string_view help, std::string_view labels) {
  Sample& sample = FindOrAdd(name, help, "gauge").Add(labels);
  sample.gauge = std::make_unique<Gauge>();
  return *sample.gauge;
}

Histogram& MetricsRegistry::AddHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                                         std::string_view labels) {
  Sample& sample = FindOrAdd(name, help, "histogram").Add(labels);
  sample.histogram = std::make_unique<Histogram>(std::move(bounds));
  return *sample.histogram;
}

void MetricsRegistry::AddCallback(std::string_view name, std::string_view help, std::function<double()> read,
                                  std::string_view labels) {
  FindOrAdd(name, help, "gauge").Add(labels).callback = std::move(read);
}

void MetricsRegistry::AddCounterCallback(std::string_view name, std::string_view help, std::function<double()> read,
                                         std::string_view labels) {
  FindOrAdd(name, help, "counter").Add(labels).callback = std::move(read);
}

namespace {

void RenderHistogram(std::string& out, std::string_view name, std::string_view labels, const Histogram& histogram) {
  const std::string_view comma = labels.empty() ? "" : ",";
  const std::string braces = labels.empty() ? "" : fmt::format("{{{}}}", labels);
  auto to = std::back_inserter(out);
  for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
    fmt::format_to(to, "{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, comma, histogram.bounds()[i],
                   histogram.CumulativeCount(i));
  }
  const std::uint64_t all = histogram.CumulativeCount(histogram.bounds().size());
  fmt::format_to(to, "{}_bucket{{{}{}le=\"+Inf\"}} {}\n", name, labels, comma, all);
  fmt::format_to(to, "{}_count{} {}\n{}_sum{} {}\n", name, braces, all, name, braces, histogram.Sum());
}

}  // namespace

std::string MetricsRegistry::Render() const {
  std::string out;
  auto to = std::back_inserter(out);
  for (const auto& family : families_) {
    fmt::format_to(to, "# HELP {} {}\n# TYPE {} {}\n", family->name, family->help, family->name, family->type);
    const std::string_view suffix = family->type == "counter" ? "_total" : "";
    for (const auto& sample : family->samples) {
      const std::string braces = sample->labels.empty() ? "" : fmt::format("{{{}}}", sample->labels);
      if (sample->counter) fmt::format_to(to, "{}{}{} {}\n", family->name, suffix, braces, sample->counter->value());
      if (sample->gauge) fmt::format_to(to, "{}{} {}\n", family->name, braces, sample->gauge->value());
      if (sample->callback) fmt::format_to(to, "{}{}{} {}\n", family->name, suffix, braces, sample->callback());
      if (sample->histogram) RenderHistogram(out, family->name, sample->labels, *sample->histogram);
    }
  }
  out.append("# EOF\n");
  return out;
}

std::vector<std::string> MetricsRegistry::Names() const {
  std::vector<std::string> names;
  names.reserve(families_.size());
  for (const auto& family : families_) names.push_back(family->name);
  return names;
}

}  // namespace base
