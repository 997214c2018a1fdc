// AddressBook: where mail for an address goes: domains of ours, aliases, virtual users, catch-alls, relay domains; who
// may send as whom; which networks may relay.
//
//   ASSIGN_OR_RETURN(std::shared_ptr<const routing::AddressBook> book, routing::AddressBook::Load(sources));
//   const routing::Expansion expansion = book->Resolve(address);
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/address.h"
#include "routing/flat_table.h"
#include "routing/limits.h"
#include "routing/networks.h"
#include "routing/problem.h"
#include "routing/table_text.h"

namespace routing {

// What the configuration says. The formats of the files are those of docs/configuration.md, "Addresses".
struct Sources {
  std::vector<std::string> domains;         // Canonical. The first one is that of names without a domain.
  std::vector<std::string> domain_aliases;  // "example.net = example.org".
  std::vector<std::string> relay_domains;   // Canonical. Mail for them is taken from anybody and sent on.
  std::vector<std::string> alias_files;
  std::vector<std::string> virtual_files;
  std::vector<std::string> sender_login_files;
  std::vector<std::string> relay_recipient_files;
  std::vector<std::string> trusted_networks;  // May relay without a login. CIDR.
  std::string postmaster;                     // The account of postmaster of every domain; empty: none.
  char recipient_delimiter = '+';
  Limits limits;
};

// One mailbox that an address leads to, here or elsewhere.
struct Destination {
  mail::Address address;
  std::string account;  // Canonical, without detail; empty: not here.

  bool is_local() const { return !account.empty(); }
  friend bool operator==(const Destination&, const Destination&) = default;
};

enum class Outcome : std::uint8_t {
  kResolved,    // To the destinations. Whether accounts of these names exist is not known here.
  kUnknown,     // The domain is ours, the address is not.
  kNotOurs,     // Somebody else's domain: the destination is the address itself, for those who may relay.
  kLoop,        // Entries lead back to themselves.
  kTableError,  // Entries lead too far or to too many: the operator's to mend.
};

struct Expansion {
  Outcome outcome = Outcome::kResolved;
  std::vector<Destination> destinations;
  bool is_alias = false;  // An entry stood between.
  std::string owner;      // owner-NAME of an alias NAME that has one: gets the bounces. Empty: the sender does.
  std::vector<std::string> missing;  // Targets that no relay domain knows; the others are in `destinations`.
  std::string reason;                // For the log, of kLoop and kTableError.
};

// A value: nothing in it changes once it is made; a reload makes another one. Thread: any.
// Owners: whoever serves mail holds the one in force, and sessions the one they began to use.
// Memory: the bytes of keys and targets, and about 20 an entry.
class AddressBook {
 public:
  // Reads the files: it blocks. Errors: kInvalid (the first problem, and how many others there are).
  static base::Result<std::shared_ptr<const AddressBook>> Load(const Sources& sources);
  // All problems that Load() would find, and, when there are none, entries that lead in circles or too far.
  static std::vector<Problem> Check(const Sources& sources);

  // Where mail for the recipient goes. An address without a domain is one of the first domain of ours. Sub-addresses
  // ("user+detail") are looked up with their detail first, then without; local targets of virtual(5) entries get it.
  Expansion Resolve(const mail::Address& recipient) const;
  // The same for an address of ours that has no account: its domain's catch-all. kUnknown when there is none.
  Expansion ResolveUnknown(const mail::Address& recipient) const;

  // May the account (canonical) use this address as a sender's? Its own, with any detail, those that lead to it, and
  // those that a sender login file gives it.
  bool MaySendAs(std::string_view account, const mail::Address& sender) const;
  // May clients of this IP address relay without a login?
  bool IsTrusted(std::string_view ip) const { return trusted_.Contains(ip); }

  bool IsLocalDomain(std::string_view domain) const { return local_.contains(domain); }
  bool IsRelayDomain(std::string_view domain) const { return relay_.contains(domain); }
  std::size_t size() const { return entries_.size() + catch_alls_.size() + senders_.size() + relay_recipients_.size(); }

 private:
  friend class BookLoader;
  friend class Walk;
  AddressBook() = default;

  // The value of an entry begins with the letter of its kind; packed targets follow.
  static constexpr char kAlias = 'A';
  static constexpr char kVirtual = 'V';

  bool IsOurs(std::string_view domain) const { return IsLocalDomain(domain) || IsRelayDomain(domain); }
  // With an alias of a domain replaced by that domain.
  mail::Address InOwnDomain(mail::Address address) const;
  bool IsKnownToRelay(const mail::Address& address) const;
  Destination LocalDestination(const mail::Address& address) const;
  bool SenderFileAllows(std::string_view account, const std::string& key) const;
  void AuditEntries(const std::vector<std::string>& files, Problems* problems) const;

  std::set<std::string, std::less<>> local_;
  std::set<std::string, std::less<>> relay_;
  std::map<std::string, std::string, std::less<>> domain_aliases_;
  std::string default_domain_;
  std::string postmaster_;
  char delimiter_ = '+';
  Limits limits_;
  FlatTable entries_;           // Canonical address -> kind and targets.
  FlatTable catch_alls_;        // Domain -> the same.
  FlatTable senders_;           // Canonical address or "@domain" -> logins, each with a line end.
  FlatTable relay_recipients_;  // Canonical address or "@domain" -> nothing.
  bool knows_relay_recipients_ = false;
  Networks trusted_;
};

}  // namespace routing
