// MailStore's calls about quotas, and the warnings that it delivers.
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "mail/quota_warning.h"
#include "mail/trace.h"
#include "store/engine.h"
#include "store/mail_store.h"

namespace store {

async::Task<base::Result<>> MailStore::Engine::Warn(AccountId account) {
  const auto due = co_await Read([account](const ReadView& view) { return QueryWarning(view, account); });
  // The account is gone, or a warning that was due earlier has been overtaken by one that is told already.
  if (!due.has_value() && due.error().code() == base::Errc::kNotFound) co_return base::Result<>();
  if (!due.has_value()) co_return base::Error(due.error());
  const QuotaLimits limits = LimitsOf(due->quota.own, ledger_.rule().limits);
  const base::WallTime now = clock_->WallNow();
  // No room is asked for as for new mail: it tells how to make some.
  replog::BodyWriter writer(log_, mffs::Stream::kMailbox, mffs::Need::kAccepted);
  CO_RETURN_IF_ERROR(co_await writer.Write(mail::ComposeQuotaWarning({.address = due->address,
                                                                      .id = base::RandomHex(8),
                                                                      .now = now,
                                                                      .percent = due->percent,
                                                                      .bytes_used = due->quota.usage.bytes,
                                                                      .bytes_max = limits.bytes,
                                                                      .mails_used = due->quota.usage.mails,
                                                                      .mails_max = limits.mails})));
  const std::string prefix = mail::DeliveryPrefix("", due->address);
  const QuotaWarningEntry entry{.account = static_cast<std::uint32_t>(account.value()),
                                .percent = due->percent,
                                .date_us = now.time_since_epoch().count(),
                                .prefix = prefix};
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(EntryType::kQuotaWarning);
  draft.need = mffs::Need::kAccepted;
  draft.meta = EncodeEntry(entry);
  ASSIGN_OR_CO_RETURN(draft.body, co_await writer.Finish());
  CO_RETURN_IF_ERROR(co_await ProposeDraft(store::PartitionOf(account), std::move(draft)));
  base::LogInfo("quota_warning", {{"account", due->address},
                                  {"percent", due->percent},
                                  {"bytes", due->quota.usage.bytes},
                                  {"bytes_max", limits.bytes},
                                  {"mails", due->quota.usage.mails},
                                  {"mails_max", limits.mails}});
  co_return base::Result<>();
}

void MailStore::SetQuotaRule(const QuotaRule& rule) {
  engine_->ledger().SetRule(rule);
}

const QuotaRule& MailStore::quota_rule() const {
  return engine_->ledger().rule();
}

std::uint64_t MailStore::full_accounts() const {
  return engine_->ledger().full_accounts();
}

async::Task<base::Result<>> MailStore::SetQuota(std::string address, OwnQuota own) {
  CO_RETURN_IF_ERROR(co_await engine_->Propose(PartitionOf(address), EntryType::kSetQuota,
                                               SetQuotaEntry{.address = address, .own = own}));
  co_return base::Result<>();
}

bool MailStore::HasRoom(std::string_view address, std::uint64_t bytes) const {
  const auto account = engine_->accounts().Find(address);
  return !account.has_value() || engine_->ledger().HasRoom(*account, {.bytes = bytes, .mails = 1});
}

bool MailStore::SurelyHasRoom(std::string_view address, std::uint64_t bytes) const {
  const auto account = engine_->accounts().Find(address);
  return account.has_value() && engine_->ledger().SurelyHasRoom(*account, {.bytes = bytes, .mails = 1});
}

async::Task<base::Result<Account>> MailStore::FindAccount(AccountId account) {
  return engine_->Read([account](const ReadView& view) { return QueryAccountById(view, account); });
}

async::Task<base::Result<Usage>> MailStore::DeletedUsage(MailboxId mailbox) {
  return engine_->Read([mailbox](const ReadView& view) { return QueryDeletedUsage(view, mailbox); });
}

}  // namespace store
