// MeasuredResolver: counts and times what another resolver is asked.
#pragma once

#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/resolver.h"

namespace net {

struct ResolverMetrics {
  base::Counter* answered = nullptr;  // Also by "there is none".
  base::Counter* failed = nullptr;    // Timeouts, SERVFAIL, too many at once.
  base::Histogram* seconds = nullptr;
};

// As the resolver that it owns. A question that was cancelled is not counted. Borrows the clock and the metrics.
class MeasuredResolver final : public Resolver {
 public:
  MeasuredResolver(std::unique_ptr<Resolver> inner, const base::Clock* clock, ResolverMetrics metrics)
      : inner_(std::move(inner)), clock_(clock), metrics_(metrics) {}

  async::Task<base::Result<DnsAnswer>> LookUp(std::string name, DnsType type) override;

 private:
  std::unique_ptr<Resolver> inner_;
  const base::Clock* clock_;
  ResolverMetrics metrics_;
};

}  // namespace net
