#include "queue/entry.h"

#include "base/bytes.h"

namespace queue {
namespace {

constexpr std::uint8_t kVersion = 1;

std::int64_t Micros(base::WallTime time) {
  return time.time_since_epoch().count();
}
base::WallTime TimeOf(std::int64_t micros) {
  return base::WallTime(std::chrono::microseconds(micros));
}

base::Error Damaged(std::string_view what) {
  return base::Error(base::Errc::kCorrupt, "stored queue " + std::string(what) + " cannot be read");
}

base::Result<> CheckVersion(base::Decoder& in, std::string_view what) {
  const std::uint8_t version = in.U8();
  if (!in.ok()) return Damaged(what);
  if (version == kVersion) return {};
  return base::Error(base::Errc::kUnsupported, "stored queue " + std::string(what) + ": version " +
                                                   std::to_string(version) +
                                                   " is not known; a newer Posthorn wrote it, so run that one");
}

// Claimed is a state of the memory only.
bool IsStored(std::uint8_t state) {
  return state == 0 || state == 2 || state == 3;
}

void ReadRecipient(base::Decoder& in, SavedMail::Recipient* recipient) {
  const std::uint8_t state = in.U8();
  recipient->state = static_cast<RecipientState>(state);
  recipient->attempts = static_cast<std::uint32_t>(in.Varint());
  recipient->next_attempt = TimeOf(in.I64());
  recipient->answer = in.Text();
  if (!IsStored(state)) in.Raw(in.remaining() + 1);
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
  RETURN_IF_ERROR(CheckVersion(d, "entry"));
  EnqueueEntry entry;
  entry.queued_at = TimeOf(d.I64());
  if (!d.ok()) return Damaged("entry");
  ASSIGN_OR_RETURN(entry.envelope, mail::DecodeEnvelope(d.Rest()));
  return entry;
}

std::string OutcomeEntry::Encode() const {
  std::string out;
  base::Encoder e(out);
  e.U8(kVersion);
  e.Varint(mail.value());
  e.Varint(recipients.size());
  for (const Recipient& recipient : recipients) {
    e.Varint(recipient.recipient);
    e.U8(static_cast<std::uint8_t>(recipient.state));
    e.I64(Micros(recipient.next_attempt));
    e.Text(recipient.answer);
  }
  return out;
}

base::Result<OutcomeEntry> OutcomeEntry::Decode(std::string_view in) {
  base::Decoder d(in);
  RETURN_IF_ERROR(CheckVersion(d, "outcome"));
  OutcomeEntry entry;
  entry.mail = replog::Index(d.Varint());
  const std::uint64_t count = d.Varint();
  for (std::uint64_t i = 0; i < count && d.ok(); ++i) {
    Recipient recipient;
    recipient.recipient = static_cast<std::uint32_t>(d.Varint());
    const std::uint8_t state = d.U8();
    if (!IsStored(state)) return Damaged("outcome");
    recipient.state = static_cast<RecipientState>(state);
    recipient.next_attempt = TimeOf(d.I64());
    recipient.answer = d.Text();
    entry.recipients.push_back(std::move(recipient));
  }
  if (!d.AtEnd()) return Damaged("outcome");
  return entry;
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
  RETURN_IF_ERROR(CheckVersion(d, "control"));
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
    e.U8(static_cast<std::uint8_t>(recipient.state));
    e.Varint(recipient.attempts);
    e.I64(Micros(recipient.next_attempt));
    e.Text(recipient.answer);
  }
}

std::string BeginPiece() {
  return std::string(1, static_cast<char>(kVersion));
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
  if (!is_begun_) RETURN_IF_ERROR(CheckVersion(in_, "snapshot"));
  is_begun_ = true;
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
  for (SavedMail::Recipient& recipient : mail_.recipients) ReadRecipient(in_, &recipient);
  if (!in_.ok()) return Damaged("snapshot");
  return {};
}

}  // namespace queue
