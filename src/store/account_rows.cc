#include "store/account_rows.h"

#include <memory>

#include <rocksdb/db.h>

namespace store {

std::optional<std::uint32_t> FindAccountNumber(Changeset& changes, replog::PartitionId partition,
                                               std::string_view address) {
  const auto value = changes.Get(RowKey(partition, RowKind::kAddress).Text(address));
  if (!value.has_value()) return std::nullopt;
  base::Decoder in(*value);
  const std::uint32_t number = in.U32();
  if (in.AtEnd()) return number;
  changes.Fail(base::Error(base::Errc::kCorrupt, "an address row of the index cannot be read"));
  return std::nullopt;
}

base::Error NoAccount() {
  return base::Error(base::Errc::kNotFound, "no such account");
}

std::optional<NameTree> NameTree::Open(Changeset* changes, replog::PartitionId partition, std::uint32_t number) {
  auto account = changes->GetRow<AccountRow>(RowKey(partition, RowKind::kAccount).U32(number));
  if (!account.has_value()) return std::nullopt;
  return NameTree(changes, partition, number, *std::move(account));
}

std::optional<NameRow> NameTree::Find(std::string_view name) {
  return changes_->GetRow<NameRow>(RowKey(partition_, RowKind::kName).U32(number_).Text(name));
}

std::vector<NameTree::NamedRow> NameTree::ReadBelow(std::string_view name) {
  return ReadPrefix(std::string(name) + '/', false);
}

bool NameTree::HasChildren(std::string_view name) {
  return !ReadPrefix(std::string(name) + '/', true).empty();
}

std::vector<NameTree::NamedRow> NameTree::ReadAll() {
  return ReadPrefix("", false);
}

std::vector<NameTree::NamedRow> NameTree::ReadPrefix(std::string_view name_prefix, bool only_first_in_tree) {
  const RowKey account = RowKey(partition_, RowKind::kName).U32(number_);
  const RowKey prefix = RowKey(account).Text(name_prefix);
  std::vector<NamedRow> names;
  const std::unique_ptr<rocksdb::Iterator> rows(changes_->db().NewIterator(rocksdb::ReadOptions()));
  for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
    NameRow row;
    if (!row.DecodeFrom(rows->value().ToStringView())) {
      changes_->Fail(base::Error(base::Errc::kCorrupt, "a name row of the index cannot be read"));
      break;
    }
    if (only_first_in_tree && !row.in_tree()) continue;
    names.emplace_back(rows->key().ToString().substr(account.text().size()), row);
    if (only_first_in_tree) break;
  }
  if (!rows->status().ok()) changes_->Fail(ToError(rows->status(), "read the index"));
  return names;
}

void NameTree::Put(std::string_view name, const std::optional<NameRow>& before, const NameRow& row) {
  const RowKey key = RowKey(partition_, RowKind::kName).U32(number_).Text(name);
  const bool is_kept = row.in_tree() || row.subscribed;
  if (is_kept) {
    changes_->PutRow(key, row);
  } else {
    changes_->Delete(key);
  }
  if (is_kept && !before.has_value()) account_.names += 1;
  if (!is_kept && before.has_value()) account_.names -= 1;
}

void NameTree::AddMailbox(std::string_view name, std::uint32_t number) {
  const auto before = number == 0 ? Find(name) : std::nullopt;
  if (number == 0) number = changes_->ChangePartition(partition_).id_next++;
  NameRow row = before.value_or(NameRow());
  row.mailbox = number;
  row.no_select = false;
  Put(name, before, row);
  MakeMailbox(name, number);
}

void NameTree::AddSpecial(std::string_view name, SpecialUse use) {
  const auto before = Find(name);
  NameRow row = before.value_or(NameRow());
  row.use = use;
  row.subscribed = true;
  const bool is_new = row.mailbox == 0;
  if (is_new) row.mailbox = changes_->ChangePartition(partition_).id_next++;
  row.no_select = false;
  Put(name, before, row);
  if (is_new) MakeMailbox(name, row.mailbox);
}

void NameTree::MakeMailbox(std::string_view name, std::uint32_t number) {
  MailboxRow mailbox;
  mailbox.account = number_;
  mailbox.name = name;
  mailbox.uid_validity = account_.uid_validity_next++;
  changes_->AddMailbox(partition_, number, std::move(mailbox));
}

bool NameTree::RaiseUidValidity(std::uint32_t uid_validity) {
  if (uid_validity < account_.uid_validity_next) return false;
  account_.uid_validity_next = uid_validity + 1;
  return true;
}

void NameTree::AddParents(std::string_view name) {
  for (const std::string_view parent : ParentNames(name)) {
    const auto row = Find(parent);
    if (!row.has_value() || !row->in_tree()) AddMailbox(parent);
  }
}

void NameTree::Write() {
  changes_->PutRow(RowKey(partition_, RowKind::kAccount).U32(number_), account_);
}

}  // namespace store
