// Applies of entries about an account's mailbox names.
#include <algorithm>

#include "store/account_rows.h"
#include "store/apply.h"

namespace store {

namespace {

base::Error NoName(std::string_view name) {
  return base::Error(base::Errc::kNotFound, "there is no mailbox " + std::string(name));
}

base::Error TooManyNames() {
  return base::Error(base::Errc::kLimit, "the account has as many mailboxes as it may");
}

// Whether the name and its missing parents still fit the account's limit.
bool HasRoomFor(NameTree& tree, std::string_view name, std::uint32_t names_max) {
  std::uint64_t needed = 1;
  for (const std::string_view parent : ParentNames(name)) needed += tree.Find(parent).has_value() ? 0 : 1;
  return tree.account().names + needed <= names_max;
}

bool IsBelow(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() && name.starts_with(parent) && name[parent.size()] == '/';
}

// Moves one name; subscriptions belong to names and stay (RFC 3501 §6.3.6: the server does not change them by itself).
void MoveName(Changeset& changes, replog::PartitionId partition, NameTree& tree, const NameTree::NamedRow& from,
              const std::string& to) {
  NameRow left;
  left.subscribed = from.second.subscribed;
  tree.Put(from.first, from.second, left);
  const auto before = tree.Find(to);
  NameRow moved = before.value_or(NameRow());
  moved.mailbox = from.second.mailbox;
  moved.no_select = from.second.no_select;
  moved.use = from.second.use;
  tree.Put(to, before, moved);
  if (moved.mailbox == 0) return;
  if (MailboxRow* mailbox = changes.FindMailbox(partition, moved.mailbox); mailbox != nullptr) {
    mailbox->name = to;
    changes.MailboxChanged(partition, moved.mailbox);
  }
}

}  // namespace

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const CreateMailboxEntry& entry) {
  auto tree = NameTree::Open(&changes, partition, entry.account);
  if (!tree.has_value()) return base::Error(base::Errc::kNotFound, "no such account");
  const auto row = tree->Find(entry.name);
  if (row.has_value() && row->mailbox != 0) {
    return base::Error(base::Errc::kExists, "the mailbox " + std::string(entry.name) + " exists already");
  }
  if (!HasRoomFor(*tree, entry.name, entry.names_max)) return TooManyNames();
  tree->AddParents(entry.name);
  tree->AddMailbox(entry.name);
  tree->Write();
  return std::string();
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const DeleteMailboxEntry& entry) {
  auto tree = NameTree::Open(&changes, partition, entry.account);
  if (!tree.has_value()) return base::Error(base::Errc::kNotFound, "no such account");
  if (entry.name == kInbox) return base::Error(base::Errc::kDenied, "INBOX cannot be deleted");
  const auto row = tree->Find(entry.name);
  if (!row.has_value() || !row->in_tree()) return NoName(entry.name);
  const bool has_children = tree->HasChildren(entry.name);
  if (row->no_select && has_children) {
    return base::Error(base::Errc::kDenied, "the name " + std::string(entry.name) + " has mailboxes below it");
  }
  NameRow left = *row;
  left.mailbox = 0;
  left.no_select = has_children;
  left.use = SpecialUse::kNone;
  tree->Put(entry.name, row, left);
  tree->Write();
  if (row->mailbox != 0) changes.DropMailbox(partition, row->mailbox);
  return std::string();
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const RenameMailboxEntry& entry) {
  auto tree = NameTree::Open(&changes, partition, entry.account);
  if (!tree.has_value()) return base::Error(base::Errc::kNotFound, "no such account");
  // INBOX is renamed by moving its messages, which is other entries.
  if (entry.from == kInbox) return base::Error(base::Errc::kDenied, "INBOX itself cannot be renamed");
  const auto from = tree->Find(entry.from);
  if (!from.has_value() || !from->in_tree()) return NoName(entry.from);
  if (const auto to = tree->Find(entry.to); entry.to == kInbox || (to.has_value() && to->in_tree())) {
    return base::Error(base::Errc::kExists, "the mailbox " + std::string(entry.to) + " exists already");
  }
  if (IsBelow(entry.to, entry.from)) {
    return base::Error(base::Errc::kInvalid, "a mailbox cannot become its own inferior");
  }
  if (!HasRoomFor(*tree, entry.to, entry.names_max)) return TooManyNames();
  const std::vector<NameTree::NamedRow> below = tree->ReadBelow(entry.from);
  const bool fits = std::ranges::all_of(below, [&](const NameTree::NamedRow& child) {
    return child.first.size() - entry.from.size() + entry.to.size() <= entry.name_bytes_max;
  });
  if (!fits) return base::Error(base::Errc::kInvalid, "the name of a mailbox below would be too long");
  tree->AddParents(entry.to);
  MoveName(changes, partition, *tree, {std::string(entry.from), *from}, std::string(entry.to));
  for (const NameTree::NamedRow& child : below) {
    if (!child.second.in_tree()) continue;
    MoveName(changes, partition, *tree, child, std::string(entry.to) + child.first.substr(entry.from.size()));
  }
  tree->Write();
  return std::string();
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SubscribeEntry& entry) {
  auto tree = NameTree::Open(&changes, partition, entry.account);
  if (!tree.has_value()) return base::Error(base::Errc::kNotFound, "no such account");
  const auto before = tree->Find(entry.name);
  if (!before.has_value() && entry.subscribed && tree->account().names >= entry.names_max) return TooManyNames();
  NameRow row = before.value_or(NameRow());
  row.subscribed = entry.subscribed;
  tree->Put(entry.name, before, row);
  tree->Write();
  return std::string();
}

base::Result<std::string> Apply(Changeset& changes, replog::PartitionId partition, const SpecialMailboxesEntry& entry) {
  auto tree = NameTree::Open(&changes, partition, entry.account);
  if (!tree.has_value()) return base::Error(base::Errc::kNotFound, "no such account");
  if (tree->account().has_special_mailboxes) return std::string();
  for (const SpecialMailboxesEntry::Item& item : entry.items) {
    const auto row = tree->Find(item.name);
    const bool is_there = row.has_value() && row->mailbox != 0;
    // New ones stand at the top: a parent could be another item's name, which is read as it was before the entry.
    if (!is_there && (item.name.find('/') != std::string_view::npos || !HasRoomFor(*tree, item.name, entry.names_max)))
      continue;
    tree->AddSpecial(item.name, item.use);
  }
  tree->MarkSpecial();
  tree->Write();
  return std::string();
}

}  // namespace store
