// For tests of validation: signs the records of one zone as RFC 4034 has it, with a new Ed25519 key (RFC 8080).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/check.h"
#include "net/resolver_testing.h"

namespace net {

inline constexpr auto kDnsKey = static_cast<DnsType>(48);
inline constexpr auto kRrsig = static_cast<DnsType>(46);

// Thread: any one. Knows only positive answers: that a name is absent it cannot prove.
class DnsTestSigner {
 public:
  // Adds the zone's key to `table`.
  DnsTestSigner(std::string zone, DnsTable* table)
      : zone_(std::move(zone)), key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), &EVP_PKEY_free) {
    std::array<unsigned char, 32> raw{};
    std::size_t size = raw.size();
    CHECK(EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size) == 1);
    public_key_.assign(reinterpret_cast<const char*>(raw.data()), size);
    table->Add(zone_, kDnsKey, KeyRdata());
  }

  // The key as a trust anchor's file has it.
  std::string TrustAnchor() const { return zone_ + ". IN DNSKEY 257 3 15 " + base::EncodeBase64(public_key_) + "\n"; }
  bool Signs(const std::string& name) const {
    const std::string key = DnsTable::Key(name);
    return key == zone_ || key.ends_with("." + zone_);
  }
  // From here on the signatures are of other records.
  void Forge() { forges_ = true; }

  // The RDATA of the RRSIG of a set of records (RFC 4034 §3.1).
  std::string Sign(const std::string& name, DnsType type, std::uint32_t ttl, std::vector<std::string> rdatas) const {
    const std::string owner = WireName(DnsTable::Key(name));
    const auto labels = static_cast<char>(std::ranges::count(DnsTable::Key(name), '.') + 1);
    std::string rrsig = Number(static_cast<std::uint32_t>(type), 2) + std::string{15, labels} + Number(ttl, 4);
    rrsig += Number(0x7fffffff, 4) + Number(0, 4);  // From 1970 to 2038.
    rrsig += Number(KeyTag(), 2) + WireName(zone_);
    std::string signed_bytes = rrsig;
    std::ranges::sort(rdatas);  // char_traits compares as unsigned, as the canonical order does.
    for (const std::string& rdata : rdatas) {
      signed_bytes += owner + Number(static_cast<std::uint32_t>(type), 2) + Number(1, 2) + Number(ttl, 4);
      signed_bytes += Number(static_cast<std::uint32_t>(rdata.size()), 2) + rdata;
    }
    if (forges_) signed_bytes += "x";
    return rrsig + Signature(signed_bytes);
  }

 private:
  static std::string Number(std::uint32_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xffu));
    return out;
  }
  static std::string WireName(const std::string& name) {
    return EncodeMx({.preference = 0, .exchange = name}).substr(2);
  }
  std::string KeyRdata() const { return Number(257, 2) + std::string{3, 15} + public_key_; }
  // RFC 4034 appendix B.
  std::uint32_t KeyTag() const {
    std::uint32_t sum = 0;
    const std::string rdata = KeyRdata();
    for (std::size_t i = 0; i < rdata.size(); ++i) {
      const auto byte = static_cast<std::uint32_t>(static_cast<unsigned char>(rdata[i]));
      sum += i % 2 == 0 ? byte << 8 : byte;
    }
    return (sum + (sum >> 16)) & 0xffff;
  }
  std::string Signature(const std::string& bytes) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
    std::array<unsigned char, 64> signature{};
    std::size_t size = signature.size();
    CHECK(EVP_DigestSign(context.get(), signature.data(), &size, reinterpret_cast<const unsigned char*>(bytes.data()),
                         bytes.size()) == 1);
    return {reinterpret_cast<const char*>(signature.data()), size};
  }

  std::string zone_;
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::string public_key_;
  bool forges_ = false;
};

}  // namespace net
