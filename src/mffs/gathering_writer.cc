#include "mffs/gathering_writer.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace mffs {

GatheringWriter::GatheringWriter(async::Executor executor, Target target, MountLsns lsns, Hooks hooks)
    : executor_(executor),
      device_(target.device),
      table_(target.table),
      geometry_(target.geometry),
      options_(target.options),
      clock_(target.clock),
      lsns_(lsns),
      hooks_(std::move(hooks)),
      // One being filled and one in flight a stream, and one more for the stream that is in a hurry.
      buffers_(device_, 2 * std::tuple_size_v<decltype(lanes_)> + 1, VolumeSeed(geometry_.uuid)),
      next_lsn_(lsns.first),
      durable_lsn_(lsns.cut),
      deadline_timer_(executor),
      cover_timer_(executor),
      patience_timer_(executor),
      drained_(executor),
      self_(std::make_shared<GatheringWriter*>(this)) {
  for (std::size_t i = 0; i < kStreamCount; ++i) lanes_[i].stream = static_cast<Stream>(i);
  lanes_[kCheckpointLane].stream = Stream::kMeta;
  lanes_[kBriefCopiesLane].stream = Stream::kBrief;
}

GatheringWriter::~GatheringWriter() {
  *self_ = nullptr;
  for (Block& block : round_) {
    if (block.operation) block.operation->writer = nullptr;
  }
  for (const auto& operation : overdue_) operation->writer = nullptr;
}

void GatheringWriter::Append(AppendRequest* request) {
  CHECK(request->head.size() <= kHeadBytesMax);
  Lane& lane = LaneOf(*request);
  if (request->stream == Stream::kBrief) wants_brief_ = true;
  pending_bytes_ += PaddedRecordBytes(RecordBytes(*request));
  lane.queue.PushBack(request);
  if (!request->patient) lane.has_impatient = true;
  // Copying now, while a write is in flight, costs the device nothing.
  if (!read_only_) Fill(lane);
  if (!InFlight() && HalfIsBack(lane)) {
    StartRound(false);
  } else if (handing_out_) {
    return;
  } else if (InFlight()) {
    Join(false);
  } else {
    SchedulePump();
  }
}

void GatheringWriter::Kick() {
  for (Lane& lane : lanes_) lane.stalled = false;
  if (!InFlight()) SchedulePump();
}

void GatheringWriter::FirstCheckpointDone() {
  first_checkpoint_done_ = true;
  Kick();
}

bool GatheringWriter::IsStalled() const {
  return std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.stalled; });
}

async::Task<void> GatheringWriter::Drain() {
  const auto pending = [this] {
    return InFlight() || pump_scheduled_ ||
           std::ranges::any_of(lanes_, [](const Lane& lane) { return !lane.filled.empty() || !lane.queue.empty(); });
  };
  patience_over_ = true;
  if (!InFlight()) SchedulePump();
  while (pending()) co_await drained_.Wait();
}

void GatheringWriter::SealOpenSegments() {
  CHECK(!InFlight());
  for (Lane& lane : lanes_) {
    if (lane.segment.has_value()) SealLane(lane, true);
  }
}

// --- Filling ---

BlockRoom GatheringWriter::FreshRoom() const {
  // A block must take the largest record, whatever the options say.
  constexpr std::uint32_t kLargest = kRecordsOffset + RecordHeader::kEncodedSize + kHeadBytesMax + kBodyBytesMax;
  const std::uint32_t block_bytes = std::clamp(options_->block_bytes_max, kLargest, kBlockBytesMax);
  return {.sectors = geometry_.footer_sector() - 1,
          .summary_bytes = 0,
          .summary_bytes_max = geometry_.summary_bytes_max(),
          .block_sectors_max = static_cast<std::uint32_t>(AlignUp(block_bytes, kSectorBytes) / kSectorBytes)};
}

std::uint64_t GatheringWriter::OpenRoomBytes(const Lane& lane) const {
  if (!lane.segment.has_value()) return 0;
  constexpr std::uint64_t kBlockHeaders = 2 * kSectorBytes;
  const std::uint64_t used = kBlockHeaders + geometry_.summary_bytes_max();
  const std::uint64_t room = RoomOf(lane).sectors * kSectorBytes;
  return room > used ? room - used : 0;
}

BlockRoom GatheringWriter::RoomOf(const Lane& lane) const {
  BlockRoom room = FreshRoom();
  if (lane.segment.has_value() && !lane.wants_fresh) {
    room.sectors = geometry_.footer_sector() - lane.next_sector;
    room.summary_bytes = lane.summary_bytes;
  }
  return room;
}

