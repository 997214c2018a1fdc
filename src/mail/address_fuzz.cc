// Hostile addresses and stored envelopes: what parses must come back from its own text.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "mail/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const mail::AddressSyntax& syntax :
       {mail::AddressSyntax{}, mail::AddressSyntax{.utf8 = true, .bare_postmaster = true}}) {
    const auto address = mail::Address::Parse(text, syntax);
    if (!address) continue;
    // A U-label grows when it becomes an A-label, so the second reading needs room.
    mail::AddressSyntax wider = syntax;
    wider.mailbox_bytes_max = 2000;
    const auto again = mail::Address::Parse(address->ToString(), wider);
    CHECK(again.has_value());
    CHECK(*again == *address);
    CHECK(again->CanonicalKey() == address->CanonicalKey());
    address->WithoutDetail('+').ToString();
  }
  if (const auto envelope = mail::DecodeEnvelope(text)) {
    std::string bytes;
    mail::Encode(*envelope, bytes);
    const auto again = mail::DecodeEnvelope(bytes);
    CHECK(again.has_value());
    CHECK(*again == *envelope);
  }
  const std::string received = mail::MakeReceived({.helo = text, .client_ip = text, .by = "mx", .recipient = text});
  CHECK(received.find("\n\n") == std::string::npos);
  CHECK(received.find("\r\n\r\n") == std::string::npos);
  return 0;
}
