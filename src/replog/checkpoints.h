// Checkpoints: the log's part in a checkpoint of the volume: the state it keeps there, and what may be released with
// it.
#pragma once

#include <vector>

#include "replog/context.h"

namespace replog {

// Thread: the log's shard. Owned by the log, borrows the context.
// Nothing that an older state points to is released before the checkpoint with the newer one is durable.
class Checkpoints {
 public:
  explicit Checkpoints(Context* context) : context_(context) {}

  mffs::RecordOwner::CheckpointState Take();
  void Durable();

 private:
  void Install(Partition* partition);

  Context* context_;
  std::vector<mffs::Location> releases_;  // Of the checkpoint under way.
};

}  // namespace replog
