// MailStore: accounts and mailboxes, a state machine over the mailbox partitions of the log. Its index lies in RocksDB
// and can be rebuilt from the log at any time: delete the folder, restart, everything is back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "async/asio.h"
#include "base/clock.h"
#include "base/result.h"
#include "mail/class.h"
#include "mail/delivery_id.h"
#include "replog/log.h"
#include "store/types.h"

namespace store {

enum class CredentialsChange : std::uint8_t;

struct MailStoreOptions {
  std::string index_folder;                           // RocksDB; made when missing.
  std::uint64_t index_memory_bytes = 64u << 20;       // Memtables and block cache together.
  std::uint32_t account_cache_max = 100'000;          // Addresses known on the shard without asking RocksDB.
  std::uint32_t jobs_max = 10'000;                    // Reads waiting for RocksDB; past it kBusy.
  std::uint64_t apply_backlog_bytes_max = 64u << 20;  // Committed but not yet in the index; past it Propose waits.
  std::uint32_t mailboxes_per_account_max = 10'000;
  std::uint32_t mailbox_name_bytes_max = 1024;
  std::uint32_t direct_ids_kept_hours = 48;  // kDirect delivery ids are remembered this long.
  bool special_mailboxes = true;             // New accounts get Drafts, Sent, Junk, Trash and Archive.
  QuotaRule quota{};                         // At first; SetQuotaRule changes it.
};

// One copy of a mail for one mailbox.
struct DeliveryTarget {
  std::string address;  // Canonical; its account must exist in the partition.
  mail::DeliveryId delivery_id;
  std::string prefix;  // See Message::prefix.
};

// Mail of a queue partition whose deliveries are done for good, so that their ids need not be kept: everything below
// `below` but what is in `except`.
struct Settled {
  replog::PartitionId queue_partition;
  replog::Index below;
  std::vector<replog::Index> except;  // Ascending, each below `below`; at most Watermark::kExceptMax.
};

// Where a mail came from that was delivered without the queue: for the history.
struct DeliveryOrigin {
  std::string mail_id;
  std::string client_ip;
  std::string helo;
  std::string auth_account;
  std::string protocol;
};

struct Delivery {
  mail::Class cls = mail::Class::kNormal;
  base::WallTime internal_date;
  std::vector<DeliveryTarget> targets;  // All in one partition.
  replog::Body body;
  mffs::Need need = mffs::Need::kNew;  // kAccepted: from the queue.
  std::optional<DeliveryOrigin> origin{};
  std::vector<Settled> settled;  // From the queue's leader, with mail that comes from the queue.
};

enum class FlagsChange : std::uint8_t { kReplace, kAdd, kRemove };

struct Appended {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid = 0;
};

// A message of another mail system.
struct ImportedMessage {
  std::uint32_t uid = 0;  // The UID there, to be kept; 0: the next one.
  Flags flags;
  base::WallTime internal_date;
  Origin origin{};
  std::string uidl;  // See Message::uidl.
};

struct Imported {
  std::uint32_t uid = 0;
  bool was_there = false;  // By an earlier import, under this UID; it may have been expunged since.
};

// The flags that a message has where it was imported from.
struct SourceFlags {
  Origin origin{};
  Flags flags;
};

// What became of messages whose flags are others at their source.
struct FlagsImported {
  std::uint32_t changed = 0;
  std::uint32_t kept = 0;     // Somebody has changed their flags here: they stay as they are.
  std::uint32_t refused = 0;  // The mailbox has as many keywords as it may have.
};

// What became of a change of flags that holds only for messages nobody has changed meanwhile.
struct FlagsStored {
  std::vector<Message> changed;         // With their new flags and MODSEQs, by UID.
  std::vector<std::uint32_t> modified;  // Changed by others, and left so; by UID.
};

struct Copied {
  std::uint32_t uid_validity = 0;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> uids;  // Source, destination; those that still existed.
};

// A mailbox and its messages at one moment.
struct MailboxListing {
  Mailbox mailbox;
  std::vector<std::uint32_t> uids;  // Ascending.
};

// What changed in a mailbox since a MODSEQ.
struct Changes {
  std::uint64_t highest_modseq = 0;
  std::uint32_t uid_next = 0;
  std::vector<Message> changed;         // New or with changed flags, by UID; without their bodies' locations.
  std::vector<std::uint32_t> expunged;  // By UID.
  bool mailbox_gone = false;
};

// Thread: the log's shard (sessions elsewhere come through async::Shard::Run). RocksDB is touched only by its own
// worker threads; applies and reads of a partition keep their order, so a read sees every entry committed before it
// started. Durability: a call that changes something returns after the entry is committed (and applied, except
// Deliver). Errors of every call: kBusy (too much at once), kIo, kReadOnly, kNoSpace, kCorrupt; kNotFound and kExists
// where named.
class MailStore final : public replog::StateMachine {
 public:
  // `log` and `clock` are borrowed and outlive this. Opens or makes the index. Errors: kIo, kCorrupt (say: delete the
  // folder).
  static base::Result<std::unique_ptr<MailStore>> Open(async::Executor executor, replog::Log* log,
                                                       const base::Clock* clock, MailStoreOptions options);
  ~MailStore() override;
  // Ends background work (purging deleted mailboxes). Before destruction, and before Log::Stop().
  async::Task<void> Stop();

