#include "store/queries.h"

#include <algorithm>
#include <queue>

#include "store/flags.h"
#include "store/index.h"
#include "store/names.h"

namespace store {

namespace {

std::uint32_t Number(MailboxId id) {
  return static_cast<std::uint32_t>(id.value());
}
std::uint32_t Number(AccountId id) {
  return static_cast<std::uint32_t>(id.value());
}
template <class Id>
Id MakeId(replog::PartitionId partition, std::uint32_t number) {
  return Id(std::uint64_t{partition.value()} << 32 | number);
}

base::Result<std::vector<std::string>> Keywords(const ReadView& view, MailboxId mailbox) {
  std::vector<std::string> table;
  const auto text = view.Get(MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kKeywords));
  if (!text.has_value() && text.error().code() == base::Errc::kNotFound) return table;
  if (!text.has_value()) return base::Error(text.error());
  if (!DecodeKeywords(*text, table)) return ReadView::UnreadableRow();
  return table;
}

Mailbox MakeMailbox(MailboxId id, const MailboxRow& row, const NameRow& name) {
  Mailbox mailbox;
  mailbox.id = id;
  mailbox.name = row.name;
  mailbox.subscribed = name.subscribed;
  mailbox.use = name.use;
  mailbox.uid_validity = row.uid_validity;
  mailbox.uid_next = row.uid_next;
  mailbox.highest_modseq = row.highest_modseq;
  mailbox.messages = row.messages;
  mailbox.unseen = row.unseen;
  mailbox.bytes = row.bytes;
  return mailbox;
}

Message MakeMessage(std::uint32_t uid, const MessageRow& row, const std::vector<std::string>& keywords) {
  Message message;
  message.uid = uid;
  message.modseq = row.modseq;
  message.flags = NamedFlags(row.system, row.keywords, keywords);
  message.internal_date = base::WallTime(std::chrono::microseconds(row.date_us));
  message.size_bytes = row.size_bytes;
  message.uidl = row.uidl;
  message.prefix = row.prefix;
  message.body.id = replog::BodyId(row.body);
  message.body.size_bytes = row.size_bytes - row.prefix.size();
  return message;
}

base::Result<MailboxRow> ExistingMailbox(const ReadView& view, MailboxId mailbox) {
  auto row = view.GetRow<MailboxRow>(RowKey(PartitionOf(mailbox), RowKind::kMailbox).U32(Number(mailbox)));
  if (!row.has_value() && row.error().code() == base::Errc::kNotFound) {
    return base::Error(base::Errc::kNotFound, "no such mailbox");
  }
  return row;
}

// Visits the mailbox's message rows from `first` on until `visit` says false.
template <class F>
base::Result<> ForEachMessage(const ReadView& view, MailboxId mailbox, std::uint32_t first, F visit) {
  const RowKey prefix = MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kMessage);
  const auto rows = view.Iterate();
  MessageRow row;
  for (rows->Seek(RowKey(prefix).U32(first).text()); rows->Valid() && rows->key().starts_with(prefix.text());
       rows->Next()) {
    if (!row.DecodeFrom(rows->value().ToStringView())) return ReadView::UnreadableRow();
    if (!visit(KeyU32(rows->key().ToStringView(), kMailboxFieldsOffset), row)) break;
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return {};
}

}  // namespace

base::Error ReadView::UnreadableRow() {
  return base::Error(base::Errc::kCorrupt,
                     "a row of the index cannot be read: stop the node, delete the index folder, start it again");
}

base::Result<std::string> ReadView::Get(const RowKey& key) const {
  std::string value;
  const rocksdb::Status status = db_->Get(options_, key.text(), &value);
  if (status.IsNotFound()) return base::Error(base::Errc::kNotFound, "no such row");
  if (!status.ok()) return ToError(status, "read the index");
  return value;
}

// ---- Accounts ----

base::Result<FoundAccount> QueryAccount(const ReadView& view, replog::PartitionId partition,
                                        const std::string& address) {
  const auto value = view.Get(RowKey(partition, RowKind::kAddress).Text(address));
  if (!value.has_value() && value.error().code() == base::Errc::kNotFound) {
    return base::Error(base::Errc::kNotFound, "there is no account " + address);
  }
  if (!value.has_value()) return base::Error(value.error());
  base::Decoder in(*value);
  FoundAccount found;
  found.number = in.U32();
  if (!in.AtEnd()) return ReadView::UnreadableRow();
  ASSIGN_OR_RETURN(found.row, view.GetRow<AccountRow>(RowKey(partition, RowKind::kAccount).U32(found.number)));
  return found;
}

