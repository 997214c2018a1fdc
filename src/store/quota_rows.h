// Quotas as applies see them: what an account takes, when its owner is to be warned, and how its usage is counted where
// no row has it. docs/format/store.md "Apply".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include <rocksdb/db.h>

#include "base/result.h"
#include "store/changeset.h"
#include "store/entries.h"
#include "store/message_rows.h"

namespace store {

// Whether the account takes `more` from an entry. The one place that decides it.
bool TakesMore(Changeset& changes, replog::PartitionId partition, std::uint32_t account,
               const std::optional<EntryQuota>& quota, const Usage& more);
base::Error OverQuota();

// Sees to a warning when the usage passes a percentage of the rule on its way up. Made before an entry's messages are
// added and told of it afterwards.
class WarningWatch {
 public:
  WarningWatch(Changeset& changes, replog::PartitionId partition, std::uint32_t account);
  // Nothing: the entry was written before there were quotas.
  void Added(const std::optional<EntryQuota>& quota);

 private:
  Changeset& changes_;
  replog::PartitionId partition_;
  std::uint32_t account_;
  Usage before_;
};

RowKey WarningKey(replog::PartitionId partition, std::uint32_t account);

// Gives `visit` what each account of the partition has, by the rows of its mailboxes. Errors: kIo.
base::Result<> CountUsage(rocksdb::DB& db, replog::PartitionId partition,
                          const std::function<void(std::uint32_t account, const Usage& usage)>& visit);
// Writes it into the index of a program that kept no quotas.
base::Result<> AddQuotaRows(rocksdb::DB& db);

}  // namespace store
