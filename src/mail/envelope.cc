#include "mail/envelope.h"

#include "base/bytes.h"

namespace mail {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kFlagSmtpUtf8 = 1;
constexpr std::uint8_t kNotifyMax = kNotifyNever | kNotifySuccess | kNotifyFailure | kNotifyDelay;
constexpr std::size_t kRecipientBytesMin = 3;  // Two empty texts and the notify byte.

base::Error Corrupt(std::string_view what) {
  return base::Error(base::Errc::kCorrupt, "stored envelope: " + std::string(what));
}

}  // namespace

void Encode(const Envelope& envelope, std::string& out) {
  base::Encoder encoder(out);
  encoder.U8(kVersion);
  encoder.U8(envelope.smtputf8 ? kFlagSmtpUtf8 : 0);
  encoder.U8(static_cast<std::uint8_t>(envelope.body));
  encoder.U8(static_cast<std::uint8_t>(envelope.cls));
  encoder.U8(static_cast<std::uint8_t>(envelope.dsn_return));
  encoder.I64(envelope.received.time_since_epoch().count());
  encoder.Text(envelope.id);
  encoder.Text(envelope.sender);
  encoder.Text(envelope.envelope_id);
  encoder.Text(envelope.client_ip);
  encoder.Text(envelope.helo);
  encoder.Text(envelope.auth_account);
  encoder.Text(envelope.protocol);
  encoder.Varint(envelope.recipients.size());
  for (const Recipient& recipient : envelope.recipients) {
    encoder.Text(recipient.address);
    encoder.U8(recipient.notify);
    encoder.Text(recipient.original);
  }
}

base::Result<Envelope> DecodeEnvelope(std::string_view in) {
  Envelope envelope;
  RETURN_IF_ERROR(DecodeEnvelope(in, &envelope));
  return envelope;
}

base::Result<> DecodeEnvelope(std::string_view in, Envelope* envelope) {
  base::Decoder decoder(in);
  const std::uint8_t version = decoder.U8();
  if (!decoder.ok()) return Corrupt("it is empty");
  if (version != kVersion) {
    return base::Error(base::Errc::kUnsupported, "stored envelope: version " + std::to_string(version) +
                                                     " is not known; a newer Posthorn wrote it, so run that one");
  }
  const std::uint8_t flags = decoder.U8();
  const std::uint8_t body = decoder.U8();
  const std::uint8_t cls = decoder.U8();
  const std::uint8_t dsn_return = decoder.U8();
  if (flags > kFlagSmtpUtf8 || body > static_cast<std::uint8_t>(BodyType::kBinary) ||
      cls > static_cast<std::uint8_t>(Class::kUnjudged) ||
      dsn_return > static_cast<std::uint8_t>(DsnReturn::kHeaders)) {
    return Corrupt("a field has a value that does not exist");
  }
  envelope->smtputf8 = (flags & kFlagSmtpUtf8) != 0;
  envelope->body = static_cast<BodyType>(body);
  envelope->cls = static_cast<Class>(cls);
  envelope->dsn_return = static_cast<DsnReturn>(dsn_return);
  envelope->received = base::WallTime(base::WallTime::duration(decoder.I64()));
  envelope->id = decoder.Text();
  envelope->sender = decoder.Text();
  envelope->envelope_id = decoder.Text();
  envelope->client_ip = decoder.Text();
  envelope->helo = decoder.Text();
  envelope->auth_account = decoder.Text();
  envelope->protocol = decoder.Text();

  const std::uint64_t count = decoder.Varint();
  // Checked before the memory is taken, so that a rotten count cannot ask for more than the input can hold.
  if (count > decoder.remaining() / kRecipientBytesMin) return Corrupt("it ends early");
  envelope->recipients.resize(count);
  for (Recipient& recipient : envelope->recipients) {
    recipient.address = decoder.Text();
    recipient.notify = decoder.U8();
    recipient.original = decoder.Text();
    if (recipient.notify > kNotifyMax) return Corrupt("a field has a value that does not exist");
  }
  if (!decoder.ok()) return Corrupt("it ends early");
  if (!decoder.AtEnd()) return Corrupt("there are bytes after its end");
  return {};
}

}  // namespace mail
