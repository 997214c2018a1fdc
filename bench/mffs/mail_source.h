// MailSource: the sizes and bytes of the mails that a writer stores.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace bench {

// One step of a size distribution: `share` of all mails have a size in [least_bytes, most_bytes].
struct SizeStep {
  double share = 0;
  std::uint32_t least_bytes = 0;
  std::uint32_t most_bytes = 0;
};

// A distribution of sizes: fixed, or one of the two published mixes (shared/data/mail-workload.md).
class MailSizes {
 public:
  // A number of bytes, "specmail" (SPECmail2001) or "power2" (the power-of-two distribution of 2009, uniform within an
  // octave). Errors: kInvalid.
  static base::Result<MailSizes> Parse(const std::string& name);

  std::uint32_t Next(base::Random* random) const;
  std::uint32_t most_bytes() const;

 private:
  explicit MailSizes(std::vector<SizeStep> steps) : steps_(std::move(steps)) {}
  std::vector<SizeStep> steps_;
};

// One writer's mails: random bytes, which nothing compresses. They all begin where the writer's buffer begins, as a
// session reads each mail into its own buffer: memory that it has just used, for any engine.
//
// Thread: one; copies are independent. Borrows the bytes, which outlive it.
class MailSource {
 public:
  // Bytes enough for the buffers of many writers and any mail of `sizes`; the buffers lie close together, so large
  // mails of neighbours share bytes.
  static std::string MakeBytes(const MailSizes& sizes);

  // `writer`: its number, from which its sizes follow.
  MailSource(const MailSizes& sizes, std::string_view bytes, std::uint64_t writer);
  std::string_view Next();

 private:
  MailSizes sizes_;
  std::string_view buffer_;
  base::Random random_;
};

}  // namespace bench
