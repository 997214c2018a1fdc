// PackedEnvelope: the envelope of a queued mail in memory, in few bytes. Not a disk format: it changes freely.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "mail/envelope.h"

namespace queue {

// Both overwrite `out`, whose memory serves again.
// The fields that many mails share (client, HELO, account, protocol) as one text, to be kept once.
void PackOrigin(const mail::Envelope& envelope, std::string* out);
// Everything else but the class, which changes.
void PackEnvelope(const mail::Envelope& envelope, base::WallTime queued_at, std::string* out);

base::WallTime QueuedAtOf(const char* packed);

struct PackedText {
  std::string_view envelope;
  std::string_view origin;
};
// What was packed, without the class.
mail::Envelope UnpackEnvelope(const PackedText& packed, std::uint32_t recipient_count);

}  // namespace queue