base::Result<std::uint64_t> QueryAccountsWithoutScramKeys(const ReadView& view) {
  std::uint64_t count = 0;
  ASSIGN_OR_RETURN(const auto partitions, QueryPartitions(view));
  const auto rows = view.Iterate();
  for (const replog::PartitionId partition : partitions) {
    const RowKey prefix(partition, RowKind::kAccount);
    for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
      AccountRow account;
      if (!account.DecodeFrom(rows->value().ToStringView())) return ReadView::UnreadableRow();
      if (LacksScramKeys(account.password_hash, account.scram_keys)) count += 1;
    }
    if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  }
  return count;
}

base::Result<Account> QueryAccountSums(const ReadView& view, replog::PartitionId partition,
                                       const std::string& address) {
  ASSIGN_OR_RETURN(const FoundAccount found, QueryAccount(view, partition, address));
  Account account{.id = MakeId<AccountId>(partition, found.number),
                  .address = found.row.address,
                  .has_special_mailboxes = found.row.has_special_mailboxes,
                  .has_scram_keys = !found.row.scram_keys.empty()};
  const RowKey prefix = RowKey(partition, RowKind::kName).U32(found.number);
  const auto rows = view.Iterate();
  for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
    NameRow name;
    if (!name.DecodeFrom(rows->value().ToStringView())) return ReadView::UnreadableRow();
    if (name.mailbox == 0) continue;
    ASSIGN_OR_RETURN(const MailboxRow mailbox,
                     view.GetRow<MailboxRow>(RowKey(partition, RowKind::kMailbox).U32(name.mailbox)));
    account.mails += mailbox.messages;
    account.bytes += mailbox.bytes;
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return account;
}

base::Result<std::vector<Account>> QueryAccounts(const ReadView& view, const std::string& after, std::uint32_t limit) {
  // Addresses are ordered within each partition only: keep the `limit` smallest of all, the greatest on top.
  using Candidate = std::pair<std::string, replog::PartitionId>;
  std::priority_queue<Candidate> smallest;
  ASSIGN_OR_RETURN(const auto partitions, QueryPartitions(view));
  const auto rows = view.Iterate();
  for (const replog::PartitionId partition : partitions) {
    const RowKey prefix(partition, RowKind::kAddress);
    for (rows->Seek(RowKey(prefix).Text(after).text()); rows->Valid() && rows->key().starts_with(prefix.text());
         rows->Next()) {
      std::string address = rows->key().ToString().substr(prefix.text().size());
      if (address == after) continue;
      if (smallest.size() >= limit && (limit == 0 || address >= smallest.top().first)) break;
      smallest.emplace(std::move(address), partition);
      if (smallest.size() > limit) smallest.pop();
    }
    if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  }
  std::vector<Account> accounts(smallest.size());
  for (std::size_t i = accounts.size(); i-- > 0; smallest.pop()) {
    ASSIGN_OR_RETURN(accounts[i], QueryAccountSums(view, smallest.top().second, smallest.top().first));
  }
  return accounts;
}

// ---- Mailboxes ----

base::Result<std::vector<Mailbox>> QueryMailboxes(const ReadView& view, AccountId account) {
  const replog::PartitionId partition = PartitionOf(account);
  const RowKey prefix = RowKey(partition, RowKind::kName).U32(Number(account));
  std::vector<Mailbox> mailboxes;
  const auto rows = view.Iterate();
  for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
    NameRow name;
    if (!name.DecodeFrom(rows->value().ToStringView())) return ReadView::UnreadableRow();
    if (name.mailbox != 0) {
      ASSIGN_OR_RETURN(const MailboxRow row,
                       view.GetRow<MailboxRow>(RowKey(partition, RowKind::kMailbox).U32(name.mailbox)));
      mailboxes.push_back(MakeMailbox(MakeId<MailboxId>(partition, name.mailbox), row, name));
      continue;
    }
    Mailbox& mailbox = mailboxes.emplace_back();
    mailbox.exists = false;
    mailbox.subscribed = name.subscribed;
    mailbox.name = rows->key().ToString().substr(prefix.text().size());
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return mailboxes;
}

