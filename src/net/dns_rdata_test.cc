#include "net/dns_rdata.h"

#include <string>

#include <gtest/gtest.h>

namespace net {
namespace {

using namespace std::string_literals;

std::string Label(std::size_t size) {
  return static_cast<char>(size) + std::string(size, 'a');
}

TEST(ParseMx, ReadsHostNamesAndNothingElse) {
  const struct {
    const char* label;
    std::string rdata;
    std::optional<MxRecord> expected;
  } rows[] = {
      {"a host", "\0\x0a\4mail\7example\3com\0"s, MxRecord{10, "mail.example.com"}},
      {"the highest preference", "\xff\xff\1a\0"s, MxRecord{65535, "a"}},
      {"upper case", "\0\0\4MAIL\7Example\0"s, MxRecord{0, "mail.example"}},
      {"the root: a null MX", "\0\0\0"s, MxRecord{0, ""}},
      {"an underscore and a hyphen", "\0\1\3a_b\3c-d\0"s, MxRecord{1, "a_b.c-d"}},
      {"an address in digits is a name too", "\0\1\3"s + "192\1" + "0\1" + "2\1" + "1\0"s, MxRecord{1, "192.0.2.1"}},
      {"nothing", "", std::nullopt},
      {"half a preference", "\0"s, std::nullopt},
      {"a preference alone", "\0\x0a"s, std::nullopt},
      {"a label cut short", "\0\x0a\4mai"s, std::nullopt},
      {"no end of the name", "\0\x0a\4mail"s, std::nullopt},
      {"bytes after the name", "\0\x0a\4mail\0x"s, std::nullopt},
      {"a pointer", "\0\x0a\xc0\x0c"s, std::nullopt},
      {"a label of 64", "\0\x0a\x40"s + std::string(64, 'a') + "\0"s, std::nullopt},
      {"a dot inside a label", "\0\x0a\3a.b\0"s, std::nullopt},
      {"a line end inside a label", "\0\x0a\3a\nb\0"s, std::nullopt},
      {"a zero inside a label", "\0\x0a\3a\0b\0"s, std::nullopt},
      {"8-bit bytes", "\0\x0a\2\xc3\xa4\0"s, std::nullopt},
      {"a space", "\0\x0a\3a b\0"s, std::nullopt},
      {"a name of 253 bytes", "\0\1"s + Label(63) + Label(63) + Label(63) + Label(61) + "\0"s,
       MxRecord{1, std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') + "." +
                       std::string(61, 'a')}},
      {"a name of 254 bytes", "\0\1"s + Label(63) + Label(63) + Label(63) + Label(62) + "\0"s, std::nullopt},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.label);
    EXPECT_EQ(ParseMx(row.rdata), row.expected);
    if (row.expected.has_value()) EXPECT_EQ(ParseMx(EncodeMx(*row.expected)), row.expected);
  }
}

TEST(ParseIp, ReadsAddressesOfTheRightSize) {
  const struct {
    const char* label;
    DnsType type;
    std::string rdata;
    std::optional<std::string> expected;
  } rows[] = {
      {"IPv4", DnsType::kA, "\xc0\0\2\1"s, "192.0.2.1"},
      {"three bytes", DnsType::kA, "\xc0\0\2"s, std::nullopt},
      {"five bytes", DnsType::kA, "\xc0\0\2\1\1"s, std::nullopt},
      {"IPv6 bytes in an A record", DnsType::kA, EncodeIp("2001:db8::1"), std::nullopt},
      {"IPv6", DnsType::kAaaa, EncodeIp("2001:db8::1"), "2001:db8::1"},
      {"IPv4 bytes in an AAAA record", DnsType::kAaaa, EncodeIp("192.0.2.1"), std::nullopt},
      {"IPv4 in IPv6 clothes", DnsType::kAaaa, EncodeIp("::ffff:127.0.0.1"), std::nullopt},
      {"nothing", DnsType::kAaaa, "", std::nullopt},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.label);
    EXPECT_EQ(ParseIp(row.type, row.rdata), row.expected);
  }
}

}  // namespace
}  // namespace net
