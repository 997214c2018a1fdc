#include "metered_device.h"

namespace bench {

mffs::IoDone MeteredDevice::Delay(std::size_t bytes, mffs::IoDone done) {
  double seconds = 0;
  if (limits_.operations_per_second > 0) seconds = 1 / limits_.operations_per_second;
  if (limits_.bytes_per_second > 0) seconds = std::max(seconds, static_cast<double>(bytes) / limits_.bytes_per_second);
  if (seconds == 0) return done;
  const auto cost =
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
  free_at_ = std::max(free_at_, std::chrono::steady_clock::now()) + cost;
  auto timer = std::make_unique<async::SteadyTimer>(executor_, free_at_);
  return [timer = std::move(timer), done = std::move(done)](base::Result<> result) mutable {
    async::SteadyTimer& wait = *timer;
    wait.async_wait([timer = std::move(timer), done = std::move(done),
                     result = std::move(result)](boost::system::error_code) mutable { done(std::move(result)); });
  };
}

}  // namespace bench
