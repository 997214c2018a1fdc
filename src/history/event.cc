#include "history/event.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "mail/ascii.h"

namespace history {
namespace {

enum class EventKind : std::uint8_t { kDelivered = 1, kQueued = 2, kOutcome = 3, kControl = 4 };

constexpr std::uint8_t kTold = 0x80;  // As in docs/format/queue.md.

std::int64_t Micros(base::WallTime time) {
  return time.time_since_epoch().count();
}

base::WallTime TimeOf(std::int64_t micros) {
  return base::WallTime(std::chrono::microseconds(micros));
}

base::Error Damaged() {
  return base::Error(base::Errc::kCorrupt, "an event of the history cannot be read");
}

void Encode(const Arrival& arrival, base::Encoder& out) {
  out.U8(static_cast<std::uint8_t>(arrival.cls));
  out.Varint(arrival.size_bytes);
  for (const std::string* text : {&arrival.mail_id, &arrival.sender, &arrival.client_ip, &arrival.helo,
                                  &arrival.auth_account, &arrival.protocol}) {
    out.Text(*text);
  }
  out.Varint(arrival.about.value());
  out.Varint(arrival.recipients.size());
  for (const Arrival::Recipient& recipient : arrival.recipients) {
    out.Text(recipient.address);
    out.Text(recipient.original);
  }
}

bool Read(base::Decoder& in, Arrival* arrival) {
  arrival->cls = static_cast<mail::Class>(in.U8());
  arrival->size_bytes = in.Varint();
  for (std::string* text : {&arrival->mail_id, &arrival->sender, &arrival->client_ip, &arrival->helo,
                            &arrival->auth_account, &arrival->protocol}) {
    *text = in.Text();
  }
  arrival->about = replog::Index(in.Varint());
  const std::uint64_t count = in.Varint();
  if (arrival->cls > mail::Class::kUnjudged || count > in.remaining() / 2) return false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Arrival::Recipient& recipient = arrival->recipients.emplace_back();
    recipient.address = in.Text();
    recipient.original = in.Text();
  }
  return in.AtEnd();
}

void Encode(const Outcome& outcome, base::Encoder& out) {
  out.Varint(outcome.mail.value());
  out.Varint(outcome.notice.value());
  out.Varint(outcome.recipients.size());
  for (const Outcome::Recipient& recipient : outcome.recipients) {
    out.Varint(recipient.recipient);
    out.U8(static_cast<std::uint8_t>(static_cast<unsigned>(recipient.state) | (recipient.told ? kTold : 0u)));
    out.I64(Micros(recipient.next_attempt));
    out.Text(recipient.relay);
    out.Text(recipient.cipher);
    out.Text(recipient.answer);
  }
}

bool Read(base::Decoder& in, Outcome* outcome) {
  constexpr std::size_t kRecipientBytesMin = 1 + 1 + 8 + 3;
  outcome->mail = replog::Index(in.Varint());
  outcome->notice = replog::Index(in.Varint());
  const std::uint64_t count = in.Varint();
  if (count > in.remaining() / kRecipientBytesMin) return false;
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    Outcome::Recipient& recipient = outcome->recipients.emplace_back();
    const std::uint64_t number = in.Varint();
    const std::uint8_t state = in.U8();
    recipient.recipient = static_cast<std::uint32_t>(number);
    recipient.state = static_cast<queue::RecipientState>(state & ~kTold);
    recipient.told = (state & kTold) != 0;
    recipient.next_attempt = TimeOf(in.I64());
    recipient.relay = in.Text();
    recipient.cipher = in.Text();
    recipient.answer = in.Text();
    if (number > UINT32_MAX || recipient.state > queue::RecipientState::kBounced) return false;
  }
  return in.AtEnd();
}

void Encode(const Control& control, base::Encoder& out) {
  out.Varint(control.mail.value());
  out.U8(static_cast<std::uint8_t>(control.operation));
  out.U8(static_cast<std::uint8_t>(control.cls));
}

bool Read(base::Decoder& in, Control* control) {
  control->mail = replog::Index(in.Varint());
  control->operation = static_cast<queue::Operation>(in.U8());
  control->cls = static_cast<mail::Class>(in.U8());
  const bool is_known =
      control->operation >= queue::Operation::kHold && control->operation <= queue::Operation::kRemove;
  return in.AtEnd() && is_known && control->cls <= mail::Class::kUnjudged;
}

