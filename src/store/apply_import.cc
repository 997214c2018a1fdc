// Applies of entries that bring mail in from another mail system. docs/format/store.md "Apply".
#include <algorithm>

#include "store/account_rows.h"
#include "store/apply.h"
#include "store/flags.h"
#include "store/message_rows.h"
#include "store/results.h"

namespace store {

namespace {

RowKey OriginKey(replog::PartitionId partition, const ImportEntry& entry) {
  return MailboxKey(partition, entry.mailbox, MailboxRowKind::kOrigin).Text(entry.origin);
}

// The UID that the origin's message got; empty: it was not imported yet.
std::optional<std::uint32_t> FindOrigin(Changeset& changes, const RowKey& key) {
  const auto text = changes.Get(key);
  if (!text.has_value()) return std::nullopt;
  base::Decoder in(*text);
  const std::uint64_t uid = in.Varint();
  if (in.AtEnd() && uid <= UINT32_MAX) return static_cast<std::uint32_t>(uid);
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
  std::string value;
  base::Encoder(value).Varint(uid);
  changes.Put(OriginKey(open.partition, entry), value);
  return uid;
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
  const auto known = FindOrigin(changes, OriginKey(partition, entry));
  if (mailbox == nullptr || known.has_value()) {
    changes.AddBody(body, partition, 0);
    if (mailbox == nullptr) return NoMailbox();
    return EncodeImported({.uid = *known, .was_there = true});
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

}  // namespace store
