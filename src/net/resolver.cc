#include "net/resolver.h"

namespace net {

std::string_view ToString(DnsType type) {
  switch (type) {
    case DnsType::kA:
      return "A";
    case DnsType::kMx:
      return "MX";
    case DnsType::kAaaa:
      return "AAAA";
  }
  return "unknown type";
}

}  // namespace net
