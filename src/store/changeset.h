// Changeset: what a run of applied entries changes in the index, gathered into one RocksDB batch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <rocksdb/db.h>

#include "base/result.h"
#include "mail/delivery_id.h"
#include "replog/types.h"
#include "store/index.h"
#include "store/keys.h"
#include "store/rows.h"
#include "store/sorted_batch.h"
#include "store/watermark.h"

namespace store {

// What applied entries ask of the shard, once they are visible.
struct Effects {
  struct Release {
    replog::PartitionId partition;
    replog::BodyRef body;
  };
  struct AccountChange {
    replog::PartitionId partition;
    std::string address;
    std::uint32_t account = 0;  // 0: removed.
  };
  struct MailboxName {
    replog::PartitionId partition;
    std::uint32_t mailbox = 0;
  };
  // Messages that were removed, and whose bodies nothing refers to any more.
  struct Removal {
    replog::PartitionId partition;
    std::uint32_t mailbox = 0;   // 0: it was deleted as a whole.
    std::uint32_t inbox_of = 0;  // The account, if it is an INBOX.
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t mailbox_bytes = 0;  // Before.
  };
  std::vector<Release> releases;  // Bodies whose last reference went.
  std::vector<Removal> removals;
  std::vector<AccountChange> accounts;
  std::int64_t without_scram_keys = 0;  // How many more accounts there are that lack keys (LacksScramKeys).
  std::vector<MailboxName> changed;     // Mailboxes with a new MODSEQ, or gone.
  std::vector<MailboxName> garbage;     // Deleted mailboxes whose messages are to be purged.
};

// Thread: the apply worker. Borrows the index.
// Reads see the database, not the batch, except for the rows that hot entries read and write: partition rows, mailbox
// rows (both kept decoded over batches too, since nobody else writes them), delivery ids, and the bodies of the entry
// at work. An entry that reads other rows calls Flush() first, so that its database is complete; the batch is then one
// entry long. Durability: none by itself (the WAL is off); RocksDB's flushes keep whole batches in order, each with its
// applied index. Errors: a failed read or write is kept; everything after is refused by Flush(), and nothing more is
// written.
class Changeset {
 public:
  Changeset(Index* index, std::size_t cached_mailboxes_max)
      : index_(index), db_(&index->db()), cached_mailboxes_max_(cached_mailboxes_max) {}

  // Writes what was gathered. Effects stay until TakeEffects(). Errors: kIo, kCorrupt; for ever then.
  base::Result<> Flush();
  Effects TakeEffects();
  // Forgets the decoded rows: after rows were changed behind its back (a snapshot loaded).
  void ForgetPartition(replog::PartitionId partition);

  rocksdb::DB& db() { return *db_; }
  void Fail(base::Error error);
  bool failed() const { return error_.has_value(); }

  // ---- Rows with memory ----
  const PartitionRow& Partition(replog::PartitionId partition) { return LoadPartition(partition).row; }
  PartitionRow& ChangePartition(replog::PartitionId partition);

  MailboxRow* FindMailbox(replog::PartitionId partition, std::uint32_t mailbox);  // Null: none.
  // The row is written with the batch, and waiters on the mailbox are woken.
  void MailboxChanged(replog::PartitionId partition, std::uint32_t mailbox);
  void AddMailbox(replog::PartitionId partition, std::uint32_t mailbox, MailboxRow row);
  // The row goes; its messages are left to purging.
  void DropMailbox(replog::PartitionId partition, std::uint32_t mailbox);

  // Moves the partition's own clock: deliveries never turn it back, however clocks jump. Direct ids older than
  // `ids_kept_hours` by it are forgotten.
  void AdvanceTime(replog::PartitionId partition, std::int64_t date_us, std::uint32_t ids_kept_hours);
  // False: seen already, or settled. Else it is remembered.
  bool AddDeliveryId(replog::PartitionId partition, std::uint32_t mailbox, const mail::DeliveryId& id);
  // Forgets ids that are settled, a bounded number at a time. The batch must be empty of ids (Flush() before the
  // entry).
  void RaiseWatermark(replog::PartitionId partition, std::uint32_t queue_partition, const Watermark& mark);

