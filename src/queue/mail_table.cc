#include "queue/mail_table.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/check.h"
#include "queue/packed_envelope.h"

namespace queue {
namespace {

bool IsInParts(const replog::BodyRef& body) {
  return (body.id.value() & replog::kPartsBodyBit) != 0;
}

constexpr std::uint32_t RoundUp(std::size_t bytes) {
  constexpr std::size_t kAlign = alignof(MailState);
  return static_cast<std::uint32_t>((bytes + kAlign - 1) / kAlign * kAlign);
}

}  // namespace

struct MailState::Packed {
  std::string_view envelope;
  StringId origin = 0;
};

MailState::MailState(const SavedMail& saved, const Packed& packed)
    : cls(saved.cls),
      recipient_count_(static_cast<std::uint32_t>(saved.recipients.size())),
      index_(saved.index.value()),
      size_bytes_(static_cast<std::uint32_t>(saved.body.size_bytes)),
      origin_(packed.origin),
      packed_bytes_(static_cast<std::uint32_t>(packed.envelope.size())) {
  if (!saved.body.empty() && !IsInParts(saved.body)) place_ = saved.body.extents.front();
}

base::WallTime MailState::queued_at() const {
  return QueuedAtOf(packed());
}

mail::Envelope MailState::Envelope(const SharedStrings& strings) const {
  mail::Envelope envelope = UnpackEnvelope({{packed(), packed_bytes_}, strings.Text(origin_)}, recipient_count_);
  envelope.cls = cls;
  return envelope;
}

MailTable::~MailTable() {
  for (const Chunk& chunk : chunks_) {
    for (std::uint32_t at = 0; at < chunk.used; at += SizeOf(*At(chunk, at))) {
      if (!At(chunk, at)->is_gone_) ClearStrings(At(chunk, at));
    }
  }
}

MailState* MailTable::Add(const SavedMail& mail) {
  CHECK(last_index_ < mail.index.value());
  PackOrigin(mail.envelope, &packing_);
  const StringId origin = strings_->Add(packing_);
  PackEnvelope(mail.envelope, mail.queued_at, &packing_);
  const MailState::Packed packed{.envelope = packing_, .origin = origin};
  const std::size_t slots = mail.recipients.size() * sizeof(RecipientSlot);
  const std::uint32_t bytes = RoundUp(sizeof(MailState) + slots + packed.envelope.size());
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().used < bytes) {
    chunks_.push_back(MakeChunk(std::max(kChunkBytes, bytes)));
    chunk_bytes_ += chunks_.back().capacity;
  }
  Chunk& chunk = chunks_.back();
  auto* const added = new (At(chunk, chunk.used)) MailState(mail, packed);
  char* at = reinterpret_cast<char*>(added + 1);
  for (const SavedMail::Recipient& from : mail.recipients) {
    auto* const slot = new (at) RecipientSlot;
    slot->next_attempt = from.next_attempt;
    slot->answer = strings_->Add(from.answer);
    slot->attempts = from.attempts & 0x0fffffff;
    slot->told_of_delay = from.told_of_delay;
    slot->state = from.state;
    at += sizeof(RecipientSlot);
  }
  std::ranges::copy(packed.envelope, at);
  chunk.used += bytes;
  chunk.live += bytes;
  last_index_ = mail.index.value();
  size_ += 1;
  if (IsInParts(mail.body)) {
    in_parts_[mail.index] = mail.body;
    parts_owner_[mail.body.id] = mail.index;
  }
  return added;
}

MailState* MailTable::Find(replog::Index index) {
  const std::size_t chunk_number = ChunkOf(index.value());
  if (chunk_number == chunks_.size()) return nullptr;
  const Chunk& chunk = chunks_[chunk_number];
  for (std::uint32_t at = 0; at < chunk.used; at += SizeOf(*At(chunk, at))) {
    MailState* const mail = At(chunk, at);
    if (mail->index_ == index.value()) return mail->is_gone_ ? nullptr : mail;
    if (mail->index_ > index.value()) break;
  }
  return nullptr;
}

const MailState* MailTable::Next(replog::Index after) const {
  const std::size_t found = ChunkOf(after.value());
  for (std::size_t i = found == chunks_.size() ? 0 : found; i < chunks_.size(); ++i) {
    const Chunk& chunk = chunks_[i];
    for (std::uint32_t at = 0; at < chunk.used; at += SizeOf(*At(chunk, at))) {
      const MailState* const mail = At(chunk, at);
      if (mail->index_ > after.value() && !mail->is_gone_) return mail;
    }
  }
  return nullptr;
}

