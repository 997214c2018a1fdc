#include "net/measured_resolver.h"

#include <chrono>

namespace net {

async::Task<base::Result<DnsAnswer>> MeasuredResolver::LookUp(std::string name, DnsType type) {
  const base::SteadyTime began = clock_->SteadyNow();
  base::Result<DnsAnswer> answer = co_await inner_->LookUp(std::move(name), type);
  const std::chrono::duration<double> took = clock_->SteadyNow() - began;
  metrics_.seconds->Observe(took.count());
  (answer.has_value() ? metrics_.answered : metrics_.failed)->Add();
  co_return answer;
}

}  // namespace net
