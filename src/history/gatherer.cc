#include "history/gatherer.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace history {

bool Gatherer::Add(const Event& event, Entry entry, base::SteadyTime now) {
  encoded_.clear();
  event.EncodeTo(encoded_);
  // Of a record with its marks; no entry of a log makes a longer event.
  constexpr std::size_t kEventBytesMax = mffs::kBodyBytesMax - (192u << 10);
  if (encoded_.size() > kEventBytesMax || waiting_bytes_ + encoded_.size() > limits_.waiting_bytes_max) return false;
  if (!open_.has_value()) Begin(now);
  Batch& batch = *open_;
  const auto offset = static_cast<std::uint32_t>(batch.text->size());
  base::Encoder(*batch.text).Text(encoded_);
  waiting_bytes_ += batch.text->size() - offset;
  batch.events += 1;
  batch.oldest = std::min(batch.oldest, event.time);
  batch.newest = std::max(batch.newest, event.time);
  if (entry == Entry::kEnds) batch.marks[event.partition] = event.index;
  EventRecord* const record = directory_->FindRecord(batch.run, batch.slot);
  record->oldest = batch.oldest;
  record->newest = batch.newest;
  hashes_.clear();
  AddHashes(event, &hashes_);
  Run* const run = directory_->Find(batch.run);
  const Position position = PositionOf(batch.slot, offset);
  for (const std::uint32_t hash : hashes_) run->keys.push_back(KeyOf(hash, position));
  if (batch.text->size() >= limits_.record_bytes) Close();
  return true;
}

std::optional<base::SteadyTime> Gatherer::WaitsSince() const {
  if (!full_.empty()) return full_.front().begun;
  return open_.has_value() ? std::optional(open_->begun) : std::nullopt;
}

std::uint64_t Gatherer::LastBatchWith(replog::PartitionId partition) const {
  if (open_.has_value() && open_->marks.contains(partition)) return open_->number;
  const auto last = std::find_if(full_.rbegin(), full_.rend(),
                                 [partition](const Batch& batch) { return batch.marks.contains(partition); });
  return last == full_.rend() ? 0 : last->number;
}

Batch Gatherer::Take() {
  if (full_.empty()) Close();
  CHECK(!full_.empty());
  Batch batch = std::move(full_.front());
  full_.pop_front();
  return batch;
}

void Gatherer::Begin(base::SteadyTime now) {
  Run* const run = directory_->Open(limits_.keys_per_run_max);
  open_.emplace();
  open_->run = run->number;
  open_->slot = static_cast<Slot>(run->records.size());
  open_->number = ++last_number_;
  open_->begun = now;
  open_->text = std::make_shared<std::string>();
  open_->text->reserve(limits_.record_bytes + (4u << 10));
  run->records.emplace_back().text = open_->text;
}

void Gatherer::Close() {
  if (open_.has_value()) full_.push_back(*std::exchange(open_, std::nullopt));
}

}  // namespace history
