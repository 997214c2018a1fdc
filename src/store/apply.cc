#include "store/apply.h"

#include "store/flags.h"
#include "store/message_rows.h"
#include "store/quota_rows.h"
#include "store/results.h"

namespace store {

namespace {

// Not kCorrupt: the entry's checksum was right, so it is what somebody proposed, and every node decides the same.
base::Error Unreadable() {
  return base::Error(base::Errc::kInvalid, "an entry of the log cannot be read");
}

// Skipping it would lose what a newer program has acknowledged.
base::Error TooNew(Changeset& changes, const replog::EntryView& view) {
  base::Error error(base::Errc::kUnsupported, "the log has an entry of type " + std::to_string(view.type) +
                                                  " that a newer version wrote: start that version");
  changes.Fail(error);
  return error;
}

template <class Entry>
base::Result<std::string> DecodeAndApply(Changeset& changes, const replog::EntryView& view) {
  // The rest reads rows that the batch may hold.
  RETURN_IF_ERROR(changes.Flush());
  changes.AddBody(view.body, view.partition, 0);
  Entry entry;
  if (!DecodeEntry(view.meta, entry)) return Unreadable();
  return Apply(changes, view.partition, entry);
}

template <class Entry>
base::Result<std::string> DecodeAndApplyWithBody(Changeset& changes, const replog::EntryView& view) {
  Entry entry;
  if (!DecodeEntry(view.meta, entry)) {
    changes.AddBody(view.body, view.partition, 0);
    return Unreadable();
  }
  return Apply(changes, view.partition, entry, view.body);
}

base::Result<std::string> Dispatch(Changeset& changes, const replog::EntryView& view) {
  if (!view.meta.empty() && static_cast<std::uint8_t>(view.meta[0]) > kEntryVersion) return TooNew(changes, view);
  switch (static_cast<EntryType>(view.type)) {
    case EntryType::kCreateAccount:
      return DecodeAndApply<CreateAccountEntry>(changes, view);
    case EntryType::kSetPassword:
      return DecodeAndApply<SetPasswordEntry>(changes, view);
    case EntryType::kRemoveAccount:
      return DecodeAndApply<RemoveAccountEntry>(changes, view);
    case EntryType::kDeliver:
      return DecodeAndApplyWithBody<DeliverEntry>(changes, view);
    case EntryType::kDeliverDirect:
      return DecodeAndApplyWithBody<DeliverDirectEntry>(changes, view);
    case EntryType::kCreateMailbox:
      return DecodeAndApply<CreateMailboxEntry>(changes, view);
    case EntryType::kDeleteMailbox:
      return DecodeAndApply<DeleteMailboxEntry>(changes, view);
    case EntryType::kRenameMailbox:
      return DecodeAndApply<RenameMailboxEntry>(changes, view);
    case EntryType::kSubscribe:
      return DecodeAndApply<SubscribeEntry>(changes, view);
    case EntryType::kAppend:
      return DecodeAndApplyWithBody<AppendEntry>(changes, view);
    case EntryType::kStoreFlags:
      return DecodeAndApply<StoreFlagsEntry>(changes, view);
    case EntryType::kCopy:
      return DecodeAndApply<CopyEntry>(changes, view);
    case EntryType::kExpunge:
      return DecodeAndApply<ExpungeEntry>(changes, view);
    case EntryType::kPurge:
      return DecodeAndApply<PurgeEntry>(changes, view);
    case EntryType::kImport:
      return DecodeAndApplyWithBody<ImportEntry>(changes, view);
    case EntryType::kSetUids:
      return DecodeAndApply<SetUidsEntry>(changes, view);
    case EntryType::kImportFlags:
      return DecodeAndApply<ImportFlagsEntry>(changes, view);
    case EntryType::kStoreFlagsIf:
      return DecodeAndApply<StoreFlagsIfEntry>(changes, view);
    case EntryType::kSpecialMailboxes:
      return DecodeAndApply<SpecialMailboxesEntry>(changes, view);
    case EntryType::kCredentials:
      return DecodeAndApply<CredentialsEntry>(changes, view);
    case EntryType::kSetQuota:
      return DecodeAndApply<SetQuotaEntry>(changes, view);
    case EntryType::kQuotaWarning:
      return DecodeAndApplyWithBody<QuotaWarningEntry>(changes, view);
  }
  return TooNew(changes, view);
}

}  // namespace

base::Result<std::string> ApplyEntry(Changeset& changes, const replog::EntryView& entry) {
  if (entry.index.value() <= changes.Partition(entry.partition).index) return std::string();
  auto result = Dispatch(changes, entry);
  changes.EndEntry(entry.partition, entry.epoch.value(), entry.index.value());
  return result;
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const DeliverDirectEntry& entry,
                                const replog::BodyRef& body) {
  return Apply(changes, partition, entry.delivery, body);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const DeliverEntry& entry,
                                const replog::BodyRef& body) {
  // Which ids are forgotten is read from rows that the batch may hold. First of all, since flushing may forget
  // mailboxes.
  if (!entry.settled.empty()) RETURN_IF_ERROR(changes.Flush());
  changes.AdvanceTime(partition, entry.date_us, entry.ids_kept_hours);
  MessageRow row;
  row.date_us = entry.date_us;
  row.body = body.empty() ? 0 : body.id.value();
  std::uint32_t references = 0;
  std::vector<std::uint32_t> refused;
  const bool was_set_aside = entry.quota.has_value() && !entry.quota->is_enforced;
  for (std::uint32_t i = 0; i < entry.targets.size(); ++i) {
    const DeliverEntry::Target& target = entry.targets[i];
    row.prefix = target.prefix;
    row.size_bytes = body.size_bytes + target.prefix.size();
    const Usage more{.bytes = row.size_bytes, .mails = 1};
    if (was_set_aside) changes.effects().arrivals.push_back({partition, target.account, more});
    // The account's INBOX has the account's number. It is gone when the account was removed after the proposer had
    // looked.
    MailboxRow* mailbox = changes.FindMailbox(partition, target.account);
    if (mailbox == nullptr || mailbox->uid_next == UINT32_MAX) continue;
    // First of all: who has the mail already has not refused it, however full his mailbox is now.
    if (changes.KnowsDeliveryId(partition, target.account, target.delivery_id)) continue;
    if (!TakesMore(changes, partition, target.account, entry.quota, more)) {
      refused.push_back(i);
      continue;
    }
    changes.AddDeliveryId(partition, target.account, target.delivery_id);
    WarningWatch watch(changes, partition, target.account);
    AddMessage(changes, {partition, target.account, mailbox}, row);
    watch.Added(entry.quota);
    references += 1;
  }
  changes.AddBody(body, partition, references);
  for (const DeliverEntry::Settled& mark : entry.settled) {
    changes.RaiseWatermark(partition, mark.queue_partition, mark.mark);
  }
  return EncodeRefused(refused);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const AppendEntry& entry,
                                const replog::BodyRef& body) {
  // Keywords are read from rows that the batch may hold. First of all, since flushing may forget mailboxes.
  if (!entry.flags.keywords.empty()) RETURN_IF_ERROR(changes.Flush());
  MailboxRow* mailbox = changes.FindMailbox(partition, entry.mailbox);
  if (mailbox == nullptr || mailbox->uid_next == UINT32_MAX) {
    changes.AddBody(body, partition, 0);
    if (mailbox == nullptr) return NoMailbox();
    return base::Error(base::Errc::kLimit, "the mailbox has used all its UIDs");
  }
  if (!TakesMore(changes, partition, mailbox->account, entry.quota, {.bytes = body.size_bytes, .mails = 1})) {
    changes.AddBody(body, partition, 0);
    return OverQuota();
  }
  const OpenMailbox open{partition, entry.mailbox, mailbox};
  auto row = NewMessageRow(changes, open, entry.flags, entry.date_us, body);
  if (!row.has_value()) {
    changes.AddBody(body, partition, 0);
    return std::move(row).error();
  }
  WarningWatch watch(changes, partition, mailbox->account);
  const std::uint32_t uid = AddMessage(changes, open, *row);
  watch.Added(entry.quota);
  changes.AddBody(body, partition, 1);
  return EncodeAppended({.uid_validity = mailbox->uid_validity, .uid = uid});
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const QuotaWarningEntry& entry,
                                const replog::BodyRef& body) {
  // The warning's row is read, which the batch may hold. First of all, since flushing may forget mailboxes.
  RETURN_IF_ERROR(changes.Flush());
  const RowKey key = WarningKey(partition, entry.account);
  const auto due = changes.Get(key);
  // It is told, or the account is gone, or another one is due.
  if (!due.has_value() || due->size() != 1 || static_cast<std::uint8_t>(due->front()) != entry.percent) {
    changes.AddBody(body, partition, 0);
    return std::string();
  }
  changes.Delete(key);
  MailboxRow* mailbox = changes.FindMailbox(partition, entry.account);
  if (mailbox == nullptr || mailbox->uid_next == UINT32_MAX) {
    changes.AddBody(body, partition, 0);
    return std::string();
  }
  MessageRow row;
  row.date_us = entry.date_us;
  row.body = body.empty() ? 0 : body.id.value();
  row.prefix = entry.prefix;
  row.size_bytes = body.size_bytes + entry.prefix.size();
  // Whatever the quota says, and without a watch: a warning never warns.
  AddMessage(changes, {partition, entry.account, mailbox}, row);
  changes.AddBody(body, partition, 1);
  return std::string();
}

void ApplyMoves(Changeset& changes, replog::PartitionId partition, const std::vector<BodyMoved>& moves) {
  if (!changes.Flush().has_value()) return;
  for (const BodyMoved& move : moves) {
    BodyRow* row = changes.FindBody(partition, move.body);
    if (row == nullptr || move.part >= row->body.extents.size()) continue;
    // Only from where it is: the same move may come twice, and moves that came later are not undone.
    if (row->body.extents[move.part] == move.from) row->body.extents[move.part] = move.to;
  }
  changes.EndBodies(partition);
}

}  // namespace store
