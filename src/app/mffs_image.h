// WithImage: what the commands on a volume that no node has open read it through.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "async/run_to_end.h"
#include "base/log.h"
#include "mffs/image_device.h"

namespace app {

// Runs what `make` makes for the image at `path`, opened for reading only, on a loop of its own.
template <class T, class F>
base::Result<T> WithImage(const std::string& path, F make) {
  // What goes wrong is in the findings; log lines would only repeat it.
  base::SetLogLevel(base::LogLevel::kError);
  async::Shard shard("mffs");
  auto device = mffs::OpenImage(shard.executor(), path);
  if (!device.has_value() && device.error().code() == base::Errc::kBusy) {
    return base::Error(base::Errc::kBusy,
                       fmt::format("{0} is open in a running node, and would change while it is read: stop the "
                                   "node first (`fuser -v {0}` names it), then run this again",
                                   path));
  }
  if (!device.has_value()) return std::move(device).error();
  return async::RunToEnd<T>(&shard, make(device->get()));
}

}  // namespace app
