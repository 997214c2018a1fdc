// ChangesSince: what happened in a mailbox after a MODSEQ (RFC 7162).
#include <algorithm>
#include <map>

#include "store/flags.h"
#include "store/index.h"
#include "store/queries.h"

namespace store {

namespace {

std::uint32_t Number(MailboxId id) {
  return static_cast<std::uint32_t>(id.value());
}

Message MakeChanged(std::uint32_t uid, const MessageRow& row, const std::vector<std::string>& keywords) {
  Message message;
  message.uid = uid;
  message.modseq = row.modseq;
  message.flags = NamedFlags(row.system, row.keywords, keywords);
  message.internal_date = base::WallTime(std::chrono::microseconds(row.date_us));
  message.size_bytes = row.size_bytes;
  message.prefix = row.prefix;
  return message;
}

// Visits the messages made after `modseq`, the last first: the MODSEQ at which a message is made grows with the UID.
template <class F>
base::Result<> ForEachNew(const ReadView& view, MailboxId mailbox, std::uint64_t modseq, F visit) {
  const RowKey prefix = MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kMessage);
  const auto rows = view.Iterate();
  MessageRow row;
  for (rows->SeekForPrev(RowKey(prefix).U32(UINT32_MAX).text());
       rows->Valid() && rows->key().starts_with(prefix.text()); rows->Prev()) {
    if (!row.DecodeFrom(rows->value().ToStringView())) return ReadView::UnreadableRow();
    if (row.created_modseq <= modseq) break;
    visit(KeyU32(rows->key().ToStringView(), kMailboxFieldsOffset), row);
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return {};
}

// Visits the UIDs of messages whose flags changed after `modseq`: each has one row in the change index.
template <class F>
base::Result<> ForEachFlagged(const ReadView& view, MailboxId mailbox, std::uint64_t modseq, F visit) {
  const RowKey prefix = MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kChange);
  const auto rows = view.Iterate();
  for (rows->Seek(RowKey(prefix).U64(modseq + 1).text()); rows->Valid() && rows->key().starts_with(prefix.text());
       rows->Next()) {
    RETURN_IF_ERROR(visit(KeyU32(rows->key().ToStringView(), kMailboxFieldsOffset + 8)));
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return {};
}

base::Result<> AddExpunged(const ReadView& view, MailboxId mailbox, std::uint64_t modseq,
                           std::vector<std::uint32_t>* expunged) {
  const RowKey prefix = MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kExpunged);
  const auto rows = view.Iterate();
  for (rows->Seek(RowKey(prefix).U64(modseq + 1).text()); rows->Valid() && rows->key().starts_with(prefix.text());
       rows->Next()) {
    base::Decoder in(rows->value().ToStringView());
    std::vector<std::uint32_t> uids;
    if (!DecodeUids(in, kUidsPerEntryMax, uids)) return ReadView::UnreadableRow();
    expunged->insert(expunged->end(), uids.begin(), uids.end());
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  std::ranges::sort(*expunged);
  return {};
}

}  // namespace

base::Result<Changes> QueryChanges(const ReadView& view, MailboxId mailbox, std::uint64_t modseq) {
  Changes changes;
  const auto state = QueryMailbox(view, mailbox);
  if (!state.has_value() && state.error().code() == base::Errc::kNotFound) {
    changes.mailbox_gone = true;
    return changes;
  }
  if (!state.has_value()) return base::Error(state.error());
  changes.highest_modseq = state->highest_modseq;
  changes.uid_next = state->uid_next;
  if (modseq >= state->highest_modseq) return changes;
  std::map<std::uint32_t, Message> changed;
  RETURN_IF_ERROR(ForEachNew(view, mailbox, modseq, [&](std::uint32_t uid, const MessageRow& row) {
    changed.emplace(uid, MakeChanged(uid, row, state->keywords));
  }));
  const RowKey messages = MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kMessage);
  RETURN_IF_ERROR(ForEachFlagged(view, mailbox, modseq, [&](std::uint32_t uid) -> base::Result<> {
    if (changed.contains(uid)) return {};
    ASSIGN_OR_RETURN(const std::string text, view.Get(RowKey(messages).U32(uid)));
    MessageRow row;
    if (!row.DecodeFrom(text)) return ReadView::UnreadableRow();
    changed.emplace(uid, MakeChanged(uid, row, state->keywords));
    return {};
  }));
  RETURN_IF_ERROR(AddExpunged(view, mailbox, modseq, &changes.expunged));
  for (auto& [uid, message] : changed) changes.changed.push_back(std::move(message));
  return changes;
}

base::Result<std::vector<std::uint32_t>> QueryChangedUids(const ReadView& view, MailboxId mailbox,
                                                          std::uint64_t modseq) {
  RETURN_IF_ERROR(QueryMailbox(view, mailbox));
  std::vector<std::uint32_t> uids;
  RETURN_IF_ERROR(
      ForEachNew(view, mailbox, modseq, [&uids](std::uint32_t uid, const MessageRow&) { uids.push_back(uid); }));
  RETURN_IF_ERROR(ForEachFlagged(view, mailbox, modseq, [&uids](std::uint32_t uid) -> base::Result<> {
    uids.push_back(uid);
    return {};
  }));
  std::ranges::sort(uids);
  const auto repeated = std::ranges::unique(uids);  // New, and flagged since.
  uids.erase(repeated.begin(), repeated.end());
  return uids;
}

}  // namespace store
