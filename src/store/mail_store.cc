#include "store/mail_store.h"

#include <algorithm>
#include <utility>

#include "store/engine.h"
#include "store/flags.h"
#include "store/names.h"
#include "store/results.h"
#include "store/special_use.h"

namespace store {

namespace {

std::uint32_t Number(AccountId id) {
  return static_cast<std::uint32_t>(id.value());
}

std::string Encode(DeliverEntry entry, const std::optional<DeliveryOrigin>& origin) {
  if (!origin.has_value()) return EncodeEntry(entry);
  return EncodeEntry(DeliverDirectEntry{.delivery = std::move(entry),
                                        .mail_id = origin->mail_id,
                                        .client_ip = origin->client_ip,
                                        .helo = origin->helo,
                                        .auth_account = origin->auth_account,
                                        .protocol = origin->protocol});
}

}  // namespace

base::Result<std::unique_ptr<MailStore>> MailStore::Open(async::Executor executor, replog::Log* log,
                                                         const base::Clock* clock, MailStoreOptions options) {
  ASSIGN_OR_RETURN(auto index, Index::Open(options.index_folder, options.index_memory_bytes));
  auto engine = std::make_unique<Engine>(executor, log, clock, std::move(options), std::move(index));
  RETURN_IF_ERROR(engine->LoadHeld());
  return std::unique_ptr<MailStore>(new MailStore(std::move(engine)));
}

MailStore::MailStore(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
MailStore::~MailStore() = default;

async::Task<void> MailStore::Stop() {
  return engine_->background().Stop();
}

void MailStore::HoldWorkers(bool hold) {
  engine_->HoldWorkers(hold);
}

mffs::Stream MailStore::StreamOfDelivery(std::span<const std::string> addresses) const {
  std::vector<AccountId> accounts;
  for (const std::string& address : addresses) {
    const auto account = engine_->accounts().Find(address);
    if (!account.has_value()) return mffs::Stream::kMailbox;
    accounts.push_back(*account);
  }
  return engine_->StreamOfInboxes(accounts);
}

mffs::Stream MailStore::StreamOf(MailboxId mailbox) const {
  return engine_->StreamOf(mailbox);
}

replog::BodyWriter MailStore::NewBody(mffs::Need need, mffs::Stream stream) {
  return replog::BodyWriter(&engine_->log(), stream, need);
}

replog::PartitionId MailStore::PartitionOf(std::string_view canonical_address) const {
  return engine_->log().MailboxPartitionOf(canonical_address);
}

// ---- Accounts ----

async::Task<base::Result<Account>> MailStore::CreateAccount(std::string address, Credentials credentials) {
  if (address.empty()) co_return base::Error(base::Errc::kInvalid, "the address is empty");
  const replog::PartitionId partition = PartitionOf(address);
  const bool has_scram_keys = !credentials.scram_keys.empty();
  ASSIGN_OR_CO_RETURN(const std::string applied,
                      co_await ProposeCredentials(address, CredentialsChange::kCreateAccount, std::move(credentials)));
  ASSIGN_OR_CO_RETURN(const std::uint32_t number, DecodeAccountResult(applied));
  const AccountId id(std::uint64_t{partition.value()} << 32 | number);
  // The account is there in any case; what could not be made is made at its first login.
  const auto made = co_await MakeSpecialMailboxes(id);
  co_return Account{.id = id,
                    .address = std::move(address),
                    .has_special_mailboxes = made.has_value() && engine_->options().special_mailboxes,
                    .has_scram_keys = has_scram_keys};
}

async::Task<base::Result<>> MailStore::SetCredentials(std::string address, Credentials credentials) {
  CO_RETURN_IF_ERROR(
      co_await ProposeCredentials(std::move(address), CredentialsChange::kReplace, std::move(credentials)));
  co_return base::Result<>();
}

async::Task<base::Result<>> MailStore::AddScramKeys(std::string address, Credentials credentials) {
  CO_RETURN_IF_ERROR(
      co_await ProposeCredentials(std::move(address), CredentialsChange::kAddKeys, std::move(credentials)));
  co_return base::Result<>();
}

async::Task<base::Result<std::string>> MailStore::ProposeCredentials(std::string address, CredentialsChange change,
                                                                     Credentials credentials) {
  if (credentials.scram_keys.size() > kScramKeysBytesMax) {
    co_return base::Error(base::Errc::kInvalid, "the keys for SCRAM are too long");
  }
  const CredentialsEntry entry{.change = change,
                               .address = address,
                               .password_hash = credentials.password_hash,
                               .scram_keys = credentials.scram_keys};
  co_return co_await engine_->Propose(PartitionOf(address), EntryType::kCredentials, entry);
}

async::Task<base::Result<>> MailStore::RemoveAccount(std::string address) {
  CO_RETURN_IF_ERROR(co_await engine_->Propose(PartitionOf(address), EntryType::kRemoveAccount,
                                               RemoveAccountEntry{.address = address}));
  co_return base::Result<>();
}

async::Task<base::Result<Account>> MailStore::FindAccount(std::string address) {
  const replog::PartitionId partition = PartitionOf(address);
  const std::uint64_t removals = engine_->accounts().removals();
  ASSIGN_OR_CO_RETURN(Account account, co_await engine_->Read([partition, address](const ReadView& view) {
    return QueryAccountSums(view, partition, address);
  }));
  engine_->accounts().Keep(address, account.id, removals);
  co_return account;
}

std::optional<AccountId> MailStore::FindCachedAccount(std::string_view address) const {
  return engine_->accounts().Find(address);
}

async::Task<base::Result<Credentials>> MailStore::FindCredentials(std::string address) {
  const replog::PartitionId partition = PartitionOf(address);
  ASSIGN_OR_CO_RETURN(FoundAccount found, co_await engine_->Read([partition, address](const ReadView& view) {
    return QueryAccount(view, partition, address);
  }));
  co_return Credentials{.password_hash = std::move(found.row.password_hash),
                        .scram_keys = std::move(found.row.scram_keys)};
}

std::uint64_t MailStore::AccountsWithoutScramKeys() const {
  return engine_->accounts_without_scram_keys();
}

async::Task<base::Result<std::vector<Account>>> MailStore::ListAccounts(std::string after, std::uint32_t limit) {
  return engine_->Read(
      [after = std::move(after), limit](const ReadView& view) { return QueryAccounts(view, after, limit); });
}

// ---- Delivery ----

async::Task<base::Result<>> MailStore::Deliver(Delivery delivery) {
  if (delivery.targets.empty()) co_return base::Error(base::Errc::kInvalid, "a delivery without a target");
  const replog::PartitionId partition = PartitionOf(delivery.targets.front().address);
  DeliverEntry entry;
  entry.date_us = delivery.internal_date.time_since_epoch().count();
  entry.ids_kept_hours = engine_->options().direct_ids_kept_hours;
  entry.targets.reserve(delivery.targets.size());
  std::vector<AccountId> accounts;
  for (const DeliveryTarget& target : delivery.targets) {
    std::optional<AccountId> account = engine_->accounts().Find(target.address);
    if (!account.has_value()) {
      ASSIGN_OR_CO_RETURN(account, co_await engine_->LookUp(target.address));
    }
    if (store::PartitionOf(*account) != partition) {
      co_return base::Error(base::Errc::kInvalid, "the targets of a delivery lie in several partitions");
    }
    const auto is_same = [&](const DeliverEntry::Target& other) { return other.account == Number(*account); };
    if (std::ranges::any_of(entry.targets, is_same)) continue;
    entry.targets.push_back({.account = Number(*account), .delivery_id = target.delivery_id, .prefix = target.prefix});
    accounts.push_back(*account);
  }
  for (const Settled& settled : delivery.settled) {
    DeliverEntry::Settled& mark = entry.settled.emplace_back();
    mark.queue_partition = settled.queue_partition.value();
    mark.mark.below = settled.below.value();
    for (const replog::Index index : settled.except) mark.mark.except.push_back(index.value());
  }
  if (!engine_->queue().has_room()) {
    CO_RETURN_IF_ERROR(co_await engine_->queue().Room());
  }
  if (engine_->queue().failure().has_value()) co_return base::Error(*engine_->queue().failure());
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(delivery.origin.has_value() ? EntryType::kDeliverDirect : EntryType::kDeliver);
  draft.cls = delivery.cls;
  draft.stream = engine_->StreamOfInboxes(accounts);
  draft.need = delivery.need;
  draft.meta = Encode(std::move(entry), delivery.origin);
  draft.body = std::move(delivery.body);
  CO_RETURN_IF_ERROR(co_await engine_->log().ProposeCommitted(partition, std::move(draft)));
  co_return base::Result<>();
}

// ---- Mailboxes ----

async::Task<base::Result<std::vector<Mailbox>>> MailStore::ListMailboxes(AccountId account) {
  return engine_->Read([account](const ReadView& view) { return QueryMailboxes(view, account); });
}

async::Task<base::Result<Mailbox>> MailStore::FindMailbox(AccountId account, std::string name) {
  ASSIGN_OR_CO_RETURN(std::string canonical, CanonicalMailboxName(name, engine_->options().mailbox_name_bytes_max));
  co_return co_await engine_->Read([account, canonical = std::move(canonical)](const ReadView& view) {
    return QueryMailboxByName(view, account, canonical);
  });
}

async::Task<base::Result<MailboxListing>> MailStore::FindMailboxWithUids(AccountId account, std::string name) {
  ASSIGN_OR_CO_RETURN(std::string canonical, CanonicalMailboxName(name, engine_->options().mailbox_name_bytes_max));
  co_return co_await engine_->Read([account, canonical = std::move(canonical)](const ReadView& view) {
    return QueryMailboxWithUids(view, account, canonical);
  });
}

async::Task<base::Result<Mailbox>> MailStore::MailboxState(MailboxId mailbox) {
  return engine_->Read([mailbox](const ReadView& view) { return QueryMailbox(view, mailbox); });
}

async::Task<base::Result<>> MailStore::CreateMailbox(AccountId account, std::string name) {
  const MailStoreOptions& options = engine_->options();
  ASSIGN_OR_CO_RETURN(const std::string canonical, CanonicalMailboxName(name, options.mailbox_name_bytes_max));
  const CreateMailboxEntry entry{
      .account = Number(account), .name = canonical, .names_max = options.mailboxes_per_account_max};
  CO_RETURN_IF_ERROR(co_await engine_->Propose(store::PartitionOf(account), EntryType::kCreateMailbox, entry));
  co_return base::Result<>();
}

async::Task<base::Result<>> MailStore::DeleteMailbox(AccountId account, std::string name) {
  ASSIGN_OR_CO_RETURN(const std::string canonical,
                      CanonicalMailboxName(name, engine_->options().mailbox_name_bytes_max));
  CO_RETURN_IF_ERROR(co_await engine_->Propose(store::PartitionOf(account), EntryType::kDeleteMailbox,
                                               DeleteMailboxEntry{.account = Number(account), .name = canonical}));
  co_return base::Result<>();
}

async::Task<base::Result<>> MailStore::RenameMailbox(AccountId account, std::string from, std::string to) {
  const MailStoreOptions& options = engine_->options();
  ASSIGN_OR_CO_RETURN(const std::string old_name, CanonicalMailboxName(from, options.mailbox_name_bytes_max));
  ASSIGN_OR_CO_RETURN(const std::string new_name, CanonicalMailboxName(to, options.mailbox_name_bytes_max));
  if (old_name == kInbox) {
    // RFC 3501 §6.3.5: the messages move, INBOX stays and is empty.
    CO_RETURN_IF_ERROR(co_await CreateMailbox(account, new_name));
    ASSIGN_OR_CO_RETURN(const Mailbox inbox, co_await FindMailbox(account, old_name));
    ASSIGN_OR_CO_RETURN(const Mailbox target, co_await FindMailbox(account, new_name));
    co_return co_await engine_->MoveAll(inbox.id, target.id);
  }
  const RenameMailboxEntry entry{.account = Number(account),
                                 .from = old_name,
                                 .to = new_name,
                                 .names_max = options.mailboxes_per_account_max,
                                 .name_bytes_max = options.mailbox_name_bytes_max};
  CO_RETURN_IF_ERROR(co_await engine_->Propose(store::PartitionOf(account), EntryType::kRenameMailbox, entry));
  co_return base::Result<>();
}

async::Task<base::Result<>> MailStore::MakeSpecialMailboxes(AccountId account) {
  if (!engine_->options().special_mailboxes) co_return base::Result<>();
  ASSIGN_OR_CO_RETURN(const std::vector<Mailbox> mailboxes, co_await ListMailboxes(account));
  const std::vector<SpecialName> names = ChooseSpecialNames(mailboxes);
  SpecialMailboxesEntry entry{
      .account = Number(account), .names_max = engine_->options().mailboxes_per_account_max, .items = {}};
  for (const auto& [use, name] : names) entry.items.push_back({use, name});
  CO_RETURN_IF_ERROR(co_await engine_->Propose(store::PartitionOf(account), EntryType::kSpecialMailboxes, entry));
  co_return base::Result<>();
}

async::Task<base::Result<>> MailStore::Subscribe(AccountId account, std::string name, bool subscribed) {
  const MailStoreOptions& options = engine_->options();
  ASSIGN_OR_CO_RETURN(const std::string canonical, CanonicalMailboxName(name, options.mailbox_name_bytes_max));
  const SubscribeEntry entry{.account = Number(account),
                             .name = canonical,
                             .subscribed = subscribed,
                             .names_max = options.mailboxes_per_account_max};
  CO_RETURN_IF_ERROR(co_await engine_->Propose(store::PartitionOf(account), EntryType::kSubscribe, entry));
  co_return base::Result<>();
}

}  // namespace store
