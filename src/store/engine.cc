#include "store/engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "store/results.h"

namespace store {

namespace {

constexpr std::size_t kReaderThreads = 2;
constexpr std::size_t kWatchedMailboxesMax = 100'000;

std::uint64_t IdIn(replog::PartitionId partition, std::uint32_t number) {
  return std::uint64_t{partition.value()} << 32 | number;
}

std::uint64_t OwnerOfInbox(AccountId account) {
  return account.value() | std::uint64_t{1} << 63;
}

}  // namespace

MailStore::Engine::Engine(async::Executor executor, replog::Log* log, const base::Clock* clock,
                          MailStoreOptions options, std::unique_ptr<Index> index)
    : log_(log),
      clock_(clock),
      options_(std::move(options)),
      index_(std::move(index)),
      accounts_(options_.account_cache_max),
      waiters_(executor, kWatchedMailboxesMax),
      background_(executor, "store purge"),
      queue_(executor, index_.get(), &gate_, {.backlog_bytes_max = options_.apply_backlog_bytes_max},
             [this](const Effects& effects) { Visible(effects); }),
      readers_({.name = "store-read", .threads = kReaderThreads, .jobs_max = options_.jobs_max}) {}

MailStore::Engine::~Engine() {
  gate_.Hold(false);
}

void MailStore::Engine::Visible(const Effects& effects) {
  for (const Effects::AccountChange& change : effects.accounts) {
    if (change.account == 0) {
      accounts_.Remove(change.address);
    } else {
      accounts_.Put(change.address, AccountId(std::uint64_t{change.partition.value()} << 32 | change.account));
    }
  }
  // At replay the rows themselves are counted at the end. A negative number wraps, and so does the sum.
  if (recovered_) {
    without_scram_keys_.fetch_add(static_cast<std::uint64_t>(effects.without_scram_keys), std::memory_order_relaxed);
  }
  for (const Effects::Release& release : effects.releases) log_->ReleaseBody(release.partition, release.body);
  for (const Effects::Removal& removal : effects.removals) Learn(removal);
  for (const Effects::MailboxName& mailbox : effects.changed) {
    waiters_.Changed(MailboxId(std::uint64_t{mailbox.partition.value()} << 32 | mailbox.mailbox));
  }
  for (const Effects::MailboxName& mailbox : effects.garbage) {
    // At replay the index itself is asked at the end: a purge may follow in the log.
    if (recovered_) StartPurging(MailboxId(std::uint64_t{mailbox.partition.value()} << 32 | mailbox.mailbox));
  }
}

void MailStore::Engine::Learn(const Effects::Removal& removal) {
  std::optional<std::uint64_t> owner;
  if (removal.mailbox != 0) owner = IdIn(removal.partition, removal.mailbox);
  if (removal.inbox_of != 0) owner = OwnerOfInbox(AccountId(IdIn(removal.partition, removal.inbox_of)));
  turnover_.Released(owner, {.records = removal.messages, .bytes = removal.bytes},
                     {.owner_bytes = removal.mailbox_bytes, .all_bytes = log_->MailboxBytes()});
}

mffs::Stream MailStore::Engine::StreamOf(MailboxId mailbox) const {
  return turnover_.IsBrief(mailbox.value()) ? mffs::Stream::kBrief : mffs::Stream::kMailbox;
}

mffs::Stream MailStore::Engine::StreamOfInboxes(std::span<const AccountId> accounts) const {
  const auto is_brief = [this](AccountId account) { return turnover_.IsBrief(OwnerOfInbox(account)); };
  // The copies share one body, which lives as long as the last of them.
  return !accounts.empty() && std::ranges::all_of(accounts, is_brief) ? mffs::Stream::kBrief : mffs::Stream::kMailbox;
}

async::Task<base::Result<std::string>> MailStore::Engine::ReadPiece(SnapshotRows* rows) {
  auto piece = co_await readers_.Run([this, rows] {
    gate_.Pass();
    return rows->NextPiece();
  });
  if (!piece.has_value()) co_return std::move(piece).error();
  co_return *std::move(piece);
}

async::Task<base::Result<std::string>> MailStore::Engine::ProposeDraft(replog::PartitionId partition,
                                                                       replog::Draft draft) {
  CO_RETURN_IF_ERROR(co_await queue_.Room());
  ASSIGN_OR_CO_RETURN(replog::Committed committed, co_await log_->Propose(partition, std::move(draft)));
  co_return std::move(committed.applied);
}

async::Task<base::Result<AccountId>> MailStore::Engine::LookUp(std::string address) {
  if (const auto known = accounts_.Find(address); known.has_value()) co_return *known;
  const replog::PartitionId partition = log_->MailboxPartitionOf(address);
  const std::uint64_t removals = accounts_.removals();
  ASSIGN_OR_CO_RETURN(const FoundAccount found, co_await Read([partition, address](const ReadView& view) {
                        return QueryAccount(view, partition, address);
                      }));
  const AccountId id(std::uint64_t{partition.value()} << 32 | found.number);
  accounts_.Keep(address, id, removals);
  co_return id;
}

// ---- Purging ----

void MailStore::Engine::StartPurging(MailboxId mailbox) {
  garbage_.push_back(mailbox);
  if (is_purging_ || background_.stopping()) return;
  is_purging_ = true;
  background_.Spawn(PurgeAll());
}

async::Task<void> MailStore::Engine::PurgeAll() {
  while (!garbage_.empty()) {
    const MailboxId mailbox = garbage_.back();
    garbage_.pop_back();
    const auto purged = co_await Purge(mailbox);
    if (!purged.has_value()) {
      base::LogWarning("mailbox_purge_failed", {{"mailbox", mailbox.value()},
                                                {"error", purged.error().message()},
                                                {"note", "its space is freed after the next start"}});
    }
  }
  is_purging_ = false;
}

async::Task<base::Result<>> MailStore::Engine::Purge(MailboxId mailbox) {
  for (;;) {
    ASSIGN_OR_CO_RETURN(const std::string left,
                        co_await Propose(store::PartitionOf(mailbox), EntryType::kPurge,
                                         PurgeEntry{.mailbox = static_cast<std::uint32_t>(mailbox.value())}));
    if (left.empty()) co_return base::Result<>();
  }
}

async::Task<base::Result<Copied>> MailStore::Engine::Copy(CopyEntry all, replog::PartitionId from,
                                                          replog::PartitionId to) {
  if (from != to) co_return base::Error(base::Errc::kInvalid, "messages are copied within one account only");
  const std::vector<std::uint32_t> uids = std::exchange(all.uids, {});
  Copied copied;
  // An empty list too asks once: for the errors and the UIDVALIDITY.
  for (std::size_t at = 0; at == 0 || at < uids.size(); at += kUidsPerEntryMax) {
    const std::size_t end = std::min<std::size_t>(uids.size(), at + kUidsPerEntryMax);
    all.uids.assign(uids.begin() + static_cast<std::ptrdiff_t>(at), uids.begin() + static_cast<std::ptrdiff_t>(end));
    ASSIGN_OR_CO_RETURN(const std::string applied, co_await Propose(to, EntryType::kCopy, all));
    ASSIGN_OR_CO_RETURN(Copied part, DecodeCopied(applied));
    copied.uid_validity = part.uid_validity;
    copied.uids.insert(copied.uids.end(), part.uids.begin(), part.uids.end());
  }
  co_return copied;
}

async::Task<base::Result<>> MailStore::Engine::MoveAll(MailboxId from, MailboxId to) {
  ASSIGN_OR_CO_RETURN(std::vector<std::uint32_t> uids,
                      co_await Read([from](const ReadView& view) { return QueryUids(view, from); }));
  if (uids.empty()) co_return base::Result<>();
  CopyEntry entry{.from = static_cast<std::uint32_t>(from.value()),
                  .to = static_cast<std::uint32_t>(to.value()),
                  .move = true,
                  .uids = std::move(uids)};
  CO_RETURN_IF_ERROR(co_await Copy(std::move(entry), store::PartitionOf(from), store::PartitionOf(to)));
  co_return base::Result<>();
}

}  // namespace store
