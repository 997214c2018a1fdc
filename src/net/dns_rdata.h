// RDATA as values: pure functions of bytes that a stranger's name server chose.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/resolver.h"

namespace net {

// RFC 1035 §3.3.9.
struct MxRecord {
  std::uint16_t preference = 0;
  std::string exchange;  // Lower case, without the last dot. Empty: the root, which RFC 7505 calls a null MX.
  friend bool operator==(const MxRecord&, const MxRecord&) = default;
};

// Nothing unless the record is whole and its exchange is a host name: letters, digits, hyphens and, since they are
// seen, underscores. So no byte of the record can end a log line or stand for a dot that is none.
std::optional<MxRecord> ParseMx(std::string_view rdata);

// The address of an A or AAAA record as inet_ntop writes it. Nothing when the record has another size, or is an IPv4
// address in IPv6 clothes (::ffff:0:0/96), which no packet carries (RFC 4291 §2.5.5.2) and which would pass by every
// check of IPv4 addresses.
std::optional<std::string> ParseIp(DnsType type, std::string_view rdata);

// For tests and scripted answers: the RDATA of what the two above read. `ip` is an address, `exchange` a name.
std::string EncodeMx(const MxRecord& record);
std::string EncodeIp(std::string_view ip);

}  // namespace net