void GatheringWriter::Fill(Lane& lane) {
  while (!lane.queue.empty()) {
    if (!lane.filling) lane.filling = buffers_.Take();
    BlockBuilder& builder = lane.filling->builder;
    const AppendRequest& request = *lane.queue.front();
    if (!options_->gathering && builder.record_count() > 0) return;
    if (!builder.Fits(request, RoomOf(lane))) {
      if (builder.record_count() > 0 || lane.wants_fresh) return;
      lane.wants_fresh = true;
      CHECK(builder.Fits(request, RoomOf(lane)));
    }
    builder.Add(request, request.is_copy ? RecordHeader::kCopy : 0);
    lane.filled.PushBack(lane.queue.PopFront());
  }
}

bool GatheringWriter::IsNearlyFull(const Lane& lane) const {
  if (!lane.filling) return false;
  const std::uint64_t block_bytes = std::uint64_t{FreshRoom().block_sectors_max} * kSectorBytes;
  return !lane.queue.empty() || std::uint64_t{lane.filling->builder.used_bytes()} * 10 >= block_bytes * 9;
}

bool GatheringWriter::IsDue(const Lane& lane, bool company) const {
  if (lane.filled.empty() || lane.stalled) return false;
  return lane.has_impatient || company || patience_over_ || IsNearlyFull(lane);
}

// --- Rounds ---

void GatheringWriter::SchedulePump() {
  if (pump_scheduled_) return;
  pump_scheduled_ = true;
  asio::post(executor_, [self = self_] {
    if (*self != nullptr) (*self)->Pump();
  });
}

void GatheringWriter::Pump() {
  pump_scheduled_ = false;
  split_.WokenHadTheirTurn(clock_->SteadyNow());
  awaited_ = 0;
  if (read_only_) FailEverything(base::Errc::kReadOnly, read_only_reason_);
  if (InFlight()) {
    Join(true);
  } else {
    StartRound(false);
  }
  if (!InFlight()) drained_.NotifyAll();
}

void GatheringWriter::StartRound(bool cover) {
  CHECK(!InFlight());
  if (read_only_) return;
  for (Lane& lane : lanes_) Fill(lane);
  const bool company = std::ranges::any_of(lanes_, [](const Lane& lane) { return lane.has_impatient; });
  bool patient_left = false;
  for (Lane& lane : lanes_) {
    if (IsDue(lane, company)) {
      if (EnsureSegment(lane)) AddToRound(lane, 0);
    } else if (!lane.filled.empty() && !lane.stalled) {
      patient_left = true;
    }
  }
  if (round_.empty() && cover && last_lane_->filled.empty()) {
    if (!last_lane_->filling) last_lane_->filling = buffers_.Take();
    if (EnsureSegment(*last_lane_)) AddToRound(*last_lane_, BlockHeader::kCovering);
  }
  patience_over_ = false;
  if (patient_left) ArmPatienceTimer();
  if (round_.empty()) return;
  for (std::size_t i = 0; i < round_.size(); ++i) StartWrite(blocks_finished_ + i);
  device_->Submit();
  ArmDeadlineTimer();
  for (Lane& lane : lanes_) Fill(lane);
  Join(false);
}

// A lane that is always full does not hold up the others: while one of them has something to write, nothing joins, and
// the round ends.
bool GatheringWriter::MayJoin(const Lane& lane, bool half) const {
  if (!options_->gathering || lane.filled.empty() || !FitsItsSegment(lane)) return false;
  if (!IsNearlyFull(lane) && !(half && JoinsAsHalf(lane))) return false;
  const auto of_lane = [&lane](const Block& block) { return block.lane == &lane; };
  const auto rewritten = [](const Block& block) { return (block.flags & BlockHeader::kRewritten) != 0; };
  if (std::ranges::count_if(round_, of_lane) != 1 || std::ranges::any_of(round_, rewritten)) return false;
  return std::ranges::none_of(lanes_, [this, &lane](const Lane& other) {
    const bool waits = !other.filled.empty() && !other.stalled && (other.has_impatient || patience_over_);
    return &other != &lane && waits;
  });
}

bool GatheringWriter::JoinsAsHalf(const Lane& lane) const {
  const std::size_t in_flight = round_.front().buffer->builder.record_count();
  const std::size_t next = lane.filling->builder.record_count();
  return round_.size() == 1 && next * 2 >= in_flight && !SavesSpace() && split_.PaysOff(in_flight + next);
}

