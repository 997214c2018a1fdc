// DeliveryId: what makes a delivery into a mailbox idempotent. Both forms are in the log's format from the first
// version on.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace mail {

// Form kQueued names the queue entry and recipient it comes from; form kDirect is fixed at DATA, before anything is
// written: the digest of sender, recipient and received bytes when the mail has a Message-ID, else random.
struct DeliveryId {
  enum class Form : std::uint8_t { kQueued = 1, kDirect = 2 };

  Form form = Form::kDirect;
  std::array<std::uint8_t, 16>
      bytes{};  // kQueued: partition u32, recipient u32, index u64. kDirect: 128 bits of digest or random.

  static DeliveryId Queued(std::uint32_t partition, std::uint64_t index, std::uint32_t recipient) {
    DeliveryId id;
    id.form = Form::kQueued;
    base::StoreLe(id.bytes.data(), partition);
    base::StoreLe(id.bytes.data() + 4, recipient);
    base::StoreLe(id.bytes.data() + 8, index);
    return id;
  }

  void EncodeTo(base::Encoder& out) const {
    out.U8(static_cast<std::uint8_t>(form));
    for (const std::uint8_t byte : bytes) out.U8(byte);
  }
  // An unknown form decodes as it is; the caller checks decoder.ok().
  static DeliveryId DecodeFrom(base::Decoder& in) {
    DeliveryId id;
    id.form = static_cast<Form>(in.U8());
    for (std::uint8_t& byte : id.bytes) byte = in.U8();
    return id;
  }
  friend auto operator<=>(const DeliveryId&, const DeliveryId&) = default;
};

}  // namespace mail
