// Pending: one proposal from its append to its end. Pooled; the append request lies inside.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/one_shot.h"
#include "mffs/volume.h"
#include "replog/log.h"

namespace replog {

struct OpenBody;
struct Partition;

enum class Until : std::uint8_t { kCommitted, kApplied };

struct Pending {
  mffs::AppendRequest request;
  Partition* partition = nullptr;
  Epoch epoch;
  Index index;
  Draft draft;
  Until until = Until::kCommitted;
  std::string head;
  std::string extent_table;
  BodyRef body;
  std::shared_ptr<OpenBody> parts;  // Of the mail, until the entry is committed.
  bool durable = false;
  std::optional<base::Result<Committed>> result;
  std::optional<async::OneShot<base::Result<Committed>>> waiter;
  Pending* next = nullptr;  // In a list: of its partition, of those to be completed, or of the free ones.
};

// Thread: one shard. Hands out used objects again: their strings keep their memory.
class PendingPool {
 public:
  Pending* Take() {
    if (free_ == nullptr) return &all_.emplace_back();
    Pending* pending = free_;
    free_ = pending->next;
    pending->next = nullptr;
    return pending;
  }
  void GiveBack(Pending* pending) {
    pending->result.reset();
    pending->waiter.reset();
    pending->draft = Draft();
    pending->body = BodyRef();
    pending->durable = false;
    pending->next = free_;
    free_ = pending;
  }

 private:
  std::deque<Pending> all_;
  Pending* free_ = nullptr;
};

}  // namespace replog
