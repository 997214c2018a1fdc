// SubmissionLimit: how many mails an account may send in a time, so that a stolen password does not fill the world.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bounded_table.h"
#include "base/clock.h"

namespace smtp {

// Token buckets in memory: an account that has been quiet may send an hour's worth at once, and then as much as comes
// back with time. A restart fills them.
//
// Thread: the sessions' shard. Memory: about 150 bytes an account, of the accounts that sent last.
class SubmissionLimit {
 public:
  static constexpr std::size_t kAccountsMax = 100'000;

  // 0: no limit.
  struct Rates {
    std::uint64_t mails_per_hour = 0;
    std::uint64_t recipients_per_hour = 0;
  };
  enum class Verdict : std::uint8_t { kMaySend, kTooManyMails, kTooManyRecipients };

  // Takes one mail to so many recipients out of the account's buckets, or nothing when one of them holds too little.
  Verdict Take(std::string_view account, std::uint64_t recipients, const Rates& rates, base::SteadyTime now);

 private:
  struct Buckets {
    bool is_new = true;
    double mails = 0;
    double recipients = 0;
    base::SteadyTime filled{};
  };
  static void Fill(Buckets* buckets, const Rates& rates, base::SteadyTime now);

  base::BoundedTable<Buckets> buckets_{kAccountsMax};
};

}  // namespace smtp