  // ---- Bodies of the entry at work ----
  // A body that came with the entry; without references it is released.
  void AddBody(const replog::BodyRef& body, replog::PartitionId partition, std::uint32_t references);
  void AddReference(replog::PartitionId partition, std::uint64_t body);
  void DropReference(replog::PartitionId partition, std::uint64_t body);
  bool IsLastReference(replog::PartitionId partition, std::uint64_t body);
  BodyRow* FindBody(replog::PartitionId partition, std::uint64_t body);  // Null: none. Changes are written by EndEntry.

  // Ends an entry: writes its bodies, keeps what it released in the release journal, and records it as applied.
  void EndEntry(replog::PartitionId partition, std::uint64_t epoch, std::uint64_t index);
  // The same for work that is no entry (moves): the applied index stays.
  void EndBodies(replog::PartitionId partition);

  // ---- Other rows ----
  std::optional<std::string> Get(const RowKey& key);
  void Put(const RowKey& key, std::string_view value) { batch_.Put(key.text(), value); }
  template <class Row>
  void PutRow(const RowKey& key, const Row& row) {
    scratch_.clear();
    row.EncodeTo(scratch_);
    Put(key, scratch_);
  }
  template <class Row>
  std::optional<Row> GetRow(const RowKey& key) {
    const auto text = Get(key);
    Row row;
    if (!text.has_value()) return std::nullopt;
    if (!row.DecodeFrom(*text)) {
      Fail(base::Error(base::Errc::kCorrupt, "a row of the index cannot be read"));
      return std::nullopt;
    }
    return row;
  }
  void Delete(const RowKey& key) { batch_.Delete(key.text()); }
  void DeletePrefix(const RowKey& prefix) { batch_.DeleteRange(prefix.text(), EndOfPrefix(prefix.text())); }
  void DeleteBetween(const RowKey& first, const RowKey& end) { batch_.DeleteRange(first.text(), end.text()); }

  Effects& effects() { return effects_; }

 private:
  struct LoadedPartition {
    PartitionRow row;
    bool changed = false;
    std::unordered_map<std::uint32_t, Watermark> watermarks;   // By queue partition: one a partition of the cluster.
    std::unordered_map<std::uint32_t, std::uint64_t> cleaned;  // Settled ids of mail below are deleted.
  };
  struct LoadedMailbox {
    std::optional<MailboxRow> row;
    bool changed = false;
  };
  struct LoadedBody {
    std::optional<BodyRow> row;
    bool changed = false;
  };

  void DeleteSettledIds(const RowKey& ids, const Watermark& mark, std::uint64_t* from);
  LoadedPartition& LoadPartition(replog::PartitionId partition);
  LoadedMailbox& LoadMailbox(replog::PartitionId partition, std::uint32_t mailbox);
  LoadedBody& LoadBody(replog::PartitionId partition, std::uint64_t body);
  void WriteChangedRows();

  Index* index_;
  rocksdb::DB* db_;
  std::size_t cached_mailboxes_max_;
  SortedBatch batch_;
  std::string scratch_;
  rocksdb::PinnableSlice read_;
  std::optional<base::Error> error_;
  Effects effects_;
  std::unordered_map<std::uint32_t, LoadedPartition> partitions_;
  std::vector<std::uint32_t> changed_partitions_;
  std::unordered_map<std::uint64_t, LoadedMailbox> mailboxes_;  // By MailboxId; bounded by cached_mailboxes_max_.
  std::vector<std::uint64_t> changed_mailboxes_;
  std::unordered_set<std::string> new_ids_;               // Keys of delivery ids in the batch.
  std::unordered_map<std::uint64_t, LoadedBody> bodies_;  // Of the entry at work.
  std::vector<replog::BodyRef> released_;                 // By the entry at work.
};

}  // namespace store
