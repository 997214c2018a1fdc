// The store's state machine: what each entry does to the index. Deterministic: entries and rows in, rows and a result
// out; no clock, no configuration. docs/format/store.md "Apply".
#pragma once

#include <string>

#include "base/result.h"
#include "replog/types.h"
#include "store/changeset.h"
#include "store/entries.h"

namespace store {

// Applies one entry, unless the partition has it already (then the answer is empty text). Thread: the apply worker.
// The error is the entry's outcome (kNotFound, kExists, ...), for its proposer: the entry counts as applied all the
// same. Failures of the index itself latch the changeset, and so does an entry of an unknown type: a newer program
// wrote it.
base::Result<std::string> ApplyEntry(Changeset& changes, const replog::EntryView& entry);

// Records of bodies lie elsewhere now.
struct BodyMoved {
  std::uint64_t body = 0;
  std::uint32_t part = 0;
  mffs::Location from;
  mffs::Location to;
};
void ApplyMoves(Changeset& changes, replog::PartitionId partition, const std::vector<BodyMoved>& moves);

// One type each; called by ApplyEntry.
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CreateAccountEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SetPasswordEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CredentialsEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const RemoveAccountEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SetQuotaEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CreateMailboxEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const DeleteMailboxEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const RenameMailboxEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SubscribeEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SpecialMailboxesEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const StoreFlagsEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const StoreFlagsIfEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CopyEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const ExpungeEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const PurgeEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SetUidsEntry& entry);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const ImportFlagsEntry& entry);
// These five take the body over.
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const DeliverDirectEntry& entry,
                                const replog::BodyRef& body);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const DeliverEntry& entry,
                                const replog::BodyRef& body);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const AppendEntry& entry,
                                const replog::BodyRef& body);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const ImportEntry& entry,
                                const replog::BodyRef& body);
base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const QuotaWarningEntry& entry,
                                const replog::BodyRef& body);

}  // namespace store
