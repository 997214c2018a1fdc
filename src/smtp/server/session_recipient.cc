// RCPT: whose mailbox an address is, and that mail for others is refused (no open relay).
#include <fmt/format.h>

#include "smtp/server/session.h"

namespace smtp {

Session::Next Session::Handle(RcptTo&& rcpt) {
  if (!transaction_ || body_) {
    Reply(503, "5.5.1 Say MAIL first");
    return Next::kNothing;
  }
  if (transaction_->recipients().size() >= settings_->recipients_max) {
    Reply(452, "4.5.3 Too many recipients; send the mail to the others in another transaction");
    return Next::kNothing;
  }
  auto resolved = Resolve(rcpt);
  if (!resolved) return Next::kNothing;
  if (services_->store->FindCachedAccount(resolved->account)) {
    AddRecipient(*std::move(resolved));
    return Next::kNothing;
  }
  pending_recipient_ = std::move(resolved);
  return Next::kFindAccount;
}

// Says no itself when the address is not ours.
std::optional<Accepted> Session::Resolve(const RcptTo& rcpt) {
  mail::Address address = rcpt.recipient;
  if (address.domain.empty() && !settings_->domains.empty()) address.domain = *settings_->domains.begin();
  if (!settings_->domains.contains(address.domain)) {
    if (services_->metrics.refused_permanent != nullptr) services_->metrics.refused_permanent->Add();
    Reply(550, "5.7.1 This server does not take mail for that domain");
    return std::nullopt;
  }
  // UTF-8 in the local part needs SMTPUTF8 with MAIL (RFC 6531 §3.4).
  const std::string text = address.ToString();
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80 && !transaction_->from().smtputf8) {
      Reply(553, "5.6.7 Say MAIL FROM with SMTPUTF8 for this address");
      return std::nullopt;
    }
  }
  Accepted accepted;
  accepted.recipient = {.address = text, .notify = rcpt.notify, .original = rcpt.original};
  accepted.account = address.WithoutDetail(settings_->recipient_delimiter).CanonicalKey();
  // RFC 5321 §4.5.1: postmaster is always there.
  if (address.IsPostmaster() && !settings_->postmaster.empty()) accepted.account = settings_->postmaster;
  accepted.partition = services_->store->PartitionOf(accepted.account);
  return accepted;
}

async::Task<void> Session::FindAccount() {
  Accepted accepted = *std::exchange(pending_recipient_, std::nullopt);
  auto found = co_await services_->store->FindAccount(accepted.account);
  if (!found && found.error().code() == base::Errc::kNotFound) {
    const std::string domain = accepted.account.substr(accepted.account.rfind('@') + 1);
    if (settings_->auto_create_domains.contains(domain)) {
      found = co_await services_->store->CreateAccount(accepted.account, "!");
      // Another session may have made it while we waited.
      if (!found && found.error().code() == base::Errc::kExists) found = store::Account{};
    }
  }
  if (found) {
    AddRecipient(std::move(accepted));
  } else if (found.error().code() == base::Errc::kNotFound) {
    if (services_->metrics.refused_permanent != nullptr) services_->metrics.refused_permanent->Add();
    Reply(550, "5.1.1 No such user here");
  } else {
    Reply(451, "4.3.0 The address could not be looked up, try again later");
  }
}

void Session::AddRecipient(Accepted accepted) {
  transaction_->Add(std::move(accepted));
  Reply(250, "2.1.5 Ok");
}

}  // namespace smtp
