#include "routing/address_book.h"

#include <algorithm>

#include "routing/walk.h"

namespace routing {

Expansion AddressBook::Resolve(const mail::Address& recipient) const {
  return Walk(this).Resolve(recipient);
}

Expansion AddressBook::ResolveUnknown(const mail::Address& recipient) const {
  return Walk(this).ResolveUnknown(recipient);
}

bool AddressBook::MaySendAs(std::string_view account, const mail::Address& sender) const {
  const mail::Address own = InOwnDomain(sender);
  // Also when an alias sends its mail elsewhere.
  if (IsLocalDomain(own.domain) && LocalDestination(own).account == account) return true;
  const Expansion expansion = Resolve(sender);
  if (std::ranges::any_of(expansion.destinations, [&](const Destination& d) { return d.account == account; })) {
    return true;
  }
  if (senders_.empty()) return false;
  const mail::Address plain = sender.WithoutDetail(delimiter_);
  return SenderFileAllows(account, sender.CanonicalKey()) || SenderFileAllows(account, plain.CanonicalKey()) ||
         SenderFileAllows(account, "@" + sender.domain);
}

bool AddressBook::SenderFileAllows(std::string_view account, const std::string& key) const {
  const auto entry = senders_.Find(key);
  bool allows = false;
  if (entry) {
    ForEachPacked(entry->value, [&](TargetKind, std::string_view login) { allows = allows || login == account; });
  }
  return allows;
}

mail::Address AddressBook::InOwnDomain(mail::Address address) const {
  const auto alias = domain_aliases_.find(address.domain);
  if (alias != domain_aliases_.end()) address.domain = alias->second;
  return address;
}

// Without a file of recipients the next server knows them, and everybody may be one.
bool AddressBook::IsKnownToRelay(const mail::Address& address) const {
  if (!knows_relay_recipients_) return true;
  return relay_recipients_.Find(address.CanonicalKey()).has_value() ||
         relay_recipients_.Find(address.WithoutDetail(delimiter_).CanonicalKey()).has_value() ||
         relay_recipients_.Find("@" + address.domain).has_value();
}

Destination AddressBook::LocalDestination(const mail::Address& address) const {
  // RFC 5321 §4.5.1: postmaster is always there.
  if (address.IsPostmaster() && !postmaster_.empty()) return {.address = address, .account = postmaster_};
  return {.address = address, .account = address.WithoutDetail(delimiter_).CanonicalKey()};
}

void AddressBook::AuditEntries(const std::vector<std::string>& files, Problems* problems) const {
  const auto audit = [&](const FlatTable::Entry& entry, const Expansion& expansion) {
    if (expansion.outcome != Outcome::kLoop && expansion.outcome != Outcome::kTableError) return;
    problems->Add(files[entry.origin.file], entry.origin.line, std::string(entry.key) + ": " + expansion.reason);
  };
  const auto parse = [](std::string_view key) {
    return mail::Address::Parse(key, {.utf8 = true, .mailbox_bytes_max = 2000});
  };
  entries_.ForEach([&](const FlatTable::Entry& entry) {
    if (const auto address = parse(entry.key)) audit(entry, Resolve(*address));
  });
  catch_alls_.ForEach([&](const FlatTable::Entry& entry) {
    audit(entry, ResolveUnknown({.local = "nobody", .domain = std::string(entry.key)}));
  });
}

}  // namespace routing