// A block of half the size has as much of a header and of a padded last sector. Where cleaning makes room, each byte of
// that is copied too, and speed is up to cleaning.
bool GatheringWriter::SavesSpace() const {
  return table_->free_count() + table_->empty_count() < ScarceSegments();
}

// Among the writers woken by the last commit.
bool GatheringWriter::HalfIsBack(const Lane& lane) const {
  if (!options_->gathering || lane.stalled || lane.filled.empty() || SavesSpace()) return false;
  const std::size_t back = lane.filling->builder.record_count();
  return back * 2 >= awaited_ && split_.PaysOff(awaited_);
}

void GatheringWriter::Join(bool half) {
  const auto lane =
      std::ranges::find_if(lanes_, [this, half](const Lane& candidate) { return MayJoin(candidate, half); });
  if (read_only_ || lane == lanes_.end()) return;
  AddToRound(*lane, 0);
  StartWrite(blocks_finished_ + round_.size() - 1);
  device_->Submit();
  ArmDeadlineTimer();
  ++commits_;
  Fill(*lane);
}

bool GatheringWriter::FitsItsSegment(const Lane& lane) const {
  const BlockBuilder& builder = lane.filling->builder;
  return lane.segment.has_value() && !lane.wants_fresh &&
         RoomOf(lane).Fits(builder.used_bytes(), builder.summary_bytes());
}

bool GatheringWriter::EnsureSegment(Lane& lane) {
  if (FitsItsSegment(lane)) return true;
  const auto opened = OpenSegment(lane, next_lsn_, ReserveFor(lane));
  if (opened.has_value()) return true;
  lane.stalled = true;
  lane.awaits_claim = opened.error() == SegmentTable::Refusal::kUnclaimed;
  hooks_.space_wanted();
  return false;
}

std::uint32_t GatheringWriter::ReserveFor(const Lane& lane) const {
  if (&lane == &lanes_[kCheckpointLane]) return 0;
  const std::uint32_t more = first_checkpoint_done_ ? 0 : 1;
  if (lane.stream == Stream::kMeta) return kReserveForCheckpoint + more;
  if (lane.stream == Stream::kCold || &lane == &lanes_[kBriefCopiesLane]) return kReserveForMeta + more;
  return kReserveForMeta + kReserveForCleaning + more;
}

std::expected<void, SegmentTable::Refusal> GatheringWriter::OpenSegment(Lane& lane, Lsn first_lsn,
                                                                        std::uint32_t reserve) {
  const auto taken = table_->Take(lane.stream, first_lsn, reserve);
  if (!taken.has_value()) return std::unexpected(taken.error());
  if (lane.segment.has_value()) SealLane(lane, true);
  lane.segment = *taken;
  lane.next_sector = 1;
  lane.next_ordinal = 0;
  lane.wants_fresh = false;
  return {};
}

void GatheringWriter::SealLane(Lane& lane, bool with_summary) {
  const std::uint32_t segment = *lane.segment;
  table_->Seal(segment);
  if (with_summary && (*table_)[segment].state == SegmentState::kSealed) {
    if (lane.summary_bytes > geometry_.summary_bytes_max()) lane.summary.clear();
    hooks_.sealed(
        {.segment = segment, .generation = (*table_)[segment].generation, .summary = std::move(lane.summary)});
  }
  lane.segment.reset();
  lane.summary.clear();
  lane.summary_bytes = 0;
}

void GatheringWriter::AddToRound(Lane& lane, std::uint16_t flags) {
  Block block;
  block.lane = &lane;
  block.buffer = std::move(lane.filling);
  block.requests = std::move(lane.filled);
  block.lsn = next_lsn_;
  block.flags = flags;
  next_lsn_ = next_lsn_.Next();
  lane.has_impatient = false;
  for (AppendRequest* request = lane.queue.front(); request != nullptr; request = request->next) {
    if (!request->patient) lane.has_impatient = true;
  }
  last_lane_ = &lane;
  round_.push_back(std::move(block));
}

