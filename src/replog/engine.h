// Log::Engine: the log's parts, put together.
#pragma once

#include <memory>
#include <utility>

#include "replog/body_reader.h"
#include "replog/checkpoints.h"
#include "replog/context.h"
#include "replog/log.h"
#include "replog/mover.h"
#include "replog/proposals.h"
#include "replog/snapshots.h"

namespace replog {

// Owned by Log. Thread: the log's shard.
class Log::Engine {
 public:
  Engine(async::Executor executor, mffs::Volume* volume, mffs::BufferPool* pool, Coordinator* coordinator,
         LogOptions options)
      : context_(executor, volume, pool, coordinator, std::move(options)) {}

  Context* context() { return &context_; }
  Proposals* proposals() { return &proposals_; }
  Snapshots* snapshots() { return &snapshots_; }
  Checkpoints* checkpoints() { return &checkpoints_; }
  Mover* mover() { return &mover_; }
  BodyReader* reader() { return &reader_; }

 private:
  Context context_;
  Proposals proposals_{&context_};
  Snapshots snapshots_{&context_};
  Checkpoints checkpoints_{&context_};
  Mover mover_{&context_};
  BodyReader reader_{&context_};
};

}  // namespace replog