EventKind KindOf(const Event& event) {
  if (const Arrival* const arrival = event.arrival(); arrival != nullptr) {
    return arrival->queued ? EventKind::kQueued : EventKind::kDelivered;
  }
  return std::holds_alternative<Outcome>(event.what) ? EventKind::kOutcome : EventKind::kControl;
}

}  // namespace

std::optional<queue::QueueId> Event::QueueIdOf() const {
  if (const Arrival* const came = arrival(); came != nullptr) {
    return came->queued ? std::optional(queue::QueueId{partition, index}) : std::nullopt;
  }
  const auto* const outcome = std::get_if<Outcome>(&what);
  return queue::QueueId{partition, outcome != nullptr ? outcome->mail : std::get<Control>(what).mail};
}

void Event::EncodeTo(std::string& out) const {
  base::Encoder e(out);
  e.U8(static_cast<std::uint8_t>(KindOf(*this)));
  e.U32(partition.value());
  e.Varint(index.value());
  e.I64(Micros(time));
  std::visit([&e](const auto& fields) { Encode(fields, e); }, what);
}

base::Result<Event> Event::Decode(std::string_view in) {
  base::Decoder d(in);
  const std::uint8_t kind = d.U8();
  Event event;
  event.partition = replog::PartitionId(d.U32());
  event.index = replog::Index(d.Varint());
  event.time = TimeOf(d.I64());
  if (!d.ok()) return Damaged();
  bool is_good = false;
  switch (static_cast<EventKind>(kind)) {
    case EventKind::kDelivered:
    case EventKind::kQueued: {
      auto& arrival = event.what.emplace<Arrival>();
      arrival.queued = static_cast<EventKind>(kind) == EventKind::kQueued;
      is_good = Read(d, &arrival);
      break;
    }
    case EventKind::kOutcome:
      is_good = Read(d, &event.what.emplace<Outcome>());
      break;
    case EventKind::kControl:
      is_good = Read(d, &event.what.emplace<Control>());
      break;
    default:
      return base::Error(base::Errc::kUnsupported, "an event of the history is of a kind that a newer Posthorn wrote");
  }
  if (!is_good) return Damaged();
  return event;
}

std::uint32_t HashOf(KeyKind kind, std::string_view text) {
  std::array<char, 320> lower;  // An address is at most 254 bytes; of more the rest does not count.
  const std::size_t size = std::min(text.size(), lower.size());
  for (std::size_t i = 0; i < size; ++i) lower[i] = mail::LowerAscii(text[i]);
  return base::Crc32c(base::AsBytes({lower.data(), size}), static_cast<std::uint32_t>(kind));
}

std::uint32_t HashOf(queue::QueueId id) {
  return static_cast<std::uint32_t>(id.index.value() << 2 | (id.partition.value() & 3));
}

std::string_view DomainOf(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::string_view WithoutType(std::string_view original) {
  const std::size_t semicolon = original.find(';');
  return semicolon == std::string_view::npos ? original : original.substr(semicolon + 1);
}

void AddHashes(const Event& event, std::vector<std::uint32_t>* hashes) {
  if (const auto id = event.QueueIdOf(); id.has_value()) hashes->push_back(HashOf(*id));
  const Arrival* const arrival = event.arrival();
  if (arrival == nullptr) return;
  hashes->push_back(HashOf(KeyKind::kMailId, arrival->mail_id));
  const std::size_t first = hashes->size();
  hashes->push_back(HashOf(KeyKind::kSender, arrival->sender));
  hashes->push_back(HashOf(KeyKind::kSenderDomain, DomainOf(arrival->sender)));
  for (const Arrival::Recipient& recipient : arrival->recipients) {
    for (const std::string_view address : {std::string_view(recipient.address), WithoutType(recipient.original)}) {
      if (address.empty()) continue;
      hashes->push_back(HashOf(KeyKind::kRecipient, address));
      hashes->push_back(HashOf(KeyKind::kRecipientDomain, DomainOf(address)));
    }
  }
  // A mail to a hundred people of one domain has that once.
  const auto begin = hashes->begin() + static_cast<std::ptrdiff_t>(first);
  std::sort(begin, hashes->end());
  hashes->erase(std::unique(begin, hashes->end()), hashes->end());
}

}  // namespace history