void MailTable::Erase(MailState* mail) {
  const auto body = in_parts_.find(mail->index());
  if (body != in_parts_.end()) {
    parts_owner_.erase(body->second.id);
    in_parts_.erase(body);
  }
  ClearStrings(mail);
  mail->is_gone_ = true;
  size_ -= 1;
  const std::size_t at = ChunkOf(mail->index_);
  Chunk& chunk = chunks_[at];
  chunk.live -= SizeOf(*mail);
  if (chunk.live == 0) {
    chunk_bytes_ -= chunk.capacity;
    chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(at));
  } else if (chunk.live * 2 < chunk.capacity && !MergeWithNext(at) && at > 0) {
    MergeWithNext(at - 1);
  }
}

std::size_t MailTable::memory_bytes() const {
  constexpr std::size_t kAllocationBytes = 16;  // What malloc adds.
  return chunk_bytes_ + chunks_.size() * (sizeof(Chunk) + kAllocationBytes);
}

std::uint32_t MailTable::SizeOf(const MailState& mail) {
  return RoundUp(sizeof(MailState) + mail.recipient_count_ * sizeof(RecipientSlot) + mail.packed_bytes_);
}

MailTable::Chunk MailTable::MakeChunk(std::uint32_t bytes) {
  return {.memory = std::make_unique_for_overwrite<std::byte[]>(bytes), .capacity = bytes};
}

void MailTable::AppendLive(const Chunk& from, Chunk* to) {
  for (std::uint32_t at = 0; at < from.used;) {
    const std::uint32_t bytes = SizeOf(*At(from, at));
    if (!At(from, at)->is_gone_) {
      std::memcpy(to->memory.get() + to->used, from.memory.get() + at, bytes);
      to->used += bytes;
      to->live += bytes;
    }
    at += bytes;
  }
}

std::size_t MailTable::ChunkOf(std::uint64_t index) const {
  const auto after =
      std::ranges::upper_bound(chunks_, index, {}, [](const Chunk& chunk) { return At(chunk, 0)->index_; });
  if (after == chunks_.begin()) return chunks_.size();
  return static_cast<std::size_t>(after - chunks_.begin()) - 1;
}

bool MailTable::MergeWithNext(std::size_t at) {
  if (at + 1 >= chunks_.size() || chunks_[at].live + chunks_[at + 1].live > kChunkBytes) return false;
  Chunk merged = MakeChunk(kChunkBytes);
  AppendLive(chunks_[at], &merged);
  AppendLive(chunks_[at + 1], &merged);
  chunk_bytes_ -= chunks_[at].capacity;
  chunk_bytes_ -= chunks_[at + 1].capacity;
  chunk_bytes_ += merged.capacity;
  chunks_[at] = std::move(merged);
  chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  return true;
}

void MailTable::ClearStrings(MailState* mail) {
  for (const RecipientSlot& slot : mail->recipients()) strings_->Drop(slot.answer);
  strings_->Drop(mail->origin_);
}

replog::BodyRef MailTable::BodyOf(const MailState& mail) const {
  const auto in_parts = in_parts_.find(mail.index());
  if (in_parts != in_parts_.end()) return in_parts->second;
  if (mail.place_.IsNowhere()) return {};
  return {.id = replog::BodyId(mail.index_),
          .size_bytes = mail.size_bytes_,
          .extents = {mail.place_},
          .extent_bytes = {mail.size_bytes_}};
}

std::optional<replog::Index> MailTable::Move(const replog::StateMachine::BodyMove& move) {
  if ((move.body.value() & replog::kPartsBodyBit) == 0) {
    MailState* mail = Find(replog::Index(move.body.value()));
    if (mail == nullptr || mail->place_ != move.from) return std::nullopt;
    mail->place_ = move.to;
    return mail->index();
  }
  const auto owner = parts_owner_.find(move.body);
  if (owner == parts_owner_.end()) return std::nullopt;
  std::vector<mffs::Location>& extents = in_parts_.at(owner->second).extents;
  if (move.part >= extents.size() || extents[move.part] != move.from) return std::nullopt;
  extents[move.part] = move.to;
  return owner->second;
}

SavedMail MailTable::Save(const MailState& mail) const {
  SavedMail saved{.index = mail.index(),
                  .queued_at = mail.queued_at(),
                  .cls = mail.cls,
                  .body = BodyOf(mail),
                  .envelope = mail.Envelope(*strings_),
                  .recipients = {}};
  for (const RecipientSlot& slot : mail.recipients()) {
    saved.recipients.push_back(
        {slot.state, slot.attempts, slot.next_attempt, strings_->Text(slot.answer), slot.told_of_delay});
  }
  return saved;
}

}  // namespace queue
