#include "queue/entry.h"

#include <optional>

#include "base/bytes.h"

namespace queue {
namespace {

constexpr std::uint8_t kVersion = 1;
// Of outcomes and snapshot pieces that may say that a recipient bounced, or was told of.
constexpr std::uint8_t kVersionWithNotices = 2;
// Of outcomes that say when, with whom and how the attempt was made.
constexpr std::uint8_t kVersionWithRelay = 3;
constexpr std::uint8_t kTold = 0x80;  // Beside a recipient's state.

std::int64_t Micros(base::WallTime time) {
  return time.time_since_epoch().count();
}
base::WallTime TimeOf(std::int64_t micros) {
  return base::WallTime(std::chrono::microseconds(micros));
}

base::Error Damaged(std::string_view what) {
  return base::Error(base::Errc::kCorrupt, "stored queue " + std::string(what) + " cannot be read");
}

base::Result<std::uint8_t> ReadVersion(base::Decoder& in, std::string_view what, std::uint8_t newest = kVersion) {
  const std::uint8_t version = in.U8();
  if (!in.ok()) return Damaged(what);
  if (version >= kVersion && version <= newest) return version;
  return base::Error(base::Errc::kUnsupported, "stored queue " + std::string(what) + ": version " +
                                                   std::to_string(version) +
                                                   " is not known; a newer Posthorn wrote it, so run that one");
}

struct StoredState {
  RecipientState state = RecipientState::kWaiting;
  bool told = false;
};

std::uint8_t Encode(StoredState stored) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(stored.state) | (stored.told ? kTold : 0U));
}

std::optional<StoredState> DecodeState(std::uint8_t byte, std::uint8_t version) {
  const bool with_notices = version >= kVersionWithNotices;
  const StoredState stored{.state = static_cast<RecipientState>(with_notices ? byte & ~kTold : byte),
                           .told = with_notices && (byte & kTold) != 0};
  switch (stored.state) {
    case RecipientState::kWaiting:
    case RecipientState::kDelivered:
    case RecipientState::kHeld:
      return stored;
    case RecipientState::kBounced:
      if (with_notices) return stored;
      break;
    case RecipientState::kClaimed:  // Of the memory only.
      break;
  }
  return std::nullopt;
}

bool ReadRecipient(base::Decoder& in, std::uint8_t version, SavedMail::Recipient* recipient) {
  const std::optional<StoredState> stored = DecodeState(in.U8(), version);
  if (!stored.has_value()) return false;
  recipient->state = stored->state;
  recipient->told_of_delay = stored->told;
  recipient->attempts = static_cast<std::uint32_t>(in.Varint());
  recipient->next_attempt = TimeOf(in.I64());
  recipient->answer = in.Text();
  return in.ok();
}

}  // namespace

std::string EnqueueEntry::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  e.I64(Micros(queued_at));
  mail::Encode(envelope, out);
  return out;
}

base::Result<EnqueueEntry> EnqueueEntry::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(ReadVersion(d, "entry"));
  EnqueueEntry entry;
  entry.queued_at = TimeOf(d.I64());
  if (!d.ok()) return Damaged("entry");
  ASSIGN_OR_RETURN(entry.envelope, mail::DecodeEnvelope(d.Rest()));
  return entry;
}

std::string OutcomeEntry::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersionWithRelay);
  e.Varint(mail.value());
  e.I64(Micros(attempted_at));
  e.Varint(recipients.size());
  for (const Recipient& recipient : recipients) {
    e.Varint(recipient.recipient);
    e.U8(queue::Encode({recipient.state, recipient.told}));
    e.I64(Micros(recipient.next_attempt));
    e.Text(recipient.answer);
    e.Text(recipient.relay);
    e.Text(recipient.cipher);
  }
  return out;
}

base::Result<OutcomeEntry> OutcomeEntry::Decode(std::string_view in) {
  base::Decoder d(in);
  ASSIGN_OR_RETURN(const std::uint8_t version, ReadVersion(d, "outcome", kVersionWithRelay));
  OutcomeEntry entry;
  entry.mail = replog::Index(d.Varint());
  if (version >= kVersionWithRelay) entry.attempted_at = TimeOf(d.I64());
  const std::uint64_t count = d.Varint();
  for (std::uint64_t i = 0; i < count && d.ok(); ++i) {
    Recipient recipient;
    recipient.recipient = static_cast<std::uint32_t>(d.Varint());
    const std::optional<StoredState> stored = DecodeState(d.U8(), version);
    if (!stored.has_value()) return Damaged("outcome");
    recipient.state = stored->state;
    recipient.told = stored->told;
    recipient.next_attempt = TimeOf(d.I64());
    recipient.answer = d.Text();
    if (version >= kVersionWithRelay) {
      recipient.relay = d.Text();
      recipient.cipher = d.Text();
    }
    entry.recipients.push_back(std::move(recipient));
  }
  if (!d.AtEnd()) return Damaged("outcome");
  return entry;
}

