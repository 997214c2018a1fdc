#include "net/dns_rdata.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/bytes.h"
#include "base/check.h"

namespace net {
namespace {

constexpr std::size_t kLabelBytesMax = 63;  // RFC 1035 §2.3.4.
constexpr std::size_t kNameBytesMax = 255;  // With the length of each label and the root's.

bool IsHostByte(char c);
std::optional<std::string> ReadHostName(base::Decoder* in);

}  // namespace

std::optional<MxRecord> ParseMx(std::string_view rdata) {
  base::Decoder in(rdata);
  MxRecord record;
  const std::uint8_t high = in.U8();  // The network's order; Decoder's numbers are little-endian.
  record.preference = static_cast<std::uint16_t>(high << 8U | in.U8());
  auto exchange = ReadHostName(&in);
  if (!exchange.has_value() || !in.AtEnd()) return std::nullopt;
  record.exchange = *std::move(exchange);
  return record;
}

std::optional<std::string> ParseIp(DnsType type, std::string_view rdata) {
  const int family = type == DnsType::kA ? AF_INET : AF_INET6;
  if (rdata.size() != (family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr))) return std::nullopt;
  constexpr std::array<char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff'};
  if (family == AF_INET6 && rdata.starts_with(std::string_view(kMapped.data(), kMapped.size()))) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> text{};
  CHECK(inet_ntop(family, rdata.data(), text.data(), text.size()) != nullptr);
  return std::string(text.data());
}

std::string EncodeMx(const MxRecord& record) {
  std::string out{static_cast<char>(record.preference >> 8U), static_cast<char>(record.preference & 0xffU)};
  std::string_view rest = record.exchange;
  while (!rest.empty()) {
    const std::string_view label = rest.substr(0, rest.find('.'));
    CHECK(!label.empty() && label.size() <= kLabelBytesMax);
    out.push_back(static_cast<char>(label.size()));
    out.append(label);
    rest.remove_prefix(std::min(rest.size(), label.size() + 1));
  }
  out.push_back('\0');
  return out;
}

std::string EncodeIp(std::string_view ip) {
  const bool is_v6 = ip.contains(':');
  std::string out(is_v6 ? sizeof(in6_addr) : sizeof(in_addr), '\0');
  CHECK(inet_pton(is_v6 ? AF_INET6 : AF_INET, std::string(ip).c_str(), out.data()) == 1);
  return out;
}

namespace {

bool IsHostByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// A name up to the root's empty label. A pointer (RFC 1035 §4.1.4) reads as a label too long: the resolver has
// resolved them all, and one that stands here could only point nowhere.
std::optional<std::string> ReadHostName(base::Decoder* in) {
  std::string name;
  for (;;) {
    const std::size_t size = in->U8();
    if (!in->ok() || size > kLabelBytesMax) return std::nullopt;
    if (size == 0) return name;
    if (!name.empty()) name.push_back('.');
    for (const char c : in->Raw(size)) {
      name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
      if (!IsHostByte(name.back())) return std::nullopt;
    }
    if (!in->ok() || name.size() + 2 > kNameBytesMax) return std::nullopt;
  }
}

}  // namespace
}  // namespace net
