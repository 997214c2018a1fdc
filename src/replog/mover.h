// Mover: makes durable where cleaning moved records, then tells those who hold the old places.
#pragma once

#include <vector>

#include "replog/context.h"

namespace replog {

// Thread: the log's shard. Owned by the log, borrows the context.
class Mover {
 public:
  explicit Mover(Context* context) : context_(context) {}

  // When it succeeds the old places may go. Errors: those of an append.
  async::Task<base::Result<>> Moved(std::vector<mffs::RecordOwner::Move> moves);

 private:
  async::Task<base::Result<>> Record(Partition* partition, std::vector<MovedRecord> moves);
  // nullptr: nobody in a partition holds it.
  Partition* PartitionOf(const mffs::RecordKey& key);
  void Follow(Partition* partition, const MovedRecord& move, std::vector<StateMachine::BodyMove>* bodies);
  void FollowEntry(Partition* partition, const MovedRecord& move, std::vector<StateMachine::BodyMove>* bodies);

  Context* context_;
};

// What a state machine is told of a moved record; nothing for records that it does not know.
std::optional<StateMachine::BodyMove> BodyMoveOf(const MovedRecord& move);

}  // namespace replog