std::string OutcomeWithNoticeEntry::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  e.Text(outcome.Encode());
  out += notice.Encode();
  return out;
}

base::Result<OutcomeWithNoticeEntry> OutcomeWithNoticeEntry::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(ReadVersion(d, "outcome with a notice"));
  const std::string_view outcome = d.Text();
  if (!d.ok()) return Damaged("outcome with a notice");
  OutcomeWithNoticeEntry entry;
  ASSIGN_OR_RETURN(entry.outcome, OutcomeEntry::Decode(outcome));
  ASSIGN_OR_RETURN(entry.notice, EnqueueEntry::Decode(d.Rest()));
  return entry;
}

bool BringsMail(std::uint8_t type) {
  return type == static_cast<std::uint8_t>(EntryType::kEnqueue) ||
         type == static_cast<std::uint8_t>(EntryType::kOutcomeWithNotice);
}

base::Result<EnqueueEntry> DecodeNewMail(std::uint8_t type, std::string_view meta) {
  if (type == static_cast<std::uint8_t>(EntryType::kEnqueue)) return EnqueueEntry::Decode(meta);
  if (!BringsMail(type)) return Damaged("mail");
  ASSIGN_OR_RETURN(OutcomeWithNoticeEntry both, OutcomeWithNoticeEntry::Decode(meta));
  return std::move(both.notice);
}

std::string ControlEntry::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  e.Varint(mail.value());
  e.U8(static_cast<std::uint8_t>(operation));
  e.U8(static_cast<std::uint8_t>(cls));
  e.I64(Micros(now));
  return out;
}

base::Result<ControlEntry> ControlEntry::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(ReadVersion(d, "control"));
  ControlEntry entry;
  entry.mail = replog::Index(d.Varint());
  entry.operation = static_cast<Operation>(d.U8());
  entry.cls = static_cast<mail::Class>(d.U8());
  entry.now = TimeOf(d.I64());
  const bool known = entry.operation >= Operation::kHold && entry.operation <= Operation::kRemove;
  if (!d.AtEnd() || !known || entry.cls > mail::Class::kUnjudged) return Damaged("control");
  return entry;
}

void SavedMail::EncodeTo(std::string& out) const {
  std::string encoded;
  mail::Encode(envelope, encoded);
  base::Encoder e(out);
  e.Varint(index.value());
  e.I64(Micros(queued_at));
  e.U8(static_cast<std::uint8_t>(cls));
  body.EncodeTo(e);
  e.Text(encoded);
  e.Varint(recipients.size());
  for (const Recipient& recipient : recipients) {
    e.U8(queue::Encode({recipient.state, recipient.told_of_delay}));
    e.Varint(recipient.attempts);
    e.I64(Micros(recipient.next_attempt));
    e.Text(recipient.answer);
  }
}

std::string BeginPiece() {
  return std::string(1, static_cast<char>(kVersionWithNotices));
}

base::Result<std::vector<SavedMail>> DecodePiece(std::string_view in) {
  PieceReader reader(in);
  std::vector<SavedMail> mails;
  for (;;) {
    ASSIGN_OR_RETURN(const SavedMail* mail, reader.Next());
    if (mail == nullptr) return mails;
    mails.push_back(*mail);
  }
}

base::Result<const SavedMail*> PieceReader::Next() {
  if (version_ == 0) {
    ASSIGN_OR_RETURN(version_, ReadVersion(in_, "snapshot", kVersionWithNotices));
  }
  if (in_.remaining() == 0) return nullptr;
  RETURN_IF_ERROR(ReadMail());
  if (mail_.index <= last_) return Damaged("snapshot");
  last_ = mail_.index;
  return &mail_;
}

base::Result<> PieceReader::ReadMail() {
  mail_.index = replog::Index(in_.Varint());
  mail_.queued_at = TimeOf(in_.I64());
  mail_.cls = static_cast<mail::Class>(in_.U8());
  mail_.body.ReadFrom(in_);
  const std::string_view envelope = in_.Text();
  if (!in_.ok() || mail_.cls > mail::Class::kUnjudged) return Damaged("snapshot");
  RETURN_IF_ERROR(mail::DecodeEnvelope(envelope, &mail_.envelope));
  if (in_.Varint() != mail_.envelope.recipients.size()) return Damaged("snapshot");
  mail_.recipients.resize(mail_.envelope.recipients.size());
  for (SavedMail::Recipient& recipient : mail_.recipients) {
    if (!ReadRecipient(in_, version_, &recipient)) return Damaged("snapshot");
  }
  return {};
}

}  // namespace queue