  // ---- Accounts. Addresses are canonical. ----
  // With its mailboxes of special use; if those cannot be made now, MakeSpecialMailboxes() does it later. kExists.
  async::Task<base::Result<Account>> CreateAccount(std::string address, Credentials credentials);
  async::Task<base::Result<>> SetCredentials(std::string address, Credentials credentials);  // kNotFound.
  // Adds keys that were made of the password which fits the hash. Does nothing when the account has another hash by
  // now, or keys. kNotFound.
  async::Task<base::Result<>> AddScramKeys(std::string address, Credentials credentials);
  async::Task<base::Result<>> RemoveAccount(std::string address);       // kNotFound; its mail goes too.
  async::Task<base::Result<Account>> FindAccount(std::string address);  // kNotFound.
  // Without waiting: the account when it is known on the shard. The hot path of RCPT TO.
  std::optional<AccountId> FindCachedAccount(std::string_view address) const;
  async::Task<base::Result<Account>> FindAccount(AccountId account);            // kNotFound.
  async::Task<base::Result<Credentials>> FindCredentials(std::string address);  // kNotFound.
  // How many accounts have a password and lack keys for SCRAM: as of the entries applied so far, without a read. From
  // any thread.
  std::uint64_t AccountsWithoutScramKeys() const;
  // In order of address, after `after`.
  async::Task<base::Result<std::vector<Account>>> ListAccounts(std::string after, std::uint32_t limit);

  // ---- Quotas. docs/decisions/0025 ----
  // What is configured for all accounts; for calls from now on.
  void SetQuotaRule(const QuotaRule& rule);
  const QuotaRule& quota_rule() const;
  async::Task<base::Result<>> SetQuota(std::string address, OwnQuota own);  // kNotFound.
  // Whether a mail of this size has room now, without waiting; an account that is not in memory has. The hot path of
  // RCPT TO: the answer that counts is Deliver's.
  bool HasRoom(std::string_view address, std::uint64_t bytes) const;
  // Whether Deliver() would take it whatever else is on its way.
  bool SurelyHasRoom(std::string_view address, std::uint64_t bytes) const;
  // Accounts in memory that can take no mail.
  std::uint64_t full_accounts() const;

  // ---- Delivery ----
  replog::PartitionId PartitionOf(std::string_view canonical_address) const;
  // Puts the mail into the INBOX of each target, once for each delivery id however often it is called. An account that
  // several targets name (its sub-addresses) gets one copy, that of the first. Returns when committed, or applied where
  // an account may not have room. The positions of those targets that had none: they got nothing. Errors: kNotFound (an
  // account does not exist: nothing was delivered to any).
  async::Task<base::Result<std::vector<std::size_t>>> Deliver(Delivery delivery);

