// StatusCommand: `status`: a node at a glance.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "base/clock.h"
#include "base/result.h"
#include "mffs/volume.h"
#include "queue/mail_queue.h"
#include "replog/log.h"

namespace admin {

// Thread: the node's shard. Answers from memory, whatever the disk does.
class StatusCommand {
 public:
  // As in NodeParts.
  struct Parts {
    const queue::MailQueue* queue;
    const mffs::Volume* volume;
    const replog::Log* log;
    const base::Clock* clock;
    std::string version;
    std::string hostname;
    std::function<std::vector<std::pair<std::string, std::uint64_t>>()> sessions;
  };
  // The uptime counts from here.
  explicit StatusCommand(Parts parts) : parts_(std::move(parts)), started_at_(parts_.clock->SteadyNow()) {}

  void AddTo(CommandTable* table);

 private:
  async::Task<base::Result<boost::json::object>> Status(Arguments arguments);

  Parts parts_;
  base::SteadyTime started_at_;
};

boost::json::object ToJson(const mffs::VolumeStatus& status);
boost::json::object ToJson(const mffs::RecoveryReport& report);
boost::json::object ToJson(const replog::LogStatus& status);
boost::json::object ToJson(const queue::QueueStatus& status);

}  // namespace admin
