#include "smtp/server/submission_limit.h"

#include <algorithm>
#include <chrono>

namespace smtp {
namespace {

// What a bucket holds after `hours` more; an hour's worth at most.
double Filled(double tokens, std::uint64_t per_hour, double hours) {
  const auto rate = static_cast<double>(per_hour);
  return std::min(rate, tokens + rate * hours);
}

}  // namespace

SubmissionLimit::Verdict SubmissionLimit::Take(std::string_view account, std::uint64_t recipients, const Rates& rates,
                                               base::SteadyTime now) {
  Buckets& buckets = buckets_.Touch(account);
  Fill(&buckets, rates, now);
  // Sums of parts of a token come to a hair less than the whole.
  constexpr double kHair = 1e-6;
  if (rates.mails_per_hour != 0 && buckets.mails + kHair < 1) return Verdict::kTooManyMails;
  if (rates.recipients_per_hour != 0 && buckets.recipients + kHair < static_cast<double>(recipients)) {
    return Verdict::kTooManyRecipients;
  }
  if (rates.mails_per_hour != 0) buckets.mails -= 1;
  if (rates.recipients_per_hour != 0) buckets.recipients -= static_cast<double>(recipients);
  return Verdict::kMaySend;
}

void SubmissionLimit::Fill(Buckets* buckets, const Rates& rates, base::SteadyTime now) {
  const double hours =
      buckets->is_new ? 1 : std::chrono::duration<double, std::ratio<3600>>(now - buckets->filled).count();
  buckets->mails = Filled(buckets->mails, rates.mails_per_hour, hours);
  buckets->recipients = Filled(buckets->recipients, rates.recipients_per_hour, hours);
  buckets->filled = now;
  buckets->is_new = false;
}

}  // namespace smtp
