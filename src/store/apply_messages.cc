// Applies of entries about many messages at once: flags, copies, expunges, and the purge of deleted mailboxes.
#include <algorithm>
#include <memory>
#include <unordered_map>

#include <rocksdb/db.h>

#include "store/apply.h"
#include "store/flags.h"
#include "store/message_rows.h"
#include "store/names.h"
#include "store/quota_rows.h"
#include "store/results.h"

namespace store {

namespace {

struct Source {
  std::uint32_t uid = 0;
  ReadMessageRow message;
};

std::vector<Source> ReadSources(Changeset& changes, const OpenMailbox& from, const std::vector<std::uint32_t>& uids) {
  std::vector<Source> sources;
  sources.reserve(uids.size());  // The rows hold views into their own text: they must not move.
  for (const std::uint32_t uid : uids) {
    Source& source = sources.emplace_back();
    source.uid = uid;
    if (!ReadMessage(changes, from, uid, source.message)) sources.pop_back();
  }
  return sources;
}

Usage UsageOf(const std::vector<Source>& sources) {
  Usage usage{.bytes = 0, .mails = sources.size()};
  for (const Source& source : sources) usage.bytes += source.message.row.size_bytes;
  return usage;
}

// Position of each used keyword of `from` in `to`, which gets what it lacks. Empty: too many.
std::optional<std::unordered_map<std::uint16_t, std::uint16_t>> MapKeywords(Changeset& changes, const OpenMailbox& from,
                                                                            const OpenMailbox& to,
                                                                            const std::vector<Source>& sources) {
  std::unordered_map<std::uint16_t, std::uint16_t> positions;
  std::vector<std::uint16_t> used;
  for (const Source& source : sources) {
    for (const std::uint16_t keyword : source.message.row.keywords) {
      if (positions.emplace(keyword, 0).second) used.push_back(keyword);
    }
  }
  if (used.empty()) return positions;
  const std::vector<std::string> from_table = ReadKeywords(changes, from);
  std::vector<std::string> to_table = ReadKeywords(changes, to);
  const std::size_t size_before = to_table.size();
  for (const std::uint16_t keyword : used) {
    if (keyword >= from_table.size()) {
      changes.Fail(base::Error(base::Errc::kCorrupt, "a message of the index has an unknown keyword"));
      return std::nullopt;
    }
    const auto position = ResolveKeywords(to_table, {from_table[keyword]}, true);
    if (!position.has_value()) return std::nullopt;
    positions[keyword] = position->front();
  }
  if (to_table.size() != size_before) {
    std::string text;
    EncodeKeywords(to_table, text);
    changes.Put(MailboxKey(to.partition, to.id, MailboxRowKind::kKeywords), text);
  }
  return positions;
}

// Leaves messages with a MODSEQ greater than `unchanged_since` as they are, and tells them in `modified`.
base::Result<std::string> ChangeFlagsOf(Changeset& changes, replog::PartitionId partition, const StoreFlagsEntry& entry,
                                        std::uint64_t unchanged_since, std::vector<std::uint32_t>* modified) {
  const OpenMailbox mailbox{partition, entry.mailbox, changes.FindMailbox(partition, entry.mailbox)};
  if (mailbox.row == nullptr) return NoMailbox();
  std::vector<std::string> table = ReadKeywords(changes, mailbox);
  const std::size_t table_size = table.size();
  const bool add = static_cast<FlagsChange>(entry.change) != FlagsChange::kRemove;
  auto keywords = ResolveKeywords(table, entry.flags.keywords, add);
  if (!keywords.has_value()) return TooManyKeywords();
  const ResolvedFlags by{static_cast<std::uint8_t>(entry.flags.system & kSystemFlags), *std::move(keywords)};
  FlagsResultWriter result(table);
  bool changed = false;
  ReadMessageRow message;
  for (const std::uint32_t uid : entry.uids) {
    if (!ReadMessage(changes, mailbox, uid, message)) continue;
    if (message.row.modseq > unchanged_since) {
      modified->push_back(uid);
      continue;
    }
    const ResolvedFlags now{message.row.system, message.row.keywords};
    ResolvedFlags next = ChangeFlags(now, entry.change, by);
    // A message that has these flags already keeps its MODSEQ (RFC 7162 §3.1).
    if (next != now) {
      if (!changed) mailbox.row->highest_modseq += 1;
      changed = true;
      PutFlags(changes, mailbox, uid, message.row, std::move(next));
    }
    result.Add(uid, message.row);
  }
  if (changed) changes.MailboxChanged(partition, entry.mailbox);
  if (changed && table.size() != table_size) {
    std::string text;
    EncodeKeywords(table, text);
    changes.Put(MailboxKey(partition, entry.mailbox, MailboxRowKind::kKeywords), text);
  }
  return result.Take();
}

// A mail that is copied elsewhere and removed here lives on. Before its reference is dropped.
void Count(Changeset& changes, const MessageRow& row, Effects::Removal* removal) {
  if (!changes.IsLastReference(removal->partition, row.body)) return;
  removal->messages += 1;
  removal->bytes += row.size_bytes;
}

}  // namespace

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const StoreFlagsEntry& entry) {
  std::vector<std::uint32_t> modified;
  return ChangeFlagsOf(changes, partition, entry, UINT64_MAX, &modified);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const StoreFlagsIfEntry& entry) {
  std::vector<std::uint32_t> modified;
  ASSIGN_OR_RETURN(const std::string flags,
                   ChangeFlagsOf(changes, partition, entry.change, entry.unchanged_since, &modified));
  return EncodeFlagsStored(flags, modified);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CopyEntry& entry) {
  const OpenMailbox from{partition, entry.from, changes.FindMailbox(partition, entry.from)};
  const OpenMailbox to{partition, entry.to, changes.FindMailbox(partition, entry.to)};
  if (from.row == nullptr || to.row == nullptr) return NoMailbox();
  if (to.row->uid_next > UINT32_MAX - entry.uids.size()) {
    return base::Error(base::Errc::kLimit, "the mailbox has used all its UIDs");
  }
  std::vector<Source> sources = ReadSources(changes, from, entry.uids);
  // All or nothing (RFC 3501 §6.4.7), so both kinds of room are seen to before the first copy.
  if (const bool is_more = !entry.move || from.row->account != to.row->account;
      is_more && !TakesMore(changes, partition, to.row->account, entry.quota, UsageOf(sources))) {
    return OverQuota();
  }
  const auto keywords = MapKeywords(changes, from, to, sources);
  if (!keywords.has_value()) return TooManyKeywords();
  WarningWatch watch(changes, partition, to.row->account);
  Copied copied{.uid_validity = to.row->uid_validity, .uids = {}};
  std::vector<std::uint32_t> uids;
  for (Source& source : sources) {
    MessageRow& row = source.message.row;
    if (entry.move) {
      RemoveMessage(changes, from, source.uid, row);
    } else {
      changes.AddReference(partition, row.body);
    }
    row.uidl = {};  // Of one message in one maildrop only (RFC 1939 §7).
    for (std::uint16_t& keyword : row.keywords) keyword = keywords->at(keyword);
    std::ranges::sort(row.keywords);
    uids.push_back(source.uid);
    copied.uids.emplace_back(source.uid, AddMessage(changes, to, row));
  }
  watch.Added(entry.quota);
  if (entry.move && !uids.empty()) MarkExpunged(changes, from, uids);
  return EncodeCopied(copied);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const ExpungeEntry& entry) {
  const OpenMailbox mailbox{partition, entry.mailbox, changes.FindMailbox(partition, entry.mailbox)};
  if (mailbox.row == nullptr) return NoMailbox();
  std::vector<std::uint32_t> gone;
  Effects::Removal removal{.partition = partition,
                           .mailbox = entry.mailbox,
                           .inbox_of = mailbox.row->name == kInbox ? mailbox.row->account : 0,
                           .mailbox_bytes = mailbox.row->bytes};
  ReadMessageRow message;
  for (const std::uint32_t uid : entry.uids) {
    if (!ReadMessage(changes, mailbox, uid, message)) continue;
    if (entry.only_deleted && (message.row.system & Flags::kDeleted) == 0) continue;
    RemoveMessage(changes, mailbox, uid, message.row);
    Count(changes, message.row, &removal);
    changes.DropReference(partition, message.row.body);
    gone.push_back(uid);
  }
  if (removal.messages > 0) changes.effects().removals.push_back(removal);
  if (!gone.empty()) MarkExpunged(changes, mailbox, gone);
  return EncodeUidsResult(gone);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const PurgeEntry& entry) {
  const RowKey garbage = RowKey(partition, RowKind::kGarbage).U32(entry.mailbox);
  if (!changes.Get(garbage).has_value()) return std::string();
  const RowKey prefix = MailboxKey(partition, entry.mailbox, MailboxRowKind::kMessage);
  const std::unique_ptr<rocksdb::Iterator> rows(changes.db().NewIterator(rocksdb::ReadOptions()));
  std::uint32_t purged = 0;
  Effects::Removal removal{.partition = partition};
  for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
    if (purged == kPurgeStep) {
      changes.effects().removals.push_back(removal);
      return std::string("more");
    }
    MessageRow row;
    if (!row.DecodeFrom(rows->value().ToStringView())) {
      changes.Fail(base::Error(base::Errc::kCorrupt, "a message row of the index cannot be read"));
      return std::string();
    }
    changes.Delete(RowKey(prefix).U32(KeyU32(rows->key().ToStringView(), kMailboxFieldsOffset)));
    Count(changes, row, &removal);
    changes.DropReference(partition, row.body);
    purged += 1;
  }
  changes.effects().removals.push_back(removal);
  if (!rows->status().ok()) changes.Fail(ToError(rows->status(), "read the index"));
  changes.DeletePrefix(RowKey(partition, RowKind::kMailbox).U32(entry.mailbox));
  changes.Delete(garbage);
  return std::string();
}

}  // namespace store
