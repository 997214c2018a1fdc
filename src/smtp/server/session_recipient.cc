// RCPT: where mail for an address goes, and that mail for others is refused (no open relay).
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "mail/ascii.h"
#include "smtp/proto/reply_parser.h"
#include "smtp/server/session.h"

namespace smtp {
namespace {

constexpr std::size_t kWordsMax = 300;  // Of another server, in a reply of ours.

// "rfc822;" and the address in xtext (RFC 3461 §4): an ORCPT for who sent none. Nothing where the address is not ASCII,
// which has another notation that not everybody reads (RFC 6533 §3).
std::string OriginalOf(std::string_view address) {
  if (!mail::IsAscii(address)) return {};
  std::string original = "rfc822;";
  for (const char c : address) {
    if (c > ' ' && c < 0x7f && c != '+' && c != '=') {
      original.push_back(c);
    } else {
      original += fmt::format("+{:02X}", static_cast<unsigned char>(c));
    }
  }
  return original;
}

// RFC 3461 §5.2.7: an alias of one keeps what the sender asked for. Of several, the members do not report success,
// which would tell the sender who they are; a sender who wanted nothing else hears nothing then.
std::uint8_t NotifyOf(const RcptTo& rcpt, const routing::Expansion& expansion) {
  if (expansion.destinations.size() == 1 || (rcpt.notify & mail::kNotifySuccess) == 0) return rcpt.notify;
  const auto rest = static_cast<std::uint8_t>(rcpt.notify & ~mail::kNotifySuccess);
  return rest == 0 ? mail::kNotifyNever : rest;
}

}  // namespace

Session::Next Session::Handle(RcptTo&& rcpt) {
  if (!transaction_ || body_) {
    Reply(503, "5.5.1 Say MAIL first");
    return Next::kNothing;
  }
  routing::Expansion expansion = services_->addresses->Resolve(rcpt.recipient);
  if (!MayTake(rcpt, expansion)) return Next::kNothing;
  const auto is_found = [this](const routing::Destination& destination) {
    if (destination.is_local()) return services_->store->FindCachedAccount(destination.account).has_value();
    return !MustBeChecked(destination);
  };
  if (std::ranges::all_of(expansion.destinations, is_found)) {
    AddRecipients(rcpt, expansion);
    return Next::kNothing;
  }
  pending_recipient_ = {std::move(rcpt), std::move(expansion), services_->addresses};
  return Next::kFindAccounts;
}

// Says no itself, for all that is known without the accounts.
bool Session::MayTake(const RcptTo& rcpt, const routing::Expansion& expansion) {
  if (transaction_->recipients().size() >= settings_->recipients_max) {
    Reply(452, "4.5.3 Too many recipients; send the mail to the others in another transaction");
  } else if (expansion.outcome == routing::Outcome::kNotOurs && !may_relay()) {
    RefuseRecipient(550, "5.7.1 This server does not take mail for that domain");
  } else if (!mail::IsAscii(rcpt.recipient.local) && !transaction_->from().smtputf8) {
    // UTF-8 in the local part needs SMTPUTF8 with MAIL (RFC 6531 §3.4).
    Reply(553, "5.6.7 Say MAIL FROM with SMTPUTF8 for this address");
  } else if (expansion.outcome == routing::Outcome::kUnknown) {
    RefuseRecipient(550, "5.1.1 No such user here");
  } else {
    return !RefusesTable(rcpt, expansion);
  }
  return false;
}

// Mail for others is sent on for those only who are known to us.
bool Session::may_relay() const {
  return !account_.empty() || services_->addresses->IsTrusted(connection_->peer().ip);
}

// What the operator has to mend, who finds it in the log.
bool Session::RefusesTable(const RcptTo& rcpt, const routing::Expansion& expansion) {
  using routing::Outcome;
  if (expansion.outcome != Outcome::kLoop && expansion.outcome != Outcome::kTableError) return false;
  base::LogWarning("alias_broken", {{"address", rcpt.recipient.ToString()},
                                    {"reason", expansion.reason},
                                    {"do", "mend the table; `posthorn config check` finds all such entries"}});
  if (expansion.outcome == Outcome::kLoop) {
    RefuseRecipient(550, "5.4.6 The address leads back to itself here");
  } else {
    // Ours to mend, and the mail waits for that.
    Reply(451, "4.3.5 The address is set up wrongly here, try again later");
  }
  return true;
}

void Session::RefuseRecipient(int code, std::string_view text) {
  if (services_->metrics.refused_permanent != nullptr) services_->metrics.refused_permanent->Add();
  Reply(code, text);
}

// Strangers only: one of ours hears of a refusal in a bounce, which is sent to nobody else, and can send at any time.
bool Session::MustBeChecked(const routing::Destination& destination) const {
  return services_->recipient_check != nullptr && !destination.is_local() && !may_relay() &&
         services_->addresses->IsRelayDomain(destination.address.domain);
}

// Asks for the pending RCPT's addresses of relay domains. Those that are refused are taken out of an alias. False: the
// reply is said.
async::Task<bool> Session::AskForRecipients(PendingRecipient* pending) {
  routing::Expansion& expansion = pending->expansion;
  std::vector<routing::Destination> wanted = std::exchange(expansion.destinations, {});
  for (routing::Destination& destination : wanted) {
    RecipientAnswer answer{.verdict = RecipientAnswer::Verdict::kTaken, .words = {}};
    const std::string address = destination.address.ToString();
    if (MustBeChecked(destination)) answer = co_await services_->recipient_check->Ask(address);
    const bool is_refused = answer.verdict == RecipientAnswer::Verdict::kRefused;
    if (is_refused && !expansion.is_alias) {
      RefuseRecipient(550, "5.1.1 The server of this address refuses it: " + ToOneLine(answer.words, kWordsMax));
      co_return false;
    }
    if (answer.verdict == RecipientAnswer::Verdict::kNotKnown && !settings_->takes_unchecked) {
      Reply(451, "4.4.1 The server of this address cannot be asked now, try again later");
      co_return false;
    }
    if (is_refused) {
      expansion.missing.push_back(address);
    } else {
      expansion.destinations.push_back(std::move(destination));
    }
  }
  co_return true;
}

// Looks up all accounts of the pending RCPT. What has none goes to its domain's catch-all; an alias reaches those of
// its targets that exist.
async::Task<void> Session::FindAccounts() {
  PendingRecipient pending = *std::exchange(pending_recipient_, std::nullopt);
  const bool goes_on = co_await AskForRecipients(&pending);
  if (!goes_on) co_return;
  routing::Expansion& expansion = pending.expansion;
  std::vector<routing::Destination> wanted = std::exchange(expansion.destinations, {});
  const std::size_t catchable = wanted.size();  // What a catch-all leads to is not caught again.
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    AccountState state = AccountState::kExists;
    if (wanted[i].is_local()) state = co_await LookUp(&wanted[i].account);
    if (state == AccountState::kNotKnown) {
      Reply(451, "4.3.0 The address could not be looked up, try again later");
      co_return;
    }
    if (state == AccountState::kExists) {
      expansion.destinations.push_back(std::move(wanted[i]));
      continue;
    }
    routing::Expansion caught{.outcome = routing::Outcome::kUnknown};
    if (i < catchable) caught = pending.book->ResolveUnknown(wanted[i].address);
    if (RefusesTable(pending.rcpt, caught)) co_return;
    if (caught.destinations.empty()) {
      expansion.missing.push_back(wanted[i].account);
    } else {
      expansion.is_alias = true;
      std::ranges::move(caught.destinations, std::back_inserter(wanted));
    }
  }
  AddRecipients(pending.rcpt, expansion);
}

