// What sessions ask of the index. Each query reads one consistent state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <rocksdb/db.h>

#include "base/result.h"
#include "replog/types.h"
#include "store/keys.h"
#include "store/mail_store.h"
#include "store/rows.h"

namespace store {

// One consistent state of the database, for the time of a query. Thread: one of the readers. Borrows the database.
class ReadView {
 public:
  explicit ReadView(rocksdb::DB* db) : db_(db), snapshot_(db->GetSnapshot()) { options_.snapshot = snapshot_; }
  ~ReadView() { db_->ReleaseSnapshot(snapshot_); }
  ReadView(const ReadView&) = delete;
  ReadView& operator=(const ReadView&) = delete;

  // kNotFound: no such row.
  base::Result<std::string> Get(const RowKey& key) const;
  template <class Row>
  base::Result<Row> GetRow(const RowKey& key) const {
    ASSIGN_OR_RETURN(const std::string text, Get(key));
    Row row;
    if (!row.DecodeFrom(text)) return UnreadableRow();
    return row;
  }
  std::unique_ptr<rocksdb::Iterator> Iterate() const {
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options_));
  }

  static base::Error UnreadableRow();

 private:
  rocksdb::DB* db_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions options_;
};

// The account's number and row. kNotFound: no such account.
struct FoundAccount {
  std::uint32_t number = 0;
  AccountRow row;
};
base::Result<FoundAccount> QueryAccount(const ReadView& view, replog::PartitionId partition,
                                        const std::string& address);
// The same with the sums over its mailboxes.
base::Result<Account> QueryAccountSums(const ReadView& view, replog::PartitionId partition, const std::string& address);
base::Result<std::vector<Account>> QueryAccounts(const ReadView& view, const std::string& after, std::uint32_t limit);

// Reads the row of every account: once, at the start.
base::Result<std::uint64_t> QueryAccountsWithoutScramKeys(const ReadView& view);

base::Result<std::vector<Mailbox>> QueryMailboxes(const ReadView& view, AccountId account);
base::Result<Mailbox> QueryMailboxByName(const ReadView& view, AccountId account, const std::string& name);
base::Result<MailboxListing> QueryMailboxWithUids(const ReadView& view, AccountId account, const std::string& name);
base::Result<Mailbox> QueryMailbox(const ReadView& view, MailboxId mailbox);

base::Result<std::vector<Message>> QueryMessages(const ReadView& view, MailboxId mailbox, std::uint32_t first,
                                                 std::uint32_t last, std::uint32_t limit);
// Which of the origins the mailbox has, in their order.
base::Result<std::vector<bool>> QueryOrigins(const ReadView& view, MailboxId mailbox,
                                             const std::vector<Origin>& origins);
// Positions in `messages` of those that have other flags here and may get them, and how many others have.
struct OtherFlags {
  std::vector<std::size_t> importable;
  std::uint32_t kept = 0;  // See FlagsImported.
};
base::Result<OtherFlags> QueryOtherFlags(const ReadView& view, MailboxId mailbox,
                                         const std::vector<SourceFlags>& messages);
base::Result<std::vector<std::uint32_t>> QueryUids(const ReadView& view, MailboxId mailbox);
// The UIDs of `among` (of all when empty) that have \Deleted.
base::Result<std::vector<std::uint32_t>> QueryDeletedUids(const ReadView& view, MailboxId mailbox,
                                                          const std::vector<std::uint32_t>& among);
// With the locations of its body.
base::Result<Message> QueryMessage(const ReadView& view, MailboxId mailbox, std::uint32_t uid);
// Those with a greater MODSEQ, by UID.
base::Result<std::vector<std::uint32_t>> QueryChangedUids(const ReadView& view, MailboxId mailbox,
                                                          std::uint64_t modseq);
base::Result<Changes> QueryChanges(const ReadView& view, MailboxId mailbox, std::uint64_t modseq);

// Deleted mailboxes with messages left, all partitions.
base::Result<std::vector<MailboxId>> QueryGarbage(const ReadView& view);
// Partitions that have rows, in order.
base::Result<std::vector<replog::PartitionId>> QueryPartitions(const ReadView& view);

}  // namespace store
