// Envelope: what SMTP said about a mail beside the mail: from whom, to whom, from where, how urgent.
// Stored with each queued mail. Format: docs/format/envelope.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "mail/class.h"

namespace mail {

// RFC 6152, RFC 3030: what the body may contain. Stored as one byte: never renumber.
enum class BodyType : std::uint8_t { k7Bit = 0, k8BitMime = 1, kBinary = 2 };

// RFC 3461 §4.1: when the sender wants to hear of this recipient. Bits, stored as one byte: never renumber.
inline constexpr std::uint8_t kNotifyNever = 1;
inline constexpr std::uint8_t kNotifySuccess = 2;
inline constexpr std::uint8_t kNotifyFailure = 4;
inline constexpr std::uint8_t kNotifyDelay = 8;

// RFC 3461 §4.3: what a DSN returns of the mail. Stored as one byte: never renumber.
enum class DsnReturn : std::uint8_t { kUnspecified = 0, kFull = 1, kHeaders = 2 };

struct Recipient {
  std::string address{};
  std::uint8_t notify = 0;  // kNotify... bits; 0 = not asked: failure and delay.
  std::string original{};   // ORCPT as given ("rfc822;user@example.com"); empty when absent.

  friend bool operator==(const Recipient&, const Recipient&) = default;
};

struct Envelope {
  std::string id{};      // Ours, given at MAIL FROM: it stands in Received and in each log line about the mail.
  std::string sender{};  // Empty: the null reverse-path <>.
  std::vector<Recipient> recipients{};
  bool smtputf8 = false;
  BodyType body = BodyType::k7Bit;
  Class cls = Class::kNormal;
  DsnReturn dsn_return = DsnReturn::kUnspecified;
  std::string envelope_id{};  // ENVID as given.

  // Where it came from.
  std::string client_ip{};  // "192.0.2.1" or "2001:db8::1"; empty for mail of our own.
  std::string helo{};
  std::string auth_account{};  // Empty: not authenticated.
  std::string protocol{};      // "ESMTPSA" and the like (RFC 3848).
  base::WallTime received{};

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

// Appends the encoded envelope. It does not carry its own end: store it with its length.
void Encode(const Envelope& envelope, std::string& out);

// Reads one envelope that fills `in`. Errors: kUnsupported (a version of the future), kCorrupt.
base::Result<Envelope> DecodeEnvelope(std::string_view in);
// The same over an envelope that was used before, whose memory serves again; after an error it is of no use.
base::Result<> DecodeEnvelope(std::string_view in, Envelope* envelope);

}  // namespace mail
