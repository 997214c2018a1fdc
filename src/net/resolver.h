// Resolver: the seam to the DNS. The node's is UnboundResolver; tests script their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"

namespace net {

// RFC 1035 §3.2.2, RFC 3596: the numbers on the wire.
enum class DnsType : std::uint16_t { kA = 1, kMx = 15, kAaaa = 28 };

struct DnsAnswer {
  enum class Kind : std::uint8_t {
    kRecords,
    kNoRecords,  // The name exists and has none of this type (RFC 2308 "NODATA").
    kNoName,     // RFC 8020: neither it nor anything below it exists.
  };
  Kind kind = Kind::kNoRecords;
  bool is_secure = false;            // Validated by DNSSEC.
  std::vector<std::string> records;  // RDATA as on the wire, names uncompressed; bytes of a stranger.
  bool is_alias = false;             // The name is an alias (CNAME), and the rest is about what it stands for.
};

// "MX", for errors and the log.
std::string_view ToString(DnsType type);

// Thread: any shard; an answer comes back on the one that asked.
// Cancelling a task that waits is safe at any moment and ends it at once.
// Fault model: may be slow, never past its deadline; may be wrong for as long as nothing is signed.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // `name` in A-labels, with or without the last dot; what cannot be a name is kNoName. CNAMEs are followed. Errors all
  // pass, so ask again later: kTimeout (no answer within the deadline), kBusy (too many questions at once), kIo
  // (SERVFAIL, or a forged answer).
  virtual async::Task<base::Result<DnsAnswer>> LookUp(std::string name, DnsType type) = 0;
};

}  // namespace net
