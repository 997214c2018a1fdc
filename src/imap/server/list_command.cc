#include "imap/server/list_command.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "imap/proto/mailbox_name.h"
#include "imap/proto/mailbox_pattern.h"
#include "imap/proto/response.h"

namespace imap {
namespace {

// A name of the account's tree, or one that is only subscribed to.
struct Listed {
  const store::Mailbox* mailbox = nullptr;  // Null: only a parent of others.
  bool has_children = false;                // Mailboxes below it, at any depth.
  bool has_subscribed_below = false;

  bool exists() const { return mailbox != nullptr && mailbox->exists; }
  bool is_in_tree() const { return exists() || has_children; }
  bool is_subscribed() const { return mailbox != nullptr && mailbox->subscribed; }
  store::SpecialUse use() const { return mailbox != nullptr ? mailbox->use : store::SpecialUse::kNone; }
};
using Tree = std::map<std::string, Listed, std::less<>>;

std::string_view NameOfUse(store::SpecialUse use) {
  switch (use) {
    case store::SpecialUse::kNone:
      return {};
    case store::SpecialUse::kDrafts:
      return "\\Drafts";
    case store::SpecialUse::kSent:
      return "\\Sent";
    case store::SpecialUse::kJunk:
      return "\\Junk";
    case store::SpecialUse::kTrash:
      return "\\Trash";
    case store::SpecialUse::kArchive:
      return "\\Archive";
  }
  return {};
}

async::Task<Tree> MakeTree(Conversation* c, const std::vector<store::Mailbox>* mailboxes) {
  Tree tree;
  for (const store::Mailbox& mailbox : *mailboxes) {
    tree[mailbox.name].mailbox = &mailbox;
    for (std::size_t at = mailbox.name.find(kHierarchyDelimiter); at != std::string::npos;
         at = mailbox.name.find(kHierarchyDelimiter, at + 1)) {
      Listed& parent = tree[mailbox.name.substr(0, at)];
      parent.has_children = parent.has_children || mailbox.exists;
      parent.has_subscribed_below = parent.has_subscribed_below || mailbox.subscribed;
    }
    if (c->turn.IsOver()) co_await c->turn.Pass();
  }
  co_return tree;
}

std::string Attributes(const Listed& listed, bool tell_subscribed) {
  std::string out = listed.exists() ? "" : listed.has_children ? "\\Noselect " : "\\NonExistent ";
  out += listed.has_children ? "\\HasChildren" : "\\HasNoChildren";
  if (tell_subscribed && listed.is_subscribed()) out += " \\Subscribed";
  if (listed.use() != store::SpecialUse::kNone) out += " " + std::string(NameOfUse(listed.use()));
  return out;
}

// Whether the selection options let the name itself through (RFC 5258 §3.1, RFC 6154 §3).
bool IsSelected(const Listed& listed, std::uint8_t selection) {
  const bool by_subscription = (selection & List::kSubscribed) != 0;
  if (by_subscription ? !listed.is_subscribed() : !listed.is_in_tree()) return false;
  return (selection & List::kSpecialUse) == 0 || listed.use() != store::SpecialUse::kNone;
}

bool MatchesAny(const List& list, std::string_view name) {
  return std::ranges::any_of(
      list.patterns, [&](const std::string& pattern) { return MatchesPattern(list.reference + pattern, name); });
}

// LIST shows what exists, and the parents of what exists; names that are only subscribed to when they are asked for.
async::Task<void> TellList(Conversation* c, const Tree* tree, const List* list) {
  const bool recursive = (list->selection & List::kRecursiveMatch) != 0 && (list->selection & List::kSubscribed) != 0;
  const bool tell_subscribed = ((list->selection | list->returns) & List::kSubscribed) != 0;
  for (const auto& [name, listed] : *tree) {
    if (c->turn.IsOver()) co_await c->turn.Pass();
    const bool selected_below = recursive && listed.has_subscribed_below;
    if (!selected_below && !IsSelected(listed, list->selection)) continue;
    if (!MatchesAny(*list, name)) continue;
    c->out.Add(ListLine(false, Attributes(listed, tell_subscribed), kHierarchyDelimiter, name,
                        selected_below ? R"(("CHILDINFO" ("SUBSCRIBED")))" : ""));
  }
}

// RFC 3501 §6.3.9: where "%" hides a subscribed name, its parent is shown as \Noselect.
async::Task<void> TellSubscribed(Conversation* c, const std::vector<store::Mailbox>* mailboxes, std::string pattern) {
  using Names = std::set<std::string, std::less<>>;
  Names shown;
  Names parents;
  for (const store::Mailbox& mailbox : *mailboxes) {
    if (c->turn.IsOver()) co_await c->turn.Pass();
    if (!mailbox.subscribed) continue;
    if (MatchesPattern(pattern, mailbox.name)) {
      shown.insert(mailbox.name);
      continue;
    }
    for (std::size_t at = mailbox.name.find(kHierarchyDelimiter); at != std::string::npos;
         at = mailbox.name.find(kHierarchyDelimiter, at + 1)) {
      std::string parent = mailbox.name.substr(0, at);
      if (MatchesPattern(pattern, parent)) parents.insert(std::move(parent));
    }
  }
  for (const std::string& name : shown) c->out.Add(ListLine(true, "", kHierarchyDelimiter, name));
  for (const std::string& name : parents) {
    if (!shown.contains(name)) c->out.Add(ListLine(true, "\\Noselect", kHierarchyDelimiter, name));
  }
}

}  // namespace

async::Task<Reply> RunList(Conversation* c, List list) {
  const std::string_view completed = list.lsub ? "LSUB completed" : "LIST completed";
  if (!list.extended && list.patterns.front().empty()) {
    // RFC 3501 §6.3.8: asks for the delimiter and the root of the reference.
    c->out.Add(ListLine(list.lsub, "\\Noselect", kHierarchyDelimiter, ""));
    co_return Ok(std::string(completed));
  }
  const auto mailboxes = co_await c->store()->ListMailboxes(c->account);
  if (!mailboxes.has_value()) co_return ReplyTo(mailboxes.error());
  if (list.lsub) {
    co_await TellSubscribed(c, &*mailboxes, list.reference + list.patterns.front());
  } else {
    const Tree tree = co_await MakeTree(c, &*mailboxes);
    co_await TellList(c, &tree, &list);
  }
  co_return Ok(std::string(completed));
}

}  // namespace imap