base::Result<Mailbox> QueryMailboxByName(const ReadView& view, AccountId account, const std::string& name) {
  const auto row = view.GetRow<NameRow>(RowKey(PartitionOf(account), RowKind::kName).U32(Number(account)).Text(name));
  if (!row.has_value() && row.error().code() != base::Errc::kNotFound) return base::Error(row.error());
  if (!row.has_value() || row->mailbox == 0) return base::Error(base::Errc::kNotFound, "there is no mailbox " + name);
  return QueryMailbox(view, MakeId<MailboxId>(PartitionOf(account), row->mailbox));
}

base::Result<Mailbox> QueryMailbox(const ReadView& view, MailboxId id) {
  ASSIGN_OR_RETURN(const MailboxRow row, ExistingMailbox(view, id));
  ASSIGN_OR_RETURN(const NameRow name,
                   view.GetRow<NameRow>(RowKey(PartitionOf(id), RowKind::kName).U32(row.account).Text(row.name)));
  Mailbox mailbox = MakeMailbox(id, row, name);
  ASSIGN_OR_RETURN(mailbox.keywords, Keywords(view, id));
  return mailbox;
}

// ---- Messages ----

base::Result<std::vector<Message>> QueryMessages(const ReadView& view, MailboxId mailbox, std::uint32_t first,
                                                 std::uint32_t last, std::uint32_t limit) {
  RETURN_IF_ERROR(ExistingMailbox(view, mailbox));
  ASSIGN_OR_RETURN(const auto keywords, Keywords(view, mailbox));
  std::vector<Message> messages;
  RETURN_IF_ERROR(ForEachMessage(view, mailbox, first, [&](std::uint32_t uid, const MessageRow& row) {
    if (uid > last || messages.size() >= limit) return false;
    messages.push_back(MakeMessage(uid, row, keywords));
    return true;
  }));
  return messages;
}

base::Result<std::vector<bool>> QueryOrigins(const ReadView& view, MailboxId mailbox,
                                             const std::vector<Origin>& origins) {
  RETURN_IF_ERROR(ExistingMailbox(view, mailbox));
  std::vector<bool> known;
  known.reserve(origins.size());
  for (const Origin& origin : origins) {
    const std::string_view bytes(reinterpret_cast<const char*>(origin.data()), origin.size());
    const auto row = view.Get(MailboxKey(PartitionOf(mailbox), Number(mailbox), MailboxRowKind::kOrigin).Text(bytes));
    if (!row.has_value() && row.error().code() != base::Errc::kNotFound) return base::Error(row.error());
    known.push_back(row.has_value());
  }
  return known;
}

base::Result<OtherFlags> QueryOtherFlags(const ReadView& view, MailboxId mailbox,
                                         const std::vector<SourceFlags>& messages) {
  RETURN_IF_ERROR(ExistingMailbox(view, mailbox));
  ASSIGN_OR_RETURN(const std::vector<std::string> table, Keywords(view, mailbox));
  const auto key = [&](MailboxRowKind kind) { return MailboxKey(PartitionOf(mailbox), Number(mailbox), kind); };
  OtherFlags others;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Origin& bytes = messages[i].origin;
    const auto origin = view.GetRow<OriginRow>(
        key(MailboxRowKind::kOrigin).Text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    const auto text = origin.has_value() ? view.Get(key(MailboxRowKind::kMessage).U32(origin->uid))
                                         : base::Result<std::string>(base::Error(origin.error()));
    if (!text.has_value() && text.error().code() == base::Errc::kNotFound) continue;
    if (!text.has_value()) return base::Error(text.error());
    MessageRow row;
    if (!row.DecodeFrom(*text)) return ReadView::UnreadableRow();
    const Flags here = NamedFlags(row.system, row.keywords, table);
    const Flags& there = messages[i].flags;
    if (here.system == there.system && std::ranges::equal(here.keywords, there.keywords, KeywordEquals)) continue;
    if (FlagsAreImported(*origin, row)) {
      others.importable.push_back(i);
    } else {
      others.kept += 1;
    }
  }
  return others;
}

