// Walk: one address on its way through the entries of an AddressBook to its destinations.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address.h"
#include "routing/address_book.h"

namespace routing {

// Used once. Time: each entry is followed once at most, so that entries that lead to each other many times over cost no
// more than their number.
class Walk {
 public:
  explicit Walk(const AddressBook* book) : book_(*book) {}

  Expansion Resolve(const mail::Address& recipient);
  Expansion ResolveUnknown(const mail::Address& recipient);

 private:
  struct Found {
    FlatTable::Entry entry;
    std::string_view detail;  // Of the address, when the entry is that of the address without it.
  };
  std::optional<Found> FindEntry(const mail::Address& address) const;
  void Visit(const mail::Address& address);
  void Follow(const mail::Address& address, const Found& found);
  void FollowTargets(const mail::Address& from, std::string_view value, std::string_view detail);
  void Arrive(const mail::Address& address);
  void ArriveAtRelay(const mail::Address& address);
  void AddDestination(Destination destination);
  void TakeOwner(std::string_view key);
  void Fail(Outcome outcome, std::string reason);
  Expansion Finish();

  const AddressBook& book_;
  Expansion out_;
  std::vector<std::string_view> path_;       // Keys of the entries that led here.
  std::set<std::string_view> followed_;      // Keys of all entries that were followed.
  std::set<std::string, std::less<>> seen_;  // Destinations, once an entry has been followed.
};

}  // namespace routing
