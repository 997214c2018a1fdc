#include "routing/walk.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace routing {
namespace {

// Targets come from the table's loader, which made their texts with Address::ToString().
mail::Address Unpack(std::string_view text) {
  // A domain of U-labels may have been longer than a mailbox may be on the wire.
  auto address = mail::Address::Parse(text, {.utf8 = true, .mailbox_bytes_max = 2000});
  CHECK(address.has_value());
  return *std::move(address);
}

}  // namespace

Expansion Walk::Resolve(const mail::Address& recipient) {
  mail::Address address = recipient;
  if (address.domain.empty()) address.domain = book_.default_domain_;
  Visit(address);
  return Finish();
}

Expansion Walk::ResolveUnknown(const mail::Address& recipient) {
  const mail::Address address = book_.InOwnDomain(recipient);
  if (const auto entry = book_.catch_alls_.Find(address.domain)) {
    out_.is_alias = true;
    path_.push_back(entry->key);
    FollowTargets(address, entry->value.substr(1), {});
  }
  return Finish();
}

Expansion Walk::Finish() {
  const bool failed = out_.outcome == Outcome::kLoop || out_.outcome == Outcome::kTableError;
  if (failed) {
    out_.destinations.clear();
  } else if (out_.destinations.empty()) {
    out_.outcome = Outcome::kUnknown;
  }
  return std::move(out_);
}

void Walk::Visit(const mail::Address& address) {
  if (const auto found = FindEntry(address)) return Follow(address, *found);
  if (!book_.domain_aliases_.contains(address.domain)) return Arrive(address);
  const mail::Address own = book_.InOwnDomain(address);
  if (const auto found = FindEntry(own)) return Follow(own, *found);
  Arrive(own);
}

std::optional<Walk::Found> Walk::FindEntry(const mail::Address& address) const {
  if (book_.entries_.empty()) return std::nullopt;
  if (const auto entry = book_.entries_.Find(address.CanonicalKey())) return Found{*entry, {}};
  const std::string_view detail = address.Detail(book_.delimiter_);
  if (detail.empty()) return std::nullopt;
  const auto entry = book_.entries_.Find(address.WithoutDetail(book_.delimiter_).CanonicalKey());
  if (!entry) return std::nullopt;
  return Found{*entry, detail};
}

void Walk::Follow(const mail::Address& address, const Found& found) {
  const std::string_view key = found.entry.key;
  out_.is_alias = true;
  // "bob: bob, archive" keeps a copy for bob: an entry that names itself means the mailbox, as in Postfix.
  if (!path_.empty() && path_.back() == key) return Arrive(address);
  if (std::ranges::find(path_, key) != path_.end()) {
    return Fail(Outcome::kLoop, fmt::format("{} leads back to itself through {}", key, path_.back()));
  }
  if (!followed_.insert(key).second) return;
  if (path_.size() >= book_.limits_.depth_max) {
    return Fail(Outcome::kTableError, fmt::format("{} lies behind more than {} other entries", key, path_.size()));
  }
  const bool is_virtual = found.entry.value.front() == AddressBook::kVirtual;
  if (path_.empty() && !is_virtual) TakeOwner(key);
  path_.push_back(key);
  FollowTargets(address, found.entry.value.substr(1), is_virtual ? found.detail : std::string_view());
  path_.pop_back();
}

void Walk::FollowTargets(const mail::Address& from, std::string_view packed, std::string_view detail) {
  ForEachPacked(packed, [&](TargetKind kind, std::string_view text) {
    if (out_.outcome != Outcome::kResolved) return;
    if (kind == TargetKind::kDomain) return Visit({.local = from.local, .domain = std::string(text)});
    mail::Address target = Unpack(text);
    const bool keeps_detail =
        !detail.empty() && book_.IsLocalDomain(target.domain) && target.Detail(book_.delimiter_).empty();
    if (keeps_detail) target.local.append(1, book_.delimiter_).append(detail);
    if (kind == TargetKind::kFinal) {
      Arrive(book_.InOwnDomain(std::move(target)));
    } else {
      Visit(target);
    }
  });
}

// No entry is left to follow.
void Walk::Arrive(const mail::Address& address) {
  if (book_.IsLocalDomain(address.domain)) return AddDestination(book_.LocalDestination(address));
  if (book_.IsRelayDomain(address.domain)) return ArriveAtRelay(address);
  if (path_.empty()) out_.outcome = Outcome::kNotOurs;
  AddDestination({.address = address, .account = {}});
}

void Walk::ArriveAtRelay(const mail::Address& address) {
  if (book_.IsKnownToRelay(address)) return AddDestination({.address = address, .account = {}});
  const auto entry = book_.catch_alls_.Find(address.domain);
  // A catch-all that leads to an unknown address of its own domain does not catch that one again.
  if (entry && followed_.insert(entry->key).second) {
    out_.is_alias = true;
    path_.push_back(entry->key);
    FollowTargets(address, entry->value.substr(1), {});
    path_.pop_back();
    return;
  }
  out_.missing.push_back(address.ToString());
}

void Walk::AddDestination(Destination destination) {
  if (out_.is_alias && !seen_.insert(destination.address.ToString()).second) return;
  if (out_.destinations.size() >= book_.limits_.recipients_max) {
    return Fail(Outcome::kTableError, fmt::format("it expands to more than {} recipients", out_.destinations.size()));
  }
  out_.destinations.push_back(std::move(destination));
}

// aliases(5): what cannot be delivered to the members of NAME goes to owner-NAME, if there is one; that name itself has
// no owner, so that there is an end.
void Walk::TakeOwner(std::string_view key) {
  constexpr std::string_view kOwner = "owner-";
  if (key.starts_with(kOwner)) return;
  std::string owner = fmt::format("{}{}", kOwner, key);
  if (book_.entries_.Find(owner)) out_.owner = std::move(owner);
}

void Walk::Fail(Outcome outcome, std::string reason) {
  out_.outcome = outcome;
  out_.reason = std::move(reason);
}

}  // namespace routing