base::Result<std::vector<std::uint32_t>> QueryUids(const ReadView& view, MailboxId mailbox) {
  ASSIGN_OR_RETURN(const MailboxRow state, ExistingMailbox(view, mailbox));
  std::vector<std::uint32_t> uids;
  uids.reserve(state.messages);
  RETURN_IF_ERROR(ForEachMessage(view, mailbox, 0, [&](std::uint32_t uid, const MessageRow&) {
    uids.push_back(uid);
    return true;
  }));
  return uids;
}

base::Result<MailboxListing> QueryMailboxWithUids(const ReadView& view, AccountId account, const std::string& name) {
  MailboxListing listing;
  ASSIGN_OR_RETURN(listing.mailbox, QueryMailboxByName(view, account, name));
  ASSIGN_OR_RETURN(listing.uids, QueryUids(view, listing.mailbox.id));
  return listing;
}

base::Result<std::vector<std::uint32_t>> QueryDeletedUids(const ReadView& view, MailboxId mailbox,
                                                          const std::vector<std::uint32_t>& among) {
  RETURN_IF_ERROR(ExistingMailbox(view, mailbox));
  std::vector<std::uint32_t> uids;
  const std::uint32_t first = among.empty() ? 0 : among.front();
  RETURN_IF_ERROR(ForEachMessage(view, mailbox, first, [&](std::uint32_t uid, const MessageRow& row) {
    if (!among.empty() && uid > among.back()) return false;
    const bool is_asked = among.empty() || std::ranges::binary_search(among, uid);
    if (is_asked && (row.system & Flags::kDeleted) != 0) uids.push_back(uid);
    return true;
  }));
  return uids;
}

base::Result<Message> QueryMessage(const ReadView& view, MailboxId mailbox, std::uint32_t uid) {
  const replog::PartitionId partition = PartitionOf(mailbox);
  const auto text = view.Get(MailboxKey(partition, Number(mailbox), MailboxRowKind::kMessage).U32(uid));
  if (!text.has_value() && text.error().code() == base::Errc::kNotFound) {
    return base::Error(base::Errc::kNotFound, "no such message");
  }
  if (!text.has_value()) return base::Error(text.error());
  // Messages of a deleted mailbox wait for their purge: they are not there for readers.
  RETURN_IF_ERROR(ExistingMailbox(view, mailbox));
  MessageRow row;
  if (!row.DecodeFrom(*text)) return ReadView::UnreadableRow();
  std::vector<std::string> keywords;
  if (!row.keywords.empty()) {
    ASSIGN_OR_RETURN(keywords, Keywords(view, mailbox));
  }
  Message message = MakeMessage(uid, row, keywords);
  if (row.body != 0) {
    ASSIGN_OR_RETURN(BodyRow body, view.GetRow<BodyRow>(RowKey(partition, RowKind::kBody).U64(row.body)));
    message.body = std::move(body.body);
  }
  return message;
}

// ---- Lists for the engine ----

base::Result<std::vector<MailboxId>> QueryGarbage(const ReadView& view) {
  std::vector<MailboxId> garbage;
  ASSIGN_OR_RETURN(const auto partitions, QueryPartitions(view));
  const auto rows = view.Iterate();
  for (const replog::PartitionId partition : partitions) {
    const RowKey prefix(partition, RowKind::kGarbage);
    for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
      if (rows->key().size() != kFieldsOffset + 4) return ReadView::UnreadableRow();
      garbage.push_back(MakeId<MailboxId>(partition, KeyU32(rows->key().ToStringView(), kFieldsOffset)));
    }
    if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  }
  return garbage;
}

base::Result<std::vector<replog::PartitionId>> QueryPartitions(const ReadView& view) {
  std::vector<replog::PartitionId> partitions;
  const auto rows = view.Iterate();
  rows->SeekToFirst();
  while (rows->Valid() && rows->key().size() >= kFieldsOffset) {
    const std::uint32_t number = KeyU32(rows->key().ToStringView(), 0);
    if (number >= replog::kFirstQueuePartition.value()) break;
    partitions.emplace_back(number);
    rows->Seek(RowKey(replog::PartitionId(number + 1)).text());
  }
  if (!rows->status().ok()) return ToError(rows->status(), "read the index");
  return partitions;
}

}  // namespace store
