#include "app/start_progress.h"

#include <fmt/format.h>

#include "base/log.h"

namespace app {

void StartProgress::Tell(const mffs::Progress& progress) {
  const base::SteadyTime now = clock_->SteadyNow();
  if (now - told_ < kInterval) return;
  told_ = now;
  base::LogInfo("recovering", {{"what", progress.what}, {"done", progress.done}, {"total", progress.total}});
  if (tell_) tell_(fmt::format("Recovering: {}, {} of {}", progress.what, progress.done, progress.total));
}

}  // namespace app
