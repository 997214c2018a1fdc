#include "salvage/place_mending.h"

#include <map>
#include <utility>

#include "salvage/snapshot_mending.h"

namespace salvage {
namespace {

class PlaceMender {
 public:
  PlaceMender(const LogRecords& records, const replog::MovedPlaces& moved) : records_(records), moved_(moved) {}

  void Look(replog::PartitionId partition, const replog::BodyRef& body) {
    for (std::size_t i = 0; i < body.extents.size(); ++i) {
      const mffs::Location place = moved_.Resolve(body.extents[i]);
      const bool in_parts = (body.id.value() & replog::kPartsBodyBit) != 0;
      const auto part = static_cast<std::uint32_t>(i);
      const auto move = in_parts ? MoveOfPart(body.id, part, place) : MoveOfEntry(partition, body.id, place);
      if (move.has_value()) moves_[partition].push_back(*move);
    }
  }

  std::vector<mffs::OwnedRecord> Notes() const {
    std::vector<mffs::OwnedRecord> notes;
    for (const auto& [partition, moves] : moves_) {
      for (mffs::OwnedRecord& note : NotesOf(partition, moves)) notes.push_back(std::move(note));
    }
    return notes;
  }

 private:
  // Its copy has rotted. A note of the way back would close a circle; a rescue finds the mail.
  bool IsMovedAway(const mffs::Location& place) const { return moved_.Resolve(place) != place; }

  std::optional<replog::MovedRecord> MoveOfEntry(replog::PartitionId partition, replog::BodyId body,
                                                 const mffs::Location& place) const {
    const EntryPlace* const there = records_.FindMail(partition, body, place);
    if (there == nullptr || (there->place == place && there->is_live)) return std::nullopt;
    const EntryPlace* const found = records_.FindMail(partition, body, {});
    if (found->place == place || !found->is_live || !found->is_readable) return std::nullopt;
    if (IsMovedAway(found->place)) return std::nullopt;
    return replog::MovedRecord{.type = static_cast<std::uint8_t>(replog::RecordType::kEntry),
                               .key_epoch = found->epoch.value(),
                               .key_index = found->index.value(),
                               .from = place,
                               .to = found->place};
  }

  std::optional<replog::MovedRecord> MoveOfPart(replog::BodyId body, std::uint32_t number,
                                                const mffs::Location& place) const {
    const PartPlace* other = nullptr;
    for (const PartPlace& part : records_.PartsOf(body)) {
      if (part.part != number || !part.is_live || !part.is_readable) continue;
      if (part.place == place) return std::nullopt;
      if (IsMovedAway(part.place)) continue;
      if (other == nullptr) other = &part;
    }
    if (other == nullptr) return std::nullopt;
    return replog::MovedRecord{.type = static_cast<std::uint8_t>(replog::RecordType::kPart),
                               .key_epoch = number,
                               .key_index = body.value(),
                               .from = place,
                               .to = other->place};
  }

  const LogRecords& records_;
  const replog::MovedPlaces& moved_;
  std::map<replog::PartitionId, std::vector<replog::MovedRecord>> moves_;
};

}  // namespace

base::Result<std::vector<mffs::OwnedRecord>> MendPlaces(const LogRecords& records, const replog::MovedPlaces& moved,
                                                        MailState* state) {
  PlaceMender mender(records, moved);
  state->mailboxes().Rewind();
  for (;;) {
    ASSIGN_OR_RETURN(const auto message, state->mailboxes().Next());
    if (!message.has_value()) break;
    mender.Look(message->partition, message->body_ref);
  }
  replog::PartitionId partition;
  replog::Index after;
  while (const auto next = state->queues().Next(partition, after)) {
    partition = next->first;
    after = next->second.index;
    mender.Look(partition, next->second.body);
  }
  return mender.Notes();
}

}  // namespace salvage
