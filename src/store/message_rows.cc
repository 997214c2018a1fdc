#include "store/message_rows.h"

#include "base/check.h"

namespace store {

std::uint32_t AddMessage(Changeset& changes, const OpenMailbox& mailbox, MessageRow& row) {
  MailboxRow& state = *mailbox.row;
  CHECK(state.uid_next != UINT32_MAX);
  const std::uint32_t uid = state.uid_next++;
  state.highest_modseq += 1;
  state.messages += 1;
  state.bytes += row.size_bytes;
  changes.ChangeQuota(mailbox.partition, state.account).usage += {.bytes = row.size_bytes, .mails = 1};
  if ((row.system & Flags::kSeen) == 0) state.unseen += 1;
  row.created_modseq = state.highest_modseq;
  row.modseq = state.highest_modseq;
  changes.PutRow(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kMessage).U32(uid), row);
  changes.MailboxChanged(mailbox.partition, mailbox.id);
  return uid;
}

void PutFlags(Changeset& changes, const OpenMailbox& mailbox, std::uint32_t uid, MessageRow& row, ResolvedFlags flags) {
  const RowKey prefix = MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kChange);
  if (row.modseq > row.created_modseq) changes.Delete(RowKey(prefix).U64(row.modseq).U32(uid));
  const bool was_seen = (row.system & Flags::kSeen) != 0;
  const bool is_seen = (flags.system & Flags::kSeen) != 0;
  if (was_seen && !is_seen) mailbox.row->unseen += 1;
  if (!was_seen && is_seen) mailbox.row->unseen -= 1;
  row.modseq = mailbox.row->highest_modseq;
  row.system = flags.system;
  row.keywords = std::move(flags.keywords);
  changes.Put(RowKey(prefix).U64(row.modseq).U32(uid), "");
  changes.PutRow(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kMessage).U32(uid), row);
}

void RemoveMessage(Changeset& changes, const OpenMailbox& mailbox, std::uint32_t uid, const MessageRow& row) {
  MailboxRow& state = *mailbox.row;
  state.messages -= 1;
  state.bytes -= row.size_bytes;
  changes.ChangeQuota(mailbox.partition, state.account).usage -= {.bytes = row.size_bytes, .mails = 1};
  if ((row.system & Flags::kSeen) == 0) state.unseen -= 1;
  changes.Delete(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kMessage).U32(uid));
  if (row.modseq > row.created_modseq) {
    changes.Delete(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kChange).U64(row.modseq).U32(uid));
  }
}

void MarkExpunged(Changeset& changes, const OpenMailbox& mailbox, const std::vector<std::uint32_t>& uids) {
  mailbox.row->highest_modseq += 1;
  std::string text;
  base::Encoder out(text);
  EncodeUids(uids, out);
  changes.Put(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kExpunged).U64(mailbox.row->highest_modseq),
              text);
  changes.MailboxChanged(mailbox.partition, mailbox.id);
}

bool ReadMessage(Changeset& changes, const OpenMailbox& mailbox, std::uint32_t uid, ReadMessageRow& into) {
  auto text = changes.Get(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kMessage).U32(uid));
  if (!text.has_value()) return false;
  into.text = *std::move(text);
  if (into.row.DecodeFrom(into.text)) return true;
  changes.Fail(base::Error(base::Errc::kCorrupt, "a message row of the index cannot be read"));
  return false;
}

std::vector<std::string> ReadKeywords(Changeset& changes, const OpenMailbox& mailbox) {
  std::vector<std::string> table;
  const auto text = changes.Get(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kKeywords));
  if (text.has_value() && !DecodeKeywords(*text, table)) {
    changes.Fail(base::Error(base::Errc::kCorrupt, "a keyword row of the index cannot be read"));
  }
  return table;
}

std::optional<std::vector<std::uint16_t>> AddKeywords(Changeset& changes, const OpenMailbox& mailbox,
                                                      const std::vector<std::string_view>& names) {
  std::vector<std::string> table = ReadKeywords(changes, mailbox);
  const std::size_t size_before = table.size();
  auto positions = ResolveKeywords(table, names, true);
  if (positions.has_value() && table.size() != size_before) {
    std::string text;
    EncodeKeywords(table, text);
    changes.Put(MailboxKey(mailbox.partition, mailbox.id, MailboxRowKind::kKeywords), text);
  }
  return positions;
}

base::Result<MessageRow> NewMessageRow(Changeset& changes, const OpenMailbox& mailbox, const EntryFlags& flags,
                                       std::int64_t date_us, const replog::BodyRef& body) {
  MessageRow row;
  row.system = flags.system & kSystemFlags;
  row.date_us = date_us;
  row.size_bytes = body.size_bytes;
  row.body = body.empty() ? 0 : body.id.value();
  if (flags.keywords.empty()) return row;
  auto positions = AddKeywords(changes, mailbox, flags.keywords);
  if (!positions.has_value()) return TooManyKeywords();
  row.keywords = *std::move(positions);
  return row;
}

base::Error NoMailbox() {
  return base::Error(base::Errc::kNotFound, "no such mailbox");
}

base::Error TooManyKeywords() {
  return base::Error(base::Errc::kLimit,
                     "the mailbox has " + std::to_string(kKeywordsPerMailboxMax) + " keywords already");
}

}  // namespace store
