#include "mffs/checkpointer.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/check.h"
#include "mffs/append_task.h"

namespace mffs {
namespace {

constexpr std::uint64_t kFullEvery = 16;  // Checkpoints.

std::size_t SizeOf(const std::vector<std::string>& parts) {
  std::size_t bytes = 0;
  for (const std::string& part : parts) bytes += part.size();
  return bytes;
}

std::vector<Location> Without(const std::vector<Location>& from, const std::vector<Location>& what) {
  const std::set<Location> excluded(what.begin(), what.end());
  std::vector<Location> left;
  std::ranges::copy_if(from, std::back_inserter(left), [&](const Location& l) { return !excluded.contains(l); });
  return left;
}

}  // namespace

Checkpointer::Checkpointer(BlockDevice* device, SegmentTable* table, GatheringWriter* writer, IoDeadline deadline,
                           const Recovered& recovered)
    : device_(device),
      table_(table),
      writer_(writer),
      deadline_(deadline),
      superblock_(recovered.superblock),
      found_superblock_(recovered.superblock),
      owner_state_(recovered.base.owner_state),
      number_(recovered.base.root.number),
      newest_records_(recovered.base.Records()),
      previous_records_(Without(recovered.checkpoint_records, newest_records_)) {
  // If the newest one could not be read, the one that could takes its place in the next superblock.
  superblock_.newest = recovered.base.ref;
}

bool Checkpointer::IsInUse(std::uint32_t segment) const {
  const auto lies_there = [segment](const Location& location) { return location.segment == segment; };
  return std::ranges::any_of(newest_records_, lies_there) || std::ranges::any_of(previous_records_, lies_there);
}

async::Task<base::Result<>> Checkpointer::Run(RecordOwner* owner) {
  if (writer_->read_only()) co_return base::Error(base::Errc::kReadOnly, writer_->read_only_reason());
  Image image = TakeImage(owner);
  if (image.owner.state.size() > kOwnerStateBytesMax) {
    co_return base::Error(
        base::Errc::kInvalid,
        fmt::format("the owner's state of {} bytes is too large for a checkpoint", image.owner.state.size()));
  }
  auto root = co_await AppendImage(&image);
  if (!root.has_value()) {
    GiveBack();
    co_return std::move(root).error();
  }
  auto stored = co_await MoveSuperblock(&image, *root);
  if (!stored.has_value()) {
    writer_->Latch("the superblock: " + stored.error().message());
    co_return base::Error(base::Errc::kReadOnly, writer_->read_only_reason());
  }
  Finish(image, *root);
  if (owner != nullptr) owner->CheckpointDurable();
  if (superblock_.version >= kFormatVersionBrief) writer_->AllowBrief();
  writer_->FirstCheckpointDone();
  co_return base::Result<>();
}

Checkpointer::Image Checkpointer::TakeImage(RecordOwner* owner) {
  Image image;
  if (owner != nullptr) {
    image.owner = owner->TakeCheckpointState();
  } else {
    image.owner.state = owner_state_;
  }
  image.outdated = Without(previous_records_, newest_records_);
  image.empty_segments = table_->EmptySegments();
  image.root.number = ++number_;
  image.root.base_lsn = writer_->durable_lsn();
  image.root.segment_count = table_->size();
  std::vector<Location> released = image.owner.releases;
  released.insert(released.end(), image.outdated.begin(), image.outdated.end());
  bool full = full_parts_.empty() || number_ >= full_number_ + kFullEvery;
  if (!full) {
    image.table_parts = EncodeTable(*table_, released, true);
    full = SizeOf(image.table_parts) * 2 > full_bytes_;
  }
  if (full) {
    image.table_parts = EncodeTable(*table_, released, false);
    table_->MarkUnchanged();
    full_bytes_ = SizeOf(image.table_parts);
    full_number_ = number_;
    full_parts_.clear();
  }
  image.root.full_number = full_number_;
  return image;
}

async::Task<base::Result<std::vector<Location>>> Checkpointer::AppendParts(std::uint8_t type,
                                                                           std::vector<std::string> parts) {
  std::vector<OwnedRecord> records;
  for (std::string& part : parts) {
    records.push_back({.key = {.type = type, .epoch = number_, .index = next_part_++}, .body = std::move(part)});
  }
  std::vector<Location> places;
  auto appended = co_await AppendAll(writer_, Stream::kMeta, std::move(records), &places);
  appended_.insert(appended_.end(), places.begin(), places.end());
  if (!appended.has_value()) co_return std::move(appended).error();
  co_return places;
}

async::Task<base::Result<Location>> Checkpointer::AppendImage(Image* image) {
  next_part_ = 0;
  appended_.clear();
  ASSIGN_OR_CO_RETURN(auto table_parts, co_await AppendParts(kTypeCheckpointSegments, std::move(image->table_parts)));
  if (full_number_ == number_) {
    full_parts_ = std::move(table_parts);
  } else {
    image->root.changed_parts = std::move(table_parts);
  }
  image->root.full_parts = full_parts_;
  ASSIGN_OR_CO_RETURN(image->root.owner_parts,
                      co_await AppendParts(kTypeCheckpointOwner, CutIntoParts(image->owner.state)));
  std::vector<std::string> root;
  root.push_back(EncodeRoot(image->root));
  ASSIGN_OR_CO_RETURN(const auto place, co_await AppendParts(kTypeCheckpointRoot, std::move(root)));
  co_return place.front();
}

// On a full volume, what failed checkpoints left would take the space of the one that succeeds.
void Checkpointer::GiveBack() {
  for (const Location& location : appended_) table_->Release(location);
  appended_.clear();
  // The table was marked unchanged for a full one that does not exist.
  if (full_number_ == number_) full_parts_.clear();
}

async::Task<base::Result<>> Checkpointer::MoveSuperblock(const Image* image, Location root) {
  if (found_superblock_.has_value()) {
    CO_RETURN_IF_ERROR(co_await RepairSuperblock(device_, *found_superblock_, deadline_));
    found_superblock_.reset();
  }
  superblock_.previous = superblock_.newest;
  superblock_.newest = {.base_lsn = image->root.base_lsn, .durable_lsn = writer_->durable_lsn(), .root = root};
  if (writer_->wants_brief()) superblock_.version = kFormatVersionBrief;
  ++superblock_.sequence;
  co_return co_await StoreSuperblock(device_, superblock_, deadline_);
}

void Checkpointer::Finish(const Image& image, Location root) {
  owner_state_ = image.owner.state;
  previous_records_ = std::move(newest_records_);
  newest_records_ = Checkpoint{.ref = superblock_.newest, .root = image.root, .table = {}, .owner_state = {}}.Records();
  CHECK(newest_records_.front() == root);
  for (const Location& location : image.outdated) table_->Release(location);
  for (const Location& location : image.owner.releases) table_->Release(location);
  table_->FreeAfterCheckpoint(image.empty_segments);
}

}  // namespace mffs
