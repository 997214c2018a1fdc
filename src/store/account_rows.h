// NameTree: the rows of one account and its mailbox names, as applies change them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/changeset.h"
#include "store/names.h"

namespace store {

std::optional<std::uint32_t> FindAccountNumber(Changeset& changes, replog::PartitionId partition,
                                               std::string_view address);
base::Error NoAccount();

// Thread: the apply worker, during one entry. Borrows the changeset. A name is read before it is put: reads see the
// rows as they were before the entry.
class NameTree {
 public:
  using NamedRow = std::pair<std::string, NameRow>;

  // A new account.
  NameTree(Changeset* changes, replog::PartitionId partition, std::uint32_t number, AccountRow account)
      : changes_(changes), partition_(partition), number_(number), account_(std::move(account)) {}
  // An account that is there; empty: it is not.
  static std::optional<NameTree> Open(Changeset* changes, replog::PartitionId partition, std::uint32_t number);

  const AccountRow& account() const { return account_; }

  std::optional<NameRow> Find(std::string_view name);
  // The name's inferiors ("name/..."), at any depth, subscribed-only ones too.
  std::vector<NamedRow> ReadBelow(std::string_view name);
  bool HasChildren(std::string_view name);
  std::vector<NamedRow> ReadAll();

  // Writes the row, or deletes it when nothing is left of it. `before` is what Find gave.
  void Put(std::string_view name, const std::optional<NameRow>& before, const NameRow& row);
  // A mailbox of a new number, or of `number` when not 0; the name becomes it.
  void AddMailbox(std::string_view name, std::uint32_t number = 0);
  // The same for a mailbox of special use, which is subscribed to. One that is there only gets the use.
  void AddSpecial(std::string_view name, SpecialUse use);
  void MarkSpecial() { account_.has_special_mailboxes = true; }
  // Later mailboxes get greater ones. False, and nothing changes: the account has used it, or a greater one.
  bool RaiseUidValidity(std::uint32_t uid_validity);
  // Makes the parents that are not in the tree.
  void AddParents(std::string_view name);
  // Writes the account's row: once, at the end.
  void Write();

 private:
  void MakeMailbox(std::string_view name, std::uint32_t number);
  std::vector<NamedRow> ReadPrefix(std::string_view prefix, bool only_first_in_tree);

  Changeset* changes_;
  replog::PartitionId partition_;
  std::uint32_t number_;
  AccountRow account_;
};

}  // namespace store
