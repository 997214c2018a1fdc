// SnapshotMender: pieces made anew from other records.
#include <algorithm>
#include <utility>

#include "queue/queue_partition.h"
#include "salvage/snapshot_mending.h"

namespace salvage {
namespace {

using BodyIds = std::set<replog::BodyId>;

void AddIds(std::string_view list, BodyIds* ids) {
  base::Decoder in(list);
  while (in.remaining() > 0 && in.ok()) ids->insert(replog::BodyId(in.U64()));
}

bool IsEnqueue(const EntryPlace& entry) {
  return queue::BringsMail(entry.type) && entry.has_mail;
}

}  // namespace

std::set<replog::BodyId> SnapshotMender::PartBodiesOf(const Snapshot& snapshot) {
  BodyIds ids;
  for (const Piece& piece : snapshot.pieces) {
    if (piece.place.kind == replog::PieceKind::kPartBodies) AddIds(piece.body, &ids);
  }
  return ids;
}

// Live parts that no other partition names. A list may name too much: what nobody needs only stays where it is.
async::Task<std::optional<std::string>> SnapshotMender::RebuildPartBodies(const Snapshot* snapshot) {
  const replog::PartitionId partition = snapshot->saved.partition;
  BodyIds claimed = PartBodiesOf(*snapshot);
  for (const PiecePlace& other : records_->pieces()) {
    if (other.partition == partition || other.kind != replog::PieceKind::kPartBodies) continue;
    const auto record = co_await ReadPiece(other.partition, other.place);
    if (!record.has_value()) co_return std::nullopt;
    AddIds(record->body, &claimed);
  }
  for (const EntryPlace& entry : records_->entries()) {
    if (entry.in_parts && entry.is_live) claimed.insert(entry.body);
  }
  std::string list;
  base::Encoder out(list);
  for (const PartPlace& part : records_->parts()) {
    if (part.is_live && claimed.insert(part.body).second) out.U64(part.body.value());
  }
  co_return list;
}

// Pieces hold mails in the order of their indexes. The first of a damaged run gets the mails of all of them.
async::Task<std::optional<std::string>> SnapshotMender::RebuildQueuePiece(const Snapshot* snapshot,
                                                                          std::size_t number) {
  replog::Index low;
  replog::Index high = snapshot->saved.snapshot_reached.Next();
  BodyIds named;
  bool is_behind = false;
  for (std::size_t i = 0; i < snapshot->pieces.size(); ++i) {
    const Piece& piece = snapshot->pieces[i];
    if (piece.place.kind != replog::PieceKind::kStateMachine || !piece.is_readable) continue;
    const auto mails = queue::DecodePiece(piece.body);
    if (!mails.has_value()) co_return std::nullopt;
    for (const queue::SavedMail& mail : *mails) {
      named.insert(mail.body.id);
      if (i < number) low = std::max(low, mail.index);
      if (i > number && !is_behind) high = mail.index;
      is_behind = is_behind || i > number;
    }
  }
  const BodyIds in_parts = PartBodiesOf(*snapshot);
  std::string piece = queue::BeginPiece();
  replog::Index last = low;
  for (const EntryPlace& entry : records_->EntriesOf(snapshot->saved.partition)) {
    if (entry.index <= last || entry.index >= high || !IsEnqueue(entry)) continue;
    // The record of a mail in parts is not kept for the mail; its parts are.
    if (entry.in_parts ? !in_parts.contains(entry.body) || named.contains(entry.body) : !entry.is_live) continue;
    const auto mail = co_await MailOf(entry);
    if (!mail.has_value()) continue;
    last = entry.index;
    named.insert(entry.body);
    mail->EncodeTo(piece);
  }
  // A mail whose envelope is nowhere must not be given up: then only a rescue helps.
  for (const PartPlace& part : records_->parts()) {
    if (part.is_live && in_parts.contains(part.body) && !named.contains(part.body)) co_return std::nullopt;
  }
  co_return piece;
}

async::Task<std::optional<queue::SavedMail>> SnapshotMender::MailOf(EntryPlace entry) {
  std::string head_bytes(records_->HeadOf(entry).value_or(""));
  std::string body_bytes;
  if (entry.is_readable) {
    auto record = co_await reader_->Read(entry.place);
    if (!record.has_value()) co_return std::nullopt;
    head_bytes = std::move(record->head);
    body_bytes = std::move(record->body);
  }
  const auto head = replog::EntryHead::Decode(head_bytes);
  if (!head.has_value()) co_return std::nullopt;
  std::string_view meta = head->meta;
  if (head->meta_in_body()) {
    if (body_bytes.size() < head->meta_bytes) co_return std::nullopt;
    meta = std::string_view(body_bytes).substr(body_bytes.size() - head->meta_bytes);
  }
  const auto enqueue = queue::DecodeNewMail(entry.type, meta);
  if (!enqueue.has_value()) co_return std::nullopt;
  replog::BodyRef body{.id = head->body, .size_bytes = head->mail_bytes, .extents = {}, .extent_bytes = {}};
  if (head->mail_in_parts()) {
    const auto extents = replog::DecodeExtents(body_bytes, head->parts);
    if (!extents.has_value()) co_return std::nullopt;
    for (const replog::Extent& extent : *extents) {
      body.extents.push_back(extent.location);
      body.extent_bytes.push_back(extent.bytes);
    }
  } else {
    body.extents.push_back(entry.place);
    body.extent_bytes.push_back(static_cast<std::uint32_t>(head->mail_bytes));
  }
  queue::SharedStrings strings;
  queue::QueuePartition state(&strings);
  const queue::MailState* const mail = state.Enqueue(entry.index, *enqueue, entry.cls, std::move(body));
  co_return state.mails().Save(*mail);
}

}  // namespace salvage
