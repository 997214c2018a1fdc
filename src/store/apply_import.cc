// Applies of entries that bring mail in from another mail system. docs/format/store.md "Apply".
#include <algorithm>

#include "store/account_rows.h"
#include "store/apply.h"
#include "store/flags.h"
#include "store/message_rows.h"
#include "store/results.h"

namespace store {

namespace {

RowKey OriginKey(replog::PartitionId partition, std::uint32_t mailbox, std::string_view origin) {
  return MailboxKey(partition, mailbox, MailboxRowKind::kOrigin).Text(origin);
}

// Empty: it was not imported yet.
std::optional<OriginRow> FindOrigin(Changeset& changes, const RowKey& key) {
  const auto text = changes.Get(key);
  if (!text.has_value()) return std::nullopt;
  OriginRow row;
  if (row.DecodeFrom(*text)) return row;
  changes.Fail(base::Error(base::Errc::kCorrupt, "an origin row of the index cannot be read"));
  return std::nullopt;
}

// Why the message cannot get its UID.
std::optional<base::Error> UidError(const MailboxRow& mailbox, std::uint32_t uid) {
  if (mailbox.uid_next == UINT32_MAX) {
    return base::Error(base::Errc::kNoSpace, "the mailbox has used all its UIDs");
  }
  if (uid == 0 || uid >= mailbox.uid_next) return std::nullopt;
  return base::Error(base::Errc::kExists, "UID " + std::to_string(uid) + " cannot be given any more: UIDNEXT is " +
                                              std::to_string(mailbox.uid_next));
}

std::uint32_t AddImported(Changeset& changes, const OpenMailbox& open, const ImportEntry& entry, MessageRow& row) {
  if (entry.uid != 0) open.row->uid_next = entry.uid;
  const std::uint32_t uid = AddMessage(changes, open, row);
  changes.PutRow(OriginKey(open.partition, open.id, entry.origin), OriginRow{.uid = uid, .flags_modseq = 0});
  return uid;
}

// A message's turn. The first change of an entry takes a new MODSEQ, which all of them share.
void ImportFlags(Changeset& changes, const OpenMailbox& mailbox, const ImportFlagsEntry::Message& message,
                 std::vector<std::string>* table, FlagsImported* done) {
  const RowKey key = OriginKey(mailbox.partition, mailbox.id, message.origin);
  auto origin = FindOrigin(changes, key);
  ReadMessageRow here;
  if (!origin.has_value() || !ReadMessage(changes, mailbox, origin->uid, here)) return;
  const ResolvedFlags now{here.row.system, here.row.keywords};
  std::vector<std::string> with_new = *table;
  auto keywords = ResolveKeywords(with_new, message.flags.keywords, true);
  if (!keywords.has_value()) {
    done->refused += 1;
    return;
  }
  ResolvedFlags next{static_cast<std::uint8_t>(message.flags.system & kSystemFlags), *std::move(keywords)};
  if (next == now) return;
  if (!FlagsAreImported(*origin, here.row)) {
    done->kept += 1;
    return;
  }
  *table = std::move(with_new);
  if (done->changed == 0) mailbox.row->highest_modseq += 1;
  done->changed += 1;
  PutFlags(changes, mailbox, origin->uid, here.row, std::move(next));
  origin->flags_modseq = here.row.modseq;
  changes.PutRow(key, *origin);
}

// A pair of UIDVALIDITY and UID must never mean two messages (RFC 3501 §2.3.1.1), whatever names this mailbox and
// others of the account have had: so only a UIDVALIDITY above all that the account has used, of a mailbox without a
// past.
base::Result<> TakeUidValidity(Changeset& changes, replog::PartitionId partition, MailboxRow* mailbox,
                               std::uint32_t uid_validity) {
  if (mailbox->uid_next != 1) {
    return base::Error(base::Errc::kExists, "the mailbox " + mailbox->name + " has had mail: its UIDVALIDITY stays " +
                                                std::to_string(mailbox->uid_validity));
  }
  auto tree = NameTree::Open(&changes, partition, mailbox->account);
  if (!tree.has_value()) return NoAccount();
  if (!tree->RaiseUidValidity(uid_validity)) {
    return base::Error(base::Errc::kExists, "the account has used UIDVALIDITY " + std::to_string(uid_validity) +
                                                " or a greater one: " + mailbox->name + " keeps " +
                                                std::to_string(mailbox->uid_validity));
  }
  tree->Write();
  mailbox->uid_validity = uid_validity;
  return {};
}

}  // namespace

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const ImportEntry& entry,
                                const replog::BodyRef& body) {
  // Origins and keywords are read from rows that the batch may hold. First of all, since flushing may forget mailboxes.
  RETURN_IF_ERROR(changes.Flush());
  MailboxRow* mailbox = changes.FindMailbox(partition, entry.mailbox);
  const auto known = FindOrigin(changes, OriginKey(partition, entry.mailbox, entry.origin));
  if (mailbox == nullptr || known.has_value()) {
    changes.AddBody(body, partition, 0);
    if (mailbox == nullptr) return NoMailbox();
    return EncodeImported({.uid = known->uid, .was_there = true});
  }
  if (auto error = UidError(*mailbox, entry.uid); error.has_value()) {
    changes.AddBody(body, partition, 0);
    return *std::move(error);
  }
  const OpenMailbox open{partition, entry.mailbox, mailbox};
  auto row = NewMessageRow(changes, open, entry.flags, entry.date_us, body);
  if (!row.has_value()) {
    changes.AddBody(body, partition, 0);
    return std::move(row).error();
  }
  row->uidl = entry.uidl;
  const std::uint32_t uid = AddImported(changes, open, entry, *row);
  changes.AddBody(body, partition, 1);
  return EncodeImported({.uid = uid, .was_there = false});
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SetUidsEntry& entry) {
  MailboxRow* mailbox = changes.FindMailbox(partition, entry.mailbox);
  if (mailbox == nullptr) return NoMailbox();
  if (entry.uid_validity != 0 && entry.uid_validity != mailbox->uid_validity) {
    RETURN_IF_ERROR(TakeUidValidity(changes, partition, mailbox, entry.uid_validity));
  }
  mailbox->uid_next = std::max(mailbox->uid_next, entry.uid_next);
  changes.MailboxChanged(partition, entry.mailbox);
  return std::string();
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const ImportFlagsEntry& entry) {
  // Rows are read that the batch may hold, as with Import.
  RETURN_IF_ERROR(changes.Flush());
  const OpenMailbox mailbox{partition, entry.mailbox, changes.FindMailbox(partition, entry.mailbox)};
  if (mailbox.row == nullptr) return NoMailbox();
  std::vector<std::string> table = ReadKeywords(changes, mailbox);
  const std::size_t table_size = table.size();
  FlagsImported done;
  for (const ImportFlagsEntry::Message& message : entry.messages) ImportFlags(changes, mailbox, message, &table, &done);
  if (done.changed > 0) changes.MailboxChanged(partition, entry.mailbox);
  if (table.size() != table_size) {
    std::string text;
    EncodeKeywords(table, text);
    changes.Put(MailboxKey(partition, entry.mailbox, MailboxRowKind::kKeywords), text);
  }
  return EncodeFlagsImported(done);
}

}  // namespace store
