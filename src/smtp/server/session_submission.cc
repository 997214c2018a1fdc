// What the mail of our users is held to, and what it is given (RFC 6409), wherever they log in.

#include <fmt/format.h>

#include "base/log.h"
#include "mail/date.h"
#include "smtp/server/session.h"

namespace smtp {

// Of the null sender, which receipts need (RFC 8098 §3): everybody may. It says of nobody that they wrote the mail.
bool Session::MaySendAs(const MailFrom& from) const {
  if (account_.empty() || !settings_->check_sender || from.null_path) return true;
  return services_->addresses->MaySendAs(account_, from.sender);
}

// Counts the mail, once its recipients are known. What the client is told when it has sent enough.
std::optional<Refusal> Session::TakeFromAllowance() {
  using Verdict = SubmissionLimit::Verdict;
  if (account_.empty() || services_->submission_limit == nullptr) return std::nullopt;
  const SubmissionLimit::Rates& rates = settings_->submission_rates;
  const std::size_t recipients = transaction_->recipients().size();
  const Verdict verdict = services_->submission_limit->Take(account_, recipients, rates, services_->clock->SteadyNow());
  if (verdict == Verdict::kMaySend) return std::nullopt;
  base::LogWarning("submission_limited", {{"account", account_},
                                          {"client", connection_->peer().ip},
                                          {"recipients", recipients},
                                          {"limit", verdict == Verdict::kTooManyMails ? "mails" : "recipients"}});
  if (verdict == Verdict::kTooManyMails) {
    return Refusal{450,
                   fmt::format("4.7.1 {} may send {} mails an hour, try again later", account_, rates.mails_per_hour)};
  }
  return Refusal{450, fmt::format("4.7.1 {} may send to {} recipients an hour, try again later", account_,
                                  rates.recipients_per_hour)};
}

// RFC 6409 §8.2, §8.3. Nothing: the mail is not one of our users', and stays as it is (RFC 5321 §6.4).
std::optional<MissingFields> Session::FieldsForSubmission() const {
  if (account_.empty()) return std::nullopt;
  const base::WallTime now = services_->clock->WallNow();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return MissingFields{.date = mail::FormatDate(now),
                       .message_id = fmt::format("<{:x}.{}@{}>", seconds, transaction_->id(), settings_->hostname)};
}

void Session::CheckAuthors() {
  const SubmissionHeader* const header = body_->submission();
  if (header == nullptr || !settings_->check_from) return;
  if (!header->names_authors()) {
    return body_->Refuse({550, "5.7.1 The mail needs a From field that names its author's address"});
  }
  for (const mail::Address& author : header->authors()) {
    if (services_->addresses->MaySendAs(account_, author)) continue;
    return body_->Refuse({550, fmt::format("5.7.1 {} may not send mail with this From field", account_)});
  }
}

}  // namespace smtp