  // ---- Mailboxes (names as in store::Mailbox; INBOX in any case). ----
  async::Task<base::Result<std::vector<Mailbox>>> ListMailboxes(AccountId account);     // Subscribed-only names too.
  async::Task<base::Result<Mailbox>> FindMailbox(AccountId account, std::string name);  // kNotFound.
  // With its UIDs, for who asks for changes since then. kNotFound, also for a name that is only subscribed to.
  async::Task<base::Result<MailboxListing>> FindMailboxWithUids(AccountId account, std::string name);
  async::Task<base::Result<Mailbox>> MailboxState(MailboxId mailbox);  // kNotFound.
  async::Task<base::Result<Usage>> DeletedUsage(MailboxId mailbox);    // Of messages with \Deleted. kNotFound.
  async::Task<base::Result<>> CreateMailbox(AccountId account, std::string name);  // kExists; makes parents.
  async::Task<base::Result<>> DeleteMailbox(AccountId account, std::string name);  // kNotFound, kDenied (INBOX).
  async::Task<base::Result<>> RenameMailbox(AccountId account, std::string from,
                                            std::string to);  // RFC 3501 §6.3.5, INBOX too.
  // Gives an account that never had them its mailboxes of special use (RFC 6154): an existing one that is called so
  // gets the use, the others are made and subscribed to. Does nothing where the options say so, or the second time.
  async::Task<base::Result<>> MakeSpecialMailboxes(AccountId account);
  async::Task<base::Result<>> Subscribe(AccountId account, std::string name, bool subscribed);

  // ---- Messages ----
  // By UID within [first, last], at most `limit`. With their bodies' ids and sizes, but not where they lie: FindMessage
  // tells that.
  async::Task<base::Result<std::vector<Message>>> ListMessages(MailboxId mailbox, std::uint32_t first,
                                                               std::uint32_t last, std::uint32_t limit);
  async::Task<base::Result<std::vector<std::uint32_t>>> ListUids(MailboxId mailbox);
  async::Task<base::Result<Message>> FindMessage(MailboxId mailbox, std::uint32_t uid);  // kNotFound.
  // Bytes [offset, offset + size) of prefix and body together, at most 1 MiB. Errors: kNotFound (expunged and released
  // meanwhile).
  async::Task<base::Result<std::string>> ReadMessage(MailboxId mailbox, std::uint32_t uid, std::uint64_t offset,
                                                     std::uint64_t size);
  // kNotFound: no such mailbox. kDenied (over quota). A body for APPEND comes from a replog::BodyWriter.
  async::Task<base::Result<Appended>> Append(MailboxId mailbox, Flags flags, base::WallTime internal_date,
                                             replog::Body body);
  // ---- Import. docs/decisions/0010 ----
  // Once for each origin, however often it is called. Errors: kNotFound, kExists (the mailbox has given that UID or a
  // greater one already), kInvalid.
  async::Task<base::Result<Imported>> Import(MailboxId mailbox, ImportedMessage message, replog::Body body);
  // Brings flags that changed at the source to messages that were imported from it and are still here, but not to those
  // whose flags anybody else has changed here since: a user's change is never undone. At most kSourceFlagsMax. Errors:
  // kNotFound, kInvalid.
  async::Task<base::Result<FlagsImported>> ImportFlags(MailboxId mailbox, std::vector<SourceFlags> messages);
  // Raises UIDNEXT to `uid_next`, and gives a mailbox that never had a message `uid_validity` (0: as it is). Errors:
  // kNotFound, kExists (it had one, or the account has used this UIDVALIDITY or a greater one).
  async::Task<base::Result<>> SetUids(MailboxId mailbox, std::uint32_t uid_validity, std::uint32_t uid_next);
  // Which of these were imported, in their order. kNotFound.
  async::Task<base::Result<std::vector<bool>>> FindOrigins(MailboxId mailbox, std::vector<Origin> origins);

