// Fuzzes the reading of RDATA. What is read is printable, has the sizes that the DNS allows, and is written back as it
// was read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "net/dns_rdata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view rdata(reinterpret_cast<const char*>(data), size);
  if (const auto record = net::ParseMx(rdata)) {
    CHECK(record->exchange.size() <= 253);
    CHECK(std::ranges::all_of(record->exchange, [](char c) { return c > ' ' && c < '\x7f'; }));
    const std::string again = net::EncodeMx(*record);
    CHECK(again.size() == size);
    CHECK(net::ParseMx(again) == record);
  }
  for (const net::DnsType type : {net::DnsType::kA, net::DnsType::kAaaa}) {
    if (const auto ip = net::ParseIp(type, rdata)) CHECK(net::EncodeIp(*ip) == rdata);
  }
  return 0;
}
