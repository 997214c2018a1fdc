#include "store/quota.h"

#include <algorithm>

namespace store {

namespace {

// `part` of `whole` in hundredths, rounded up.
std::uint64_t PercentOf(std::uint64_t part, std::uint64_t whole) {
  // So that the product fits; what is lost is far below a hundredth.
  while (part > UINT64_MAX / 128) {
    part >>= 7;
    whole >>= 7;
  }
  if (whole == 0) return part == 0 ? 0 : UINT64_MAX;
  const std::uint64_t hundredfold = part * 100;
  return hundredfold / whole + (hundredfold % whole == 0 ? 0 : 1);
}

void WriteOne(const std::optional<std::uint64_t>& limit, base::Encoder& out) {
  out.Varint(limit.has_value() && *limit != UINT64_MAX ? *limit + 1 : 0);
}

std::optional<std::uint64_t> ReadOne(base::Decoder& in) {
  const std::uint64_t value = in.Varint();
  if (value == 0) return std::nullopt;
  return value - 1;
}

bool Fits(std::uint64_t has, std::uint64_t more, std::uint64_t limit) {
  return limit == 0 || (has <= limit && more <= limit - has);
}

}  // namespace

void OwnQuota::Write(base::Encoder& out) const {
  WriteOne(bytes, out);
  WriteOne(mails, out);
}

void OwnQuota::Read(base::Decoder& in) {
  bytes = ReadOne(in);
  mails = ReadOne(in);
}

QuotaLimits LimitsOf(const OwnQuota& own, const QuotaLimits& configured) {
  return {.bytes = own.bytes.value_or(configured.bytes), .mails = own.mails.value_or(configured.mails)};
}

bool HasRoom(const Usage& usage, const Usage& more, const QuotaLimits& limits) {
  return Fits(usage.bytes, more.bytes, limits.bytes) && Fits(usage.mails, more.mails, limits.mails);
}

std::uint64_t PercentOf(const Usage& usage, const QuotaLimits& limits) {
  const std::uint64_t of_bytes = limits.bytes == 0 ? 0 : PercentOf(usage.bytes, limits.bytes);
  const std::uint64_t of_mails = limits.mails == 0 ? 0 : PercentOf(usage.mails, limits.mails);
  return std::max(of_bytes, of_mails);
}

std::uint8_t ReachedOf(const WarnAt& warn_at, std::uint64_t percent) {
  std::uint8_t reached = 0;
  for (const std::uint8_t one : warn_at) {
    if (one != 0 && one <= percent) reached = one;
  }
  return reached;
}

}  // namespace store
