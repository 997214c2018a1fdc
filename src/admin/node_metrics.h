// RegisterNodeMetrics: the metrics that are read from a node's parts when the page is asked for. docs/metrics.md
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "history/history.h"
#include "mffs/volume.h"
#include "queue/mail_queue.h"
#include "replog/log.h"

namespace admin {

struct SessionCount {
  std::string protocol;  // "smtp".
  std::function<std::uint64_t()> open;
};

// Called on the thread that asks for the page: the node's shard. What they refer to outlives the registry's use.
struct NodeReadings {
  std::function<mffs::VolumeStatus()> volume;
  std::function<mffs::ScrubStatus()> scrub;
  std::function<replog::LogStatus()> log;
  std::function<queue::QueueStatus()> queue;
  std::function<history::HistoryStatus()> history;
  std::function<std::uint64_t()> buffers_used_bytes;
  std::function<std::uint64_t()> full_accounts;
  std::vector<SessionCount> sessions;
};

void RegisterNodeMetrics(base::MetricsRegistry* registry, NodeReadings readings);

}  // namespace admin
