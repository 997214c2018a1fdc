// Applies of entries about accounts.
#include <algorithm>

#include <rocksdb/db.h>

#include "store/account_rows.h"
#include "store/apply.h"
#include "store/results.h"

namespace store {

namespace {

std::int64_t CountKeyless(const AccountRow& account) {
  return LacksScramKeys(account.password_hash, account.scram_keys) ? 1 : 0;
}

base::Result<std::string> Create(Changeset& changes, replog::PartitionId partition, const CredentialsEntry& entry) {
  if (FindAccountNumber(changes, partition, entry.address).has_value()) {
    return base::Error(base::Errc::kExists, "the account " + std::string(entry.address) + " exists already");
  }
  PartitionRow& state = changes.ChangePartition(partition);
  const std::uint32_t number = state.id_next++;
  AccountRow account;
  account.address = entry.address;
  account.password_hash = entry.password_hash;
  account.scram_keys = entry.scram_keys;
  // Above all that an earlier account may have used: the address may have been another account before.
  account.uid_validity_next = state.uid_validity_floor + 1;
  NameTree tree(&changes, partition, number, account);
  // The INBOX has the number of its account, so that a delivery finds it without a row between.
  tree.AddMailbox(kInbox, number);
  tree.Write();
  std::string value;
  base::Encoder(value).U32(number);
  changes.Put(RowKey(partition, RowKind::kAddress).Text(entry.address), value);
  changes.effects().accounts.push_back({partition, account.address, number});
  changes.effects().without_scram_keys += CountKeyless(account);
  return EncodeAccountResult(number);
}

base::Result<std::string> Replace(Changeset& changes, replog::PartitionId partition, const CredentialsEntry& entry) {
  const auto number = FindAccountNumber(changes, partition, entry.address);
  if (!number.has_value()) return NoAccount();
  const RowKey key = RowKey(partition, RowKind::kAccount).U32(*number);
  auto account = changes.GetRow<AccountRow>(key);
  if (!account.has_value()) return NoAccount();
  // The keys were made of a password that fitted the hash: another one may have been set since.
  const bool is_late = account->password_hash != entry.password_hash || !account->scram_keys.empty();
  if (entry.change == CredentialsChange::kAddKeys && is_late) return std::string();
  changes.effects().without_scram_keys -= CountKeyless(*account);
  account->password_hash = entry.password_hash;
  account->scram_keys = entry.scram_keys;
  changes.effects().without_scram_keys += CountKeyless(*account);
  changes.PutRow(key, *account);
  return std::string();
}

}  // namespace

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CreateAccountEntry& entry) {
  return Create(changes, partition,
                {.change = CredentialsChange::kCreateAccount,
                 .address = entry.address,
                 .password_hash = entry.password_hash,
                 .scram_keys = {}});
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SetPasswordEntry& entry) {
  return Replace(changes, partition,
                 {.change = CredentialsChange::kReplace,
                  .address = entry.address,
                  .password_hash = entry.password_hash,
                  .scram_keys = {}});
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CredentialsEntry& entry) {
  return entry.change == CredentialsChange::kCreateAccount ? Create(changes, partition, entry)
                                                           : Replace(changes, partition, entry);
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const RemoveAccountEntry& entry) {
  const auto number = FindAccountNumber(changes, partition, entry.address);
  if (!number.has_value()) return NoAccount();
  auto tree = NameTree::Open(&changes, partition, *number);
  if (!tree.has_value()) return NoAccount();
  for (const auto& [name, row] : tree->ReadAll()) {
    if (row.mailbox != 0) changes.DropMailbox(partition, row.mailbox);
  }
  changes.DeletePrefix(RowKey(partition, RowKind::kName).U32(*number));
  changes.Delete(RowKey(partition, RowKind::kAccount).U32(*number));
  changes.Delete(RowKey(partition, RowKind::kAddress).Text(entry.address));
  PartitionRow& state = changes.ChangePartition(partition);
  state.uid_validity_floor = std::max(state.uid_validity_floor, tree->account().uid_validity_next - 1);
  changes.effects().accounts.push_back({partition, std::string(entry.address), 0});
  changes.effects().without_scram_keys -= CountKeyless(tree->account());
  return std::string();
}

}  // namespace store
