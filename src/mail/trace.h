// The trace fields that we put before a mail: Received (RFC 5321 §4.4), Return-Path, Delivered-To. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace mail {

// What a Received field tells; each field may be left out of a designated initialiser. Empty texts leave their clause
// out.
struct Trace {
  std::string_view helo{};         // As the client said it: made safe here.
  std::string_view client_name{};  // Its name by DNS, when it is confirmed.
  std::string_view client_ip{};    // "192.0.2.1" or "2001:db8::1"; empty: the mail did not come over the network.
  std::string_view by{};           // Our own name.
  std::string_view protocol{};     // "ESMTPS" and the like (RFC 3848).
  std::string_view id{};
  std::string_view recipient{};    // Only when there is exactly one (RFC 5321 §7.6: do not disclose the others).
  std::string_view tls_version{};  // "TLSv1.3".
  std::string_view tls_cipher{};   // "TLS_AES_256_GCM_SHA384" (RFC 8314 §7.4 clause "tls").
  base::WallTime time{};
};

// The whole field, folded at 78 columns where its words allow it, with its last CRLF. No byte of the arguments can
// end the field or a comment in it: what is not allowed where it stands becomes '?'.
std::string MakeReceived(const Trace& trace);

// What a delivery puts before the mail: "Return-Path: <sender>\r\nDelivered-To: recipient\r\n".
std::string DeliveryPrefix(std::string_view sender, std::string_view recipient);

}  // namespace mail
