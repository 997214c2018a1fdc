// WithImage: what the commands on a volume that no node has open read it through.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "async/run_to_end.h"
#include "base/log.h"
#include "mffs/image_device.h"

namespace app {

// Only errors are logged while it lives: what goes wrong is in a command's findings, and lines would repeat it.
class QuietLog {
 public:
  QuietLog() {
    for (const base::LogLevel level : {base::LogLevel::kWarning, base::LogLevel::kInfo, base::LogLevel::kDebug}) {
      if (base::LogEnabled(level)) before_ = level;
    }
    base::SetLogLevel(base::LogLevel::kError);
  }
  ~QuietLog() { base::SetLogLevel(before_); }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  base::LogLevel before_ = base::LogLevel::kError;
};

// The error of an image or a volume that cannot be opened, with what to do when a node has it open.
inline base::Error ExplainBusy(base::Error error, const std::string& path) {
  if (error.code() != base::Errc::kBusy) return error;
  return base::Error(base::Errc::kBusy,
                     fmt::format("{0} is open in a running node, and would change while it is read: stop the "
                                 "node first (`fuser -v {0}` names it), then run this again",
                                 path));
}

// Runs what `make` makes for the image at `path`, opened for reading only, on a loop of its own.
template <class T, class F>
base::Result<T> WithImage(const std::string& path, F make) {
  const QuietLog quiet;
  async::Shard shard("mffs");
  auto device = mffs::OpenImage(shard.executor(), path);
  if (!device.has_value()) return ExplainBusy(std::move(device).error(), path);
  return async::RunToEnd<T>(&shard, make(device->get()));
}

}  // namespace app