  // Returns the new flags of those that exist, by UID.
  async::Task<base::Result<std::vector<Message>>> StoreFlags(MailboxId mailbox, std::vector<std::uint32_t> uids,
                                                             FlagsChange change, Flags flags);
  // The same for those whose MODSEQ is `unchanged_since` at most when the change is applied (RFC 7162 §3.1.3).
  async::Task<base::Result<FlagsStored>> StoreFlagsIf(MailboxId mailbox, std::vector<std::uint32_t> uids,
                                                      FlagsChange change, Flags flags, std::uint64_t unchanged_since);
  // kDenied (over quota): nothing was copied (of the last 20,000).
  async::Task<base::Result<Copied>> Copy(MailboxId from, std::vector<std::uint32_t> uids, MailboxId to);
  // Copies and expunges in one entry (each 20,000 messages in one of their own): a message is in one of the two
  // mailboxes, never in both or in none. Into the same mailbox it gives new UIDs.
  async::Task<base::Result<Copied>> Move(MailboxId from, std::vector<std::uint32_t> uids, MailboxId to);
  // Removes those of `uids` that have \Deleted (all with \Deleted when empty, `only_deleted`), or exactly `uids`
  // otherwise (POP3).
  async::Task<base::Result<std::vector<std::uint32_t>>> Expunge(MailboxId mailbox, std::vector<std::uint32_t> uids,
                                                                bool only_deleted);

  // ---- Changes ----
  async::Task<base::Result<Changes>> ChangesSince(MailboxId mailbox, std::uint64_t modseq);
  // The UIDs of the messages whose MODSEQ is greater. kNotFound.
  async::Task<base::Result<std::vector<std::uint32_t>>> ChangedUids(MailboxId mailbox, std::uint64_t modseq);
  // Returns when the mailbox may have changed since `modseq`, or after `timeout`.
  async::Task<void> WaitForChange(MailboxId mailbox, std::uint64_t modseq, std::chrono::milliseconds timeout);

  // Where a mail for the INBOXes of these accounts goes: brief if all of them turn over quickly, as far as is known.
  mffs::Stream StreamOfDelivery(std::span<const std::string> addresses) const;
  // The same for one that is appended.
  mffs::Stream StreamOf(MailboxId mailbox) const;
  // Makes a writer for a body that will be delivered or appended here. Of a large mail the parts go to `stream` at
  // once.
  replog::BodyWriter NewBody(mffs::Need need = mffs::Need::kNew, mffs::Stream stream = mffs::Stream::kMailbox);

  // ---- replog::StateMachine ----
  void Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) override;
  void BodiesMoved(replog::PartitionId partition, std::vector<BodyMove> moves) override;
  async::Task<base::Result<replog::Index>> WriteSnapshot(replog::PartitionId partition,
                                                         replog::SnapshotWriter* writer) override;
  Held HeldOf(replog::PartitionId partition) override;
  void BeginReplay(replog::PartitionId partition, replog::Index last) override;
  bool BeginSnapshot(replog::PartitionId partition, replog::Index reached) override;
  base::Result<> LoadSnapshotPiece(replog::PartitionId partition, std::string_view piece) override;
  async::Task<base::Result<>> EndSnapshot(replog::PartitionId partition) override;
  async::Task<base::Result<>> Recovered() override;
  void SnapshotInForce(replog::PartitionId partition, replog::Index reached) override;

  // For tests: RocksDB's worker stands still while held ("stalled 5 s").
  void HoldWorkers(bool hold);

 private:
  class Engine;
  async::Task<base::Result<std::string>> ProposeCredentials(std::string address, CredentialsChange change,
                                                            Credentials credentials);
  explicit MailStore(std::unique_ptr<Engine> engine);
  std::unique_ptr<Engine> engine_;
};

}  // namespace store
