// Networks: a list of IP networks in CIDR notation, and whether an address lies in one of them. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace routing {

// IPv4 addresses are looked at as IPv6's mapped ones (RFC 4291 §2.5.5.2), so both forms of one mean the same.
class Networks {
 public:
  // "192.0.2.0/24", "2001:db8::/32", "192.0.2.7". Errors: kInvalid (no network, bits beyond the prefix, or everybody).
  base::Result<> Add(std::string_view network);

  // False for what is no address.
  bool Contains(std::string_view ip) const;

  std::size_t size() const { return networks_.size(); }

 private:
  using Bytes = std::array<std::uint8_t, 16>;
  struct Network {
    Bytes bytes{};
    std::uint8_t prefix_bits = 0;
  };
  std::vector<Network> networks_;
};

}  // namespace routing
