// Quotas: what an account may store. docs/decisions/0025-quota.md. Values and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace store {

// What an account stores, or is about to.
struct Usage {
  std::uint64_t bytes = 0;  // RFC822.SIZE of each message; a copy counts again.
  std::uint64_t mails = 0;

  Usage& operator+=(const Usage& more) {
    bytes += more.bytes;
    mails += more.mails;
    return *this;
  }
  // What is not there is not taken away: an index that was salvaged may count short.
  Usage& operator-=(const Usage& less) {
    bytes -= less.bytes < bytes ? less.bytes : bytes;
    mails -= less.mails < mails ? less.mails : mails;
    return *this;
  }
  friend Usage operator+(Usage a, const Usage& b) { return a += b; }
  friend bool operator==(const Usage&, const Usage&) = default;
};

// 0: no limit.
struct QuotaLimits {
  std::uint64_t bytes = 0;
  std::uint64_t mails = 0;

  bool has_any() const { return bytes != 0 || mails != 0; }
  friend bool operator==(const QuotaLimits&, const QuotaLimits&) = default;
};

// What of an account's limits is its own; the rest is as configured.
struct OwnQuota {
  std::optional<std::uint64_t> bytes{};  // 0: no limit, whatever is configured.
  std::optional<std::uint64_t> mails{};

  // Each as varint: 0 is as configured, else the limit and 1.
  void Write(base::Encoder& out) const;
  void Read(base::Decoder& in);
  friend bool operator==(const OwnQuota&, const OwnQuota&) = default;
};

inline constexpr std::size_t kWarnAtMax = 10;
// Percentages, ascending; 0 behind the last.
using WarnAt = std::array<std::uint8_t, kWarnAtMax>;

// What becomes of mail for a mailbox without room: it waits at its sender's, or in our queue, or goes back at once.
enum class WhenFull : std::uint8_t { kTempfail, kReject };

// What is configured for all accounts.
struct QuotaRule {
  QuotaLimits limits;
  WarnAt warn_at{};
  friend bool operator==(const QuotaRule&, const QuotaRule&) = default;
};

QuotaLimits LimitsOf(const OwnQuota& own, const QuotaLimits& configured);

// Whether usage and more stay within the limits. There is no grace: a mail that does not fit is not taken.
bool HasRoom(const Usage& usage, const Usage& more, const QuotaLimits& limits);

// Of the limit that is nearer, rounded up: from the last hundredth on a mailbox counts as full. 0 without limits.
std::uint64_t PercentOf(const Usage& usage, const QuotaLimits& limits);

// The greatest of the percentages that is reached; 0: none.
std::uint8_t ReachedOf(const WarnAt& warn_at, std::uint64_t percent);

}  // namespace store
