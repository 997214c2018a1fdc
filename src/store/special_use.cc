#include "store/special_use.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "store/flags.h"
#include "store/names.h"

namespace store {

namespace {

// The first name is that of a new mailbox; the others are what common clients and servers call theirs.
struct KnownNames {
  SpecialUse use = SpecialUse::kNone;
  std::array<std::string_view, 5> names;
};
constexpr std::array<KnownNames, 5> kKnown = {{
    {SpecialUse::kDrafts, {"Drafts", "Draft"}},
    {SpecialUse::kSent, {"Sent", "Sent Items", "Sent Messages", "Sent Mail", "sent-mail"}},
    {SpecialUse::kJunk, {"Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"}},
    {SpecialUse::kTrash, {"Trash", "Deleted Items", "Deleted Messages"}},
    {SpecialUse::kArchive, {"Archive", "Archives"}},
}};

std::string_view WithoutInbox(std::string_view name) {
  const bool below = name.size() > kInbox.size() && name.starts_with(kInbox) && name[kInbox.size()] == '/';
  return below ? name.substr(kInbox.size() + 1) : name;
}

std::string NameFor(const KnownNames& known, const std::vector<Mailbox>& mailboxes) {
  for (const std::string_view name : known.names) {
    const auto found = std::ranges::find_if(mailboxes, [name](const Mailbox& mailbox) {
      return !name.empty() && mailbox.exists && mailbox.use == SpecialUse::kNone &&
             KeywordEquals(WithoutInbox(mailbox.name), name);
    });
    if (found != mailboxes.end()) return found->name;
  }
  return std::string(known.names.front());
}

}  // namespace

std::vector<SpecialName> ChooseSpecialNames(const std::vector<Mailbox>& mailboxes) {
  std::vector<SpecialName> chosen;
  for (const KnownNames& known : kKnown) {
    if (std::ranges::find(mailboxes, known.use, &Mailbox::use) != mailboxes.end()) continue;
    chosen.emplace_back(known.use, NameFor(known, mailboxes));
  }
  return chosen;
}

}  // namespace store
