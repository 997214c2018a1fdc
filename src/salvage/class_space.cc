#include "salvage/class_space.h"

#include <set>

#include "mffs/format.h"
#include "salvage/log_records.h"

namespace salvage {

void ClassSurvey::Add(const mffs::RecordView& record) {
  if (!record.is_live) return;
  const std::uint64_t bytes = mffs::PaddedRecordBytes(record.location.size);
  if (record.key.type >= mffs::kOwnTypesFirst) {
    space_.own_bytes += bytes;
    return;
  }
  const auto type = static_cast<replog::RecordType>(record.key.type);
  if (type == replog::RecordType::kPart) {
    parts_[replog::BodyId(record.key.index)] += bytes;
    return;
  }
  const auto head = type == replog::RecordType::kEntry ? replog::EntryHead::Decode(record.head)
                                                       : base::Result<replog::EntryHead>(replog::EntryHead{});
  const bool has_mail = head.has_value() && head->has_mail() && !head->mail_in_parts();
  const bool is_of_queue = IsQueue(replog::PartitionId(record.key.partition));
  if (!has_mail) {
    space_.log_bytes += bytes;
  } else if (is_of_queue) {
    queue_entries_[record.location] = bytes;
  } else {
    space_.mailboxes.mails += 1;
    space_.mailboxes.bytes += bytes;
  }
  const bool is_wanted = type == replog::RecordType::kEntry ? is_of_queue : type == replog::RecordType::kMove;
  if (!is_wanted) return;
  const base::Result<> added = found_.Add(record);
  if (!added.has_value() && added_.has_value()) added_ = added;
}

async::Task<base::Result<ClassSpace>> ClassSurvey::Finish(replog::OwnerState state, const mffs::RecordReader* reader) {
  state_ = std::move(state);
  CO_RETURN_IF_ERROR(added_);
  CO_RETURN_IF_ERROR(co_await LoadMoves(reader));
  std::set<replog::PartitionId> partitions;
  for (const auto& [partition, entries] : found_.entries) partitions.insert(partition);
  for (const auto& saved : state_.partitions) {
    if (IsQueue(saved.partition)) partitions.insert(saved.partition);
  }
  for (const replog::PartitionId partition : partitions) {
    CO_RETURN_IF_ERROR(co_await LoadQueue(partition, reader));
  }
  CountQueues();
  for (const auto& [place, bytes] : queue_entries_) {
    space_.leaving.mails += 1;
    space_.leaving.bytes += bytes;
  }
  for (const auto& [body, bytes] : parts_) {
    space_.mailboxes.mails += 1;
    space_.mailboxes.bytes += bytes;
  }
  co_return space_;
}

async::Task<base::Result<>> ClassSurvey::LoadMoves(const mffs::RecordReader* reader) {
  for (const replog::FoundRecord& found : found_.moves) {
    const auto record = co_await reader->Read(found.place);
    if (!record.has_value()) co_return base::Error(record.error());
    ASSIGN_OR_CO_RETURN(const auto moves, replog::DecodeMoves(record->head, record->body));
    for (const replog::MovedRecord& move : moves) moved_.Add(move.from, move.to);
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> ClassSurvey::LoadQueue(replog::PartitionId partition, const mffs::RecordReader* reader) {
  replog::Index committed;
  replog::FoundEntries& found = found_.entries[partition];
  for (const auto& saved : state_.partitions) {
    if (saved.partition != partition) continue;
    committed = saved.committed;
    found.snapshot_reached = saved.snapshot_reached;
    std::erase_if(found.entries,
                  [&](const replog::FoundEntry& entry) { return entry.index <= saved.snapshot_reached; });
    CO_RETURN_IF_ERROR(co_await LoadSnapshot(saved, reader));
  }
  ASSIGN_OR_CO_RETURN(const replog::ChosenEntries chosen,
                      replog::ChooseEntries(partition, std::move(found), committed, moved_, true));
  for (const replog::FoundEntry& entry : chosen.entries) {
    if (entry.is_lost || entry.head.type == 0) continue;
    CO_RETURN_IF_ERROR(co_await Apply(partition, &entry, reader));
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> ClassSurvey::LoadSnapshot(replog::OwnerState::PartitionState saved,
                                                      const mffs::RecordReader* reader) {
  if (saved.snapshot_reached == replog::Index()) co_return base::Result<>();
  queues_.BeginSnapshot(saved.partition);
  const auto record = co_await reader->Read(moved_.Resolve(saved.snapshot_end));
  if (!record.has_value()) co_return base::Error(record.error());
  ASSIGN_OR_CO_RETURN(const auto end, replog::SnapshotEnd::Decode(record->head, record->body));
  for (const replog::PiecePlace& place : end.pieces) {
    if (place.kind != replog::PieceKind::kStateMachine) continue;
    const auto piece = co_await reader->Read(moved_.Resolve(place.location));
    if (!piece.has_value()) co_return base::Error(piece.error());
    CO_RETURN_IF_ERROR(queues_.LoadPiece(saved.partition, piece->body));
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> ClassSurvey::Apply(replog::PartitionId partition, const replog::FoundEntry* entry,
                                               const mffs::RecordReader* reader) {
  const replog::EntryHead& head = entry->head;
  replog::EntryView view{.partition = partition,
                         .epoch = entry->epoch,
                         .index = entry->index,
                         .type = head.type,
                         .cls = head.cls,
                         .meta = head.meta,
                         .body = {.id = head.body, .size_bytes = head.mail_bytes, .extents = {}, .extent_bytes = {}},
                         .is_replay = true};
  // Where the mail of an entry in parts lies need not be known: its parts name it.
  if (head.has_mail()) {
    view.body.extents.push_back(entry->place);
    view.body.extent_bytes.push_back(0);
  }
  std::string body;
  if (head.meta_in_body()) {
    auto record = co_await reader->Read(entry->place);
    // A start leaves such an entry out, too.
    if (!record.has_value() || record->body.size() < head.meta_bytes) co_return base::Result<>();
    body = std::move(record->body);
    view.meta = std::string_view(body).substr(body.size() - head.meta_bytes);
  }
  co_return queues_.Apply(view);
}

void ClassSurvey::CountQueues() {
  replog::PartitionId partition;
  replog::Index after;
  while (const auto next = queues_.Next(partition, after)) {
    partition = next->first;
    after = next->second.index;
    const queue::SavedMail& mail = next->second;
    const auto cls = static_cast<std::size_t>(mail.cls);
    if (cls >= ClassSpace::kClasses) continue;
    MailSpace& space = space_.queued[cls];
    space.mails += 1;
    if (const auto parts = parts_.find(mail.body.id); parts != parts_.end()) {
      space.bytes += parts->second;
      parts_.erase(parts);
    } else if (!mail.body.empty()) {
      const auto entry = queue_entries_.find(moved_.Resolve(mail.body.extents.front()));
      if (entry == queue_entries_.end()) continue;
      space.bytes += entry->second;
      queue_entries_.erase(entry);
    }
  }
}

}  // namespace salvage