// The account stays where it is until the answer is there.
async::Task<Session::AccountState> Session::LookUp(const std::string* account) {
  auto found = co_await services_->store->FindAccount(*account);
  if (!found && found.error().code() == base::Errc::kNotFound) {
    const std::string domain = account->substr(account->rfind('@') + 1);
    if (!settings_->auto_create_domains.contains(domain)) co_return AccountState::kMissing;
    found = co_await services_->store->CreateAccount(*account, {.password_hash = "!"});
    // Another session may have made it while we waited.
    if (!found && found.error().code() == base::Errc::kExists) co_return AccountState::kExists;
  }
  co_return found ? AccountState::kExists : AccountState::kNotKnown;
}

void Session::AddRecipients(const RcptTo& rcpt, const routing::Expansion& expansion) {
  if (expansion.is_alias && !expansion.missing.empty()) {
    base::LogWarning("alias_target_missing", {{"address", rcpt.recipient.ToString()},
                                              {"missing", fmt::format("{}", fmt::join(expansion.missing, ","))},
                                              {"do", "make the account, or take the target out of the table"}});
  }
  if (expansion.destinations.empty()) return RefuseRecipient(550, "5.1.1 No such user here");
  const auto is_new = [&](const routing::Destination& destination) {
    const bool may_double = expansion.is_alias || !destination.is_local();
    return !may_double || !transaction_->HasRecipient(destination.address.ToString());
  };
  const auto added = std::ranges::count_if(expansion.destinations, is_new);
  if (transaction_->recipients().size() + static_cast<std::size_t>(added) > settings_->recipients_max) {
    return Reply(452, "4.5.3 Too many recipients; send the mail to the others in another transaction");
  }
  for (const routing::Destination& destination : expansion.destinations) {
    if (!is_new(destination)) continue;
    Accepted accepted;
    accepted.recipient = {.address = destination.address.ToString(), .notify = rcpt.notify, .original = rcpt.original};
    if (destination.is_local()) {
      accepted.account = destination.account;
      accepted.partition = services_->store->PartitionOf(destination.account);
    }
    if (expansion.is_alias) {
      accepted.alias = rcpt.recipient.ToString();
      accepted.owner = expansion.owner;
      accepted.recipient.notify = NotifyOf(rcpt, expansion);
      if (rcpt.original.empty()) accepted.recipient.original = OriginalOf(accepted.alias);
    }
    transaction_->Add(std::move(accepted));
  }
  Reply(250, "2.1.5 Ok");
}

}  // namespace smtp
