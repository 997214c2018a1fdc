// The other half of GatheringWriter: time limits, failed writes, the read-only latch.
#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "mffs/gathering_writer.h"

namespace mffs {

void GatheringWriter::OnFailure(std::uint64_t number, const std::string& reason) {
  if (read_only_) return;
  const Block& block = BlockAt(number);
  const bool second_time = (block.flags & BlockHeader::kRewritten) != 0;
  base::LogError("mffs_write_failed", {{"device", device_->name()},
                                       {"segment", block.operation->segment},
                                       {"lsn", block.lsn.value()},
                                       {"reason", reason},
                                       {"second_time", second_time ? "yes" : "no"}});
  if (second_time) return Latch(reason);
  if (!WriteElsewhere(*block.lane, number)) Latch(reason + "; no free segment is left for a second try");
}

// The sectors are in an unknown state: the segment ends before them, and the lane's blocks go to a fresh one. All of
// them: what lies behind a hole would not be found again.
bool GatheringWriter::WriteElsewhere(Lane& lane, std::uint64_t failed) {
  std::vector<std::uint64_t> numbers;
  for (std::size_t i = 0; i < round_.size(); ++i) {
    Block& block = round_[i];
    const std::uint64_t number = blocks_finished_ + i;
    if (block.lane != &lane) continue;
    numbers.push_back(number);
    if (number != failed && !block.is_done) Abandon(block.operation);
    WriteBuffers::Ref copy = buffers_.Take();
    block.buffer->builder.CopyTo(copy->builder);
    if (!block.operation->overdue) buffers_.GiveBack(std::move(block.buffer));
    block.buffer = std::move(copy);
    block.flags |= BlockHeader::kRewritten;
    block.is_done = false;
  }
  SealLane(lane, false);
  if (!OpenSegment(lane, BlockAt(numbers.front()).lsn, 0).has_value()) return false;
  for (const std::uint64_t number : numbers) StartWrite(number);
  device_->Submit();
  return true;
}

// Nobody waits for the write any more. Nothing else may use its segment and its buffer until it has ended.
void GatheringWriter::Abandon(const std::shared_ptr<WriteOperation>& operation) {
  operation->overdue = true;
  overdue_.push_back(operation);
  table_->Hold(operation->segment);
}

void GatheringWriter::Latch(std::string reason) {
  if (read_only_) return;
  read_only_ = true;
  read_only_reason_ = fmt::format("{} is read-only since a write failed twice: {}; repair the device and restart",
                                  device_->name(), reason);
  base::LogError("mffs_read_only", {{"device", device_->name()}, {"reason", read_only_reason_}});
  FailEverything(base::Errc::kReadOnly, read_only_reason_);
  hooks_.read_only();
}

void GatheringWriter::FailEverything(base::Errc code, const std::string& reason) {
  std::vector<RequestList> lists;
  for (Block& block : round_) {
    if (!block.is_done && !block.operation->overdue) Abandon(block.operation);
    lists.push_back(std::move(block.requests));
  }
  blocks_finished_ += round_.size();
  round_.clear();
  for (Lane& lane : lanes_) {
    lists.push_back(std::move(lane.filled));
    lists.push_back(std::move(lane.queue));
    if (lane.filling) lane.filling->builder.Clear();
    lane.has_impatient = false;
    lane.stalled = false;
  }
  pending_bytes_ = 0;
  for (RequestList& list : lists) FailList(std::move(list), code, reason);
  drained_.NotifyAll();
}

void GatheringWriter::FailList(RequestList list, base::Errc code, const std::string& reason) {
  while (!list.empty()) {
    auto done = std::move(list.PopFront()->done);
    done(base::Error(code, reason));
  }
}

void GatheringWriter::FailStalled(Lane& lane) {
  if (!lane.stalled || lane.awaits_claim) return;
  lane.stalled = false;
  lane.has_impatient = false;
  lane.wants_fresh = false;
  RequestList filled = std::move(lane.filled);
  RequestList queue = std::move(lane.queue);
  pending_bytes_ -= lane.filling->builder.padded_record_bytes();
  lane.filling->builder.Clear();
  for (AppendRequest* request = queue.front(); request != nullptr; request = request->next) {
    pending_bytes_ -= PaddedRecordBytes(RecordBytes(*request));
  }
  const std::string reason = fmt::format("{} has no free segment left; release or remove mail", device_->name());
  FailList(std::move(filled), base::Errc::kNoSpace, reason);
  FailList(std::move(queue), base::Errc::kNoSpace, reason);
  drained_.NotifyAll();
}

// --- Timers. They run on their own and look what is due, so that a round need not set one. ---

void GatheringWriter::ArmDeadlineTimer() {
  if (deadline_armed_) return;
  deadline_armed_ = true;
  // Overdue at the third tick: between the deadline and half as much again.
  deadline_timer_.expires_after(options_->write_deadline / 2);
  deadline_timer_.async_wait([self = self_](boost::system::error_code ec) {
    if (!ec && *self != nullptr) (*self)->OnDeadlineTick();
  });
}

void GatheringWriter::OnDeadlineTick() {
  deadline_armed_ = false;
  if (!InFlight()) return;
  // A failure may start writes and, when it latches, end the round.
  for (std::size_t i = 0; i < round_.size(); ++i) {
    const auto operation = round_[i].operation;
    if (round_[i].is_done || ++operation->ticks <= 2) continue;
    Abandon(operation);
    OnFailure(blocks_finished_ + i, "the device did not answer within the deadline");
  }
  if (InFlight()) ArmDeadlineTimer();
}

void GatheringWriter::ArmCoverTimer() {
  if (cover_armed_ || covering_ended_) return;
  cover_armed_ = true;
  commits_at_cover_ = commits_;
  cover_timer_.expires_after(options_->cover_after / 2);
  cover_timer_.async_wait([self = self_](boost::system::error_code ec) {
    if (!ec && *self != nullptr) (*self)->OnCoverTimer();
  });
}

void GatheringWriter::EndCovering() {
  covering_ended_ = true;
  cover_timer_.cancel();
}

void GatheringWriter::OnCoverTimer() {
  cover_armed_ = false;
  if (covering_ended_ || covered_ || InFlight() || read_only_) return;
  if (commits_ != commits_at_cover_) return ArmCoverTimer();
  StartRound(true);
}

void GatheringWriter::ArmPatienceTimer() {
  if (patience_armed_) return;
  patience_armed_ = true;
  patience_timer_.expires_after(options_->parked_wait);
  patience_timer_.async_wait([self = self_](boost::system::error_code ec) {
    if (ec || *self == nullptr) return;
    (*self)->patience_armed_ = false;
    (*self)->patience_over_ = true;
    if (!(*self)->InFlight()) (*self)->SchedulePump();
  });
}

}  // namespace mffs
