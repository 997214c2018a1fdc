#include "queue/mail_table.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace queue {
namespace {

constexpr std::size_t kRestFixedBytes = 8 + 4;
constexpr std::size_t kCompactAbove = 64;

bool IsInParts(const replog::BodyRef& body) {
  return (body.id.value() & replog::kPartsBodyBit) != 0;
}

// The fields that many mails share, as one text, taken out of `envelope`.
std::string TakeOrigin(mail::Envelope* envelope) {
  std::string out;
  base::Encoder e(out);
  for (std::string* field : {&envelope->client_ip, &envelope->helo, &envelope->auth_account, &envelope->protocol}) {
    e.Text(*field);
    field->clear();
  }
  return out;
}

void PutOrigin(std::string_view origin, mail::Envelope* envelope) {
  base::Decoder in(origin);
  for (std::string* field : {&envelope->client_ip, &envelope->helo, &envelope->auth_account, &envelope->protocol}) {
    *field = in.Text();
  }
}

}  // namespace

MailState::MailState(const SavedMail& saved, SharedStrings* strings)
    : cls(saved.cls),
      index_(saved.index.value()),
      size_bytes_(static_cast<std::uint32_t>(saved.body.size_bytes)),
      recipient_count_(static_cast<std::uint32_t>(saved.recipients.size())) {
  mail::Envelope envelope = saved.envelope;
  origin_ = strings->Add(TakeOrigin(&envelope));
  std::string encoded;
  mail::Encode(envelope, encoded);
  const std::size_t slots = recipient_count_ * sizeof(RecipientSlot);
  block_ = std::make_unique_for_overwrite<char[]>(slots + kRestFixedBytes + encoded.size());
  for (std::uint32_t i = 0; i < recipient_count_; ++i) {
    const SavedMail::Recipient& from = saved.recipients[i];
    RecipientSlot slot;
    slot.next_attempt = from.next_attempt;
    slot.answer = strings->Add(from.answer);
    slot.attempts = from.attempts & 0x1fffffff;
    slot.state = from.state;
    std::memcpy(block_.get() + i * sizeof(RecipientSlot), &slot, sizeof slot);
  }
  char* at = block_.get() + slots;
  base::StoreLe(at, saved.queued_at.time_since_epoch().count());
  base::StoreLe(at + 8, static_cast<std::uint32_t>(encoded.size()));
  std::ranges::copy(encoded, at + kRestFixedBytes);
}

base::WallTime MailState::queued_at() const {
  return base::WallTime(std::chrono::microseconds(base::LoadLe<std::int64_t>(rest())));
}

mail::Envelope MailState::Envelope(const SharedStrings& strings) const {
  const auto size = base::LoadLe<std::uint32_t>(rest() + 8);
  base::Result<mail::Envelope> envelope = mail::DecodeEnvelope({rest() + kRestFixedBytes, size});
  CHECK(envelope.has_value());  // Encoded by the constructor.
  PutOrigin(strings.Text(origin_), &*envelope);
  envelope->cls = cls;
  return *std::move(envelope);
}

void MailState::Clear(SharedStrings* strings) {
  for (const RecipientSlot& slot : recipients()) strings->Drop(slot.answer);
  strings->Drop(origin_);
  block_.reset();
}

MailTable::~MailTable() {
  for (MailState& mail : mails_) {
    if (!mail.is_gone()) mail.Clear(strings_);
  }
}

MailState* MailTable::Add(const SavedMail& mail) {
  CHECK(mails_.empty() || mails_.back().index() < mail.index);
  MailState& added = mails_.emplace_back(mail, strings_);
  size_ += 1;
  if (IsInParts(mail.body)) {
    in_parts_[mail.index] = mail.body;
    parts_owner_[mail.body.id] = mail.index;
  } else if (!mail.body.empty()) {
    added.place_ = mail.body.extents.front();
  }
  return &added;
}

MailState* MailTable::Find(replog::Index index) {
  const auto found = std::ranges::lower_bound(mails_, index, {}, &MailState::index);
  if (found == mails_.end() || found->index() != index || found->is_gone()) return nullptr;
  return &*found;
}

const MailState* MailTable::Next(replog::Index after) const {
  auto found = std::ranges::upper_bound(mails_, after, {}, &MailState::index);
  while (found != mails_.end() && found->is_gone()) ++found;
  return found == mails_.end() ? nullptr : &*found;
}

void MailTable::Erase(MailState* mail) {
  const auto body = in_parts_.find(mail->index());
  if (body != in_parts_.end()) {
    parts_owner_.erase(body->second.id);
    in_parts_.erase(body);
  }
  mail->Clear(strings_);
  size_ -= 1;
  Compact();
}

void MailTable::Compact() {
  while (!mails_.empty() && mails_.front().is_gone()) mails_.pop_front();
  if (mails_.size() < kCompactAbove || size_ * 2 > mails_.size()) return;
  std::erase_if(mails_, [](const MailState& mail) { return mail.is_gone(); });
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

void MailTable::Move(const replog::StateMachine::BodyMove& move) {
  if ((move.body.value() & replog::kPartsBodyBit) == 0) {
    MailState* mail = Find(replog::Index(move.body.value()));
    if (mail != nullptr && mail->place_ == move.from) mail->place_ = move.to;
    return;
  }
  const auto owner = parts_owner_.find(move.body);
  if (owner == parts_owner_.end()) return;
  std::vector<mffs::Location>& extents = in_parts_.at(owner->second).extents;
  if (move.part < extents.size() && extents[move.part] == move.from) extents[move.part] = move.to;
}

SavedMail MailTable::Save(const MailState& mail) const {
  SavedMail saved{.index = mail.index(),
                  .queued_at = mail.queued_at(),
                  .cls = mail.cls,
                  .body = BodyOf(mail),
                  .envelope = mail.Envelope(*strings_),
                  .recipients = {}};
  for (const RecipientSlot& slot : mail.recipients()) {
    saved.recipients.push_back({slot.state, slot.attempts, slot.next_attempt, strings_->Text(slot.answer)});
  }
  return saved;
}

}  // namespace queue