void GatheringWriter::StartWrite(std::uint64_t number) {
  Block& block = BlockAt(number);
  Lane& lane = *block.lane;
  BlockBuilder& builder = block.buffer->builder;
  const std::uint32_t generation = (*table_)[*lane.segment].generation;
  const BlockPlace place{.segment = *lane.segment,
                         .generation = generation,
                         .stream = lane.stream,
                         .first_sector = lane.next_sector,
                         .first_ordinal = lane.next_ordinal,
                         .seed = SegmentSeed(geometry_.uuid, *lane.segment, generation)};
  const BlockHeader header{.lsn = block.lsn,
                           .commit_lsn = durable_lsn_,
                           .mount_first = lsns_.first,
                           .mount_cut = lsns_.cut,
                           .flags = block.flags};
  const base::ByteSpan bytes = builder.Seal(place, header, geometry_.uuid);
  const bool with_header = place.first_sector == 1;
  lane.next_sector += builder.sector_count();
  lane.next_ordinal += builder.record_count();
  lane.summary_bytes += builder.summary_bytes();
  bytes_written_ += bytes.size();
  block.operation = std::make_shared<WriteOperation>(this, block.buffer, number, place.segment, clock_->SteadyNow());
  device_->Write(geometry_.SectorOffset(place.segment, with_header ? 0 : place.first_sector), bytes, Sync::kYes,
                 [operation = block.operation](base::Result<> result) {
                   if (operation->writer != nullptr) operation->writer->OnWriteEnd(operation, std::move(result));
                 });
}

// --- Completions ---

void GatheringWriter::OnWriteEnd(const std::shared_ptr<WriteOperation>& operation, base::Result<> result) {
  if (operation->overdue) {
    // Nothing can land in the segment any more.
    table_->Unhold(operation->segment);
    buffers_.GiveBack(operation->buffer);
    std::erase(overdue_, operation);
    return;
  }
  if (!result.has_value()) return OnFailure(operation->block, result.error().message());
  split_.Written(operation->buffer->builder.record_count(), operation->begun, clock_->SteadyNow());
  BlockAt(operation->block).is_done = true;
  FinishBlocks();
}

void GatheringWriter::FinishBlocks() {
  FinishedBlocks finished;
  while (!round_.empty() && round_.front().is_done) {
    NoteDurable(round_.front());
    finished.push_back(std::move(round_.front()));
    round_.pop_front();
    ++blocks_finished_;
  }
  if (round_.empty()) {
    ++commits_;
    // A full block gains nothing by waiting for the writers that are woken now.
    if (std::ranges::any_of(lanes_, [this](const Lane& lane) { return IsNearlyFull(lane) && !lane.stalled; })) {
      StartRound(false);
    }
  }
  HandOut(std::move(finished));
  if (InFlight()) {
    Join(false);
    // Those woken just now may fill the other half.
    if (split_.PaysOff(2 * awaited_)) SchedulePump();
  } else {
    AfterCommit();
  }
}

void GatheringWriter::NoteDurable(Block& block) {
  const BlockBuilder& builder = block.buffer->builder;
  const BlockPlace& place = builder.place();
  table_->BlockDurable(place.segment, block.lsn, place.first_sector + builder.sector_count(), builder.record_count(),
                       builder.padded_record_bytes());
  durable_lsn_ = block.lsn;
  covered_ = (block.flags & BlockHeader::kCovering) != 0;
  records_ += builder.record_count();
  pending_bytes_ -= builder.padded_record_bytes();
  Lane& lane = *block.lane;
  if (lane.summary_bytes > geometry_.summary_bytes_max()) {
    lane.summary = {};
    return;
  }
  const Lsn first_lsn = (*table_)[place.segment].first_lsn;
  builder.summary().AppendTo(lane.summary, place.first_sector, block.lsn.value() - first_lsn.value());
}

void GatheringWriter::HandOut(FinishedBlocks finished) {
  handing_out_ = true;
  awaited_ = 0;
  for (const Block& block : finished) awaited_ += block.buffer->builder.record_count();
  if (awaited_ > 0) split_.HandingOut(awaited_, clock_->SteadyNow());
  for (Block& block : finished) {
    for (std::uint32_t i = 0; !block.requests.empty(); ++i) {
      AppendRequest* request = block.requests.PopFront();
      // The request may be gone when `done` returns.
      auto done = std::move(request->done);
      done(block.buffer->builder.LocationOf(i));
    }
    buffers_.GiveBack(std::move(block.buffer));
  }
  handing_out_ = false;
  if (!finished.empty()) hooks_.block_durable();
}

void GatheringWriter::AfterCommit() {
  if (options_->after_commit) {
    options_->after_commit();
    if (!InFlight()) StartRound(false);
  } else {
    // One pass of the ready handlers: the writers just woken queue their next records.
    SchedulePump();
  }
  if (InFlight()) return;
  if (!covered_) ArmCoverTimer();
  drained_.NotifyAll();
}

}  // namespace mffs
