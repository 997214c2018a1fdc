#include "queue/packed_envelope.h"

#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"

namespace queue {
namespace {

constexpr std::uint8_t kSmtpUtf8 = 1;
constexpr int kBodyShift = 1;
constexpr int kReturnShift = 3;
constexpr std::uint8_t kIsNumber = 1 << 5;
constexpr std::uint8_t kHasEnvelopeId = 1 << 6;
constexpr std::uint8_t kHasOriginal = 1 << 4;  // Above the notify bits.
constexpr std::uint8_t kNotifyBits = kHasOriginal - 1;

// Ours are 16 hexadecimal digits.
std::optional<std::uint64_t> NumberOf(std::string_view id) {
  if (id.size() != 16 || id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number, 16);
  return number;
}

// Small differences, of either sign, in few bytes.
std::uint64_t ZigZag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t UnZigZag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
}

std::int64_t Micros(base::WallTime time) {
  return time.time_since_epoch().count();
}
base::WallTime TimeOf(std::int64_t micros) {
  return base::WallTime(std::chrono::microseconds(micros));
}

}  // namespace

void PackOrigin(const mail::Envelope& envelope, std::string* out) {
  out->clear();
  base::Encoder e(*out);
  for (const std::string* field : {&envelope.client_ip, &envelope.helo, &envelope.auth_account, &envelope.protocol}) {
    e.Text(*field);
  }
}

void PackEnvelope(const mail::Envelope& envelope, base::WallTime queued_at, std::string* out) {
  const std::optional<std::uint64_t> number = NumberOf(envelope.id);
  out->clear();
  base::Encoder e(*out);
  e.I64(Micros(queued_at));
  e.U8(static_cast<std::uint8_t>(
      (envelope.smtputf8 ? kSmtpUtf8 : 0) | static_cast<unsigned>(envelope.body) << kBodyShift |
      static_cast<unsigned>(envelope.dsn_return) << kReturnShift | (number.has_value() ? kIsNumber : 0U) |
      (envelope.envelope_id.empty() ? 0U : kHasEnvelopeId)));
  if (number.has_value()) {
    e.U64(*number);
  } else {
    e.Text(envelope.id);
  }
  // In unsigned numbers, where a difference of any two wraps round and back.
  e.Varint(ZigZag(static_cast<std::int64_t>(static_cast<std::uint64_t>(Micros(envelope.received)) -
                                            static_cast<std::uint64_t>(Micros(queued_at)))));
  e.Text(envelope.sender);
  if (!envelope.envelope_id.empty()) e.Text(envelope.envelope_id);
  for (const mail::Recipient& recipient : envelope.recipients) {
    e.U8(static_cast<std::uint8_t>(recipient.notify | (recipient.original.empty() ? 0U : kHasOriginal)));
    e.Text(recipient.address);
    if (!recipient.original.empty()) e.Text(recipient.original);
  }
}

base::WallTime QueuedAtOf(const char* packed) {
  return TimeOf(base::LoadLe<std::int64_t>(packed));
}

mail::Envelope UnpackEnvelope(const PackedText& packed, std::uint32_t recipient_count) {
  base::Decoder in(packed.envelope);
  mail::Envelope envelope;
  const std::int64_t queued_at = in.I64();
  const std::uint8_t flags = in.U8();
  envelope.smtputf8 = (flags & kSmtpUtf8) != 0;
  envelope.body = static_cast<mail::BodyType>(flags >> kBodyShift & 3);
  envelope.dsn_return = static_cast<mail::DsnReturn>(flags >> kReturnShift & 3);
  envelope.id = (flags & kIsNumber) != 0 ? fmt::format("{:016x}", in.U64()) : std::string(in.Text());
  envelope.received = TimeOf(static_cast<std::int64_t>(static_cast<std::uint64_t>(queued_at) +
                                                       static_cast<std::uint64_t>(UnZigZag(in.Varint()))));
  envelope.sender = in.Text();
  if ((flags & kHasEnvelopeId) != 0) envelope.envelope_id = in.Text();
  envelope.recipients.resize(recipient_count);
  for (mail::Recipient& recipient : envelope.recipients) {
    const std::uint8_t bits = in.U8();
    recipient.notify = bits & kNotifyBits;
    recipient.address = in.Text();
    if ((bits & kHasOriginal) != 0) recipient.original = in.Text();
  }
  CHECK(in.AtEnd());  // Packed here, so it unpacks.
  base::Decoder origin(packed.origin);
  for (std::string* field : {&envelope.client_ip, &envelope.helo, &envelope.auth_account, &envelope.protocol}) {
    *field = origin.Text();
  }
  return envelope;
}

}  // namespace queue
