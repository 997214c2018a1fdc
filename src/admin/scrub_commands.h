// ScrubCommands: scrub.start, scrub.stop, scrub.status: the volume's scrub, asked for and watched.
#pragma once

#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "base/result.h"
#include "mffs/volume.h"

namespace admin {

// Thread: the node's shard. Answers from memory, whatever the disk does.
class ScrubCommands {
 public:
  // Borrowed, outlives this.
  explicit ScrubCommands(mffs::Volume* volume) : volume_(volume) {}

  void AddTo(CommandTable* table);

 private:
  using Answer = async::Task<base::Result<boost::json::object>>;
  Answer Start(Arguments arguments);
  Answer Stop(Arguments arguments);
  Answer Status(Arguments arguments);

  mffs::Volume* volume_;
};

boost::json::object ToJson(const mffs::ScrubStatus& status);

}  // namespace admin
