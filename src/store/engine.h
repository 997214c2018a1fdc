// MailStore::Engine: the store's parts, put together.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "async/task_group.h"
#include "async/worker_pool.h"
#include "mffs/turnover.h"
#include "store/account_cache.h"
#include "store/apply_queue.h"
#include "store/change_waiters.h"
#include "store/entries.h"
#include "store/index.h"
#include "store/mail_store.h"
#include "store/queries.h"
#include "store/snapshot.h"

namespace store {

// Thread: the shard. Owned by MailStore; borrows log and clock.
class MailStore::Engine {
 public:
  Engine(async::Executor executor, replog::Log* log, const base::Clock* clock, MailStoreOptions options,
         std::unique_ptr<Index> index);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  replog::Log& log() { return *log_; }
  const base::Clock& clock() const { return *clock_; }
  const MailStoreOptions& options() const { return options_; }
  AccountCache& accounts() { return accounts_; }
  // Where mail goes that is expected to be removed soon; where other mail goes.
  mffs::Stream StreamOf(MailboxId mailbox) const;
  mffs::Stream StreamOfInboxes(std::span<const AccountId> accounts) const;
  ChangeWaiters& waiters() { return waiters_; }
  std::uint64_t accounts_without_scram_keys() const { return without_scram_keys_.load(std::memory_order_relaxed); }
  ApplyQueue& queue() { return queue_; }
  Index& index() { return *index_; }
  async::TaskGroup& background() { return background_; }

  // Asks the index on a reader: `query` gets a view that has every entry committed before this call. It must be a plain
  // function object with its values, not a coroutine.
  template <class Query>
  auto Read(Query query) -> async::Task<std::invoke_result_t<Query, const ReadView&>>;

  async::Task<base::Result<std::string>> ReadPiece(SnapshotRows* rows);

  // Proposes an entry of the store; the text is what its apply decided.
  template <class Entry>
  async::Task<base::Result<std::string>> Propose(replog::PartitionId partition, EntryType type, const Entry& entry);
  async::Task<base::Result<std::string>> ProposeDraft(replog::PartitionId partition, replog::Draft draft);

  // The account's id, from the cache or the index.
  async::Task<base::Result<AccountId>> LookUp(std::string address);
  // Copies or moves messages of any number, in as many entries as they need.
  async::Task<base::Result<Copied>> Copy(CopyEntry all, replog::PartitionId from, replog::PartitionId to);
  // Moves all messages of one mailbox into another, in steps.
  async::Task<base::Result<>> MoveAll(MailboxId from, MailboxId to);

  // ---- Restart (engine_restart.cc) ----
  // Reads what the index holds. Before anything else, on the thread that opens the store.
  base::Result<> LoadHeld();
  replog::StateMachine::Held HeldOf(replog::PartitionId partition) const;
  void BeginReplay(replog::PartitionId partition, replog::Index last);
  bool BeginSnapshot(replog::PartitionId partition, replog::Index reached);
  base::Result<> LoadPiece(std::string_view piece);
  async::Task<base::Result<>> EndSnapshot();
  // Notes an entry that the log hands out at replay.
  void CheckReplayed(const replog::EntryView& entry);
  async::Task<base::Result<>> Recovered();
  void SnapshotInForce(replog::PartitionId partition, replog::Index reached);

  void HoldWorkers(bool hold) { gate_.Hold(hold); }

 private:
  // What the index held of a partition when it was opened, and what the log says of it.
  struct Held {
    PartitionRow row;
    replog::Index snapshot;  // Of the log.
    bool in_log = false;
    bool is_foreign = false;  // The log has another entry at the applied index.
  };

  void Visible(const Effects& effects);
  void Learn(const Effects::Removal& removal);
  void Forget(replog::PartitionId partition);
  async::Task<base::Result<>> RepeatReleases(replog::PartitionId partition, replog::Index snapshot);
  void StartPurging(MailboxId mailbox);
  async::Task<void> PurgeAll();
  async::Task<base::Result<>> Purge(MailboxId mailbox);

  replog::Log* log_;
  const base::Clock* clock_;
  MailStoreOptions options_;
  std::unique_ptr<Index> index_;
  Gate gate_;
  AccountCache accounts_;
  // Owners: mailboxes by their id, and INBOXes by their account, since deliveries name no mailbox. Learned anew after a
  // start.
  mffs::Turnover turnover_;
  ChangeWaiters waiters_;
  SnapshotLoader loader_;  // The apply worker's.
  bool recovered_ = false;
  // Counted by one reading of the rows at the start, and kept by what is applied after.
  std::atomic<std::uint64_t> without_scram_keys_ = 0;
  std::unordered_map<replog::PartitionId, Held> held_;  // Until Recovered().
  std::uint32_t forgotten_ = 0;     // Partitions that are rebuilt because the log does not know their state.
  std::uint32_t reads_ = 0;         // Waiting or running.
  std::vector<MailboxId> garbage_;  // To be purged.
  bool is_purging_ = false;
  async::TaskGroup background_;
  ApplyQueue queue_;
  async::WorkerPool readers_;  // These two last: their threads use the others.
};

template <class Query>
auto MailStore::Engine::Read(Query query) -> async::Task<std::invoke_result_t<Query, const ReadView&>> {
  if (reads_ >= options_.jobs_max) co_return base::Error(base::Errc::kBusy, "too many reads are waiting for the index");
  struct Count {
    std::uint32_t* reads;
    explicit Count(std::uint32_t* r) : reads(r) { *reads += 1; }
    ~Count() { *reads -= 1; }
  };
  const Count count(&reads_);
  CO_RETURN_IF_ERROR(co_await queue_.Applied());
  auto result = co_await readers_.Run([this, &query] {
    gate_.Pass();
    return query(ReadView(&index_->db()));
  });
  if (!result.has_value()) co_return std::move(result).error();
  co_return *std::move(result);
}

template <class Entry>
async::Task<base::Result<std::string>> MailStore::Engine::Propose(replog::PartitionId partition, EntryType type,
                                                                  const Entry& entry) {
  replog::Draft draft;
  draft.type = static_cast<std::uint8_t>(type);
  draft.meta = EncodeEntry(entry);
  return ProposeDraft(partition, std::move(draft));
}

}  // namespace store
