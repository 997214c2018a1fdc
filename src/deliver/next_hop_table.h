// NextHopTable: which way mail of each domain goes, as the configuration says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "deliver/next_hop.h"
#include "smtp/client/client_session.h"

namespace deliver {

// How a server is spoken to that the configuration names.
struct NextHopSettings {
  smtp::ClientTls tls = smtp::ClientTls::kOpportunistic;
  std::shared_ptr<net::TlsContext> tls_context;  // Null: the courier's own, which verifies nothing.
  std::string username;                          // Empty: no AUTH.
  std::string password;
};

// Filled when the configuration is read, then only asked; a new configuration is a new table.
// Thread: one. Every look-up costs O(log n) for each label of the domain at most.
class NextHopTable {
 public:
  // Mailboxes of this node. Errors: kInvalid.
  base::Result<> AddLocal(std::string_view domain);
  // `pattern`: "example.org" that domain alone, ".example.org" all below it, "*" all others (a smarthost). The closest
  // one counts. Errors: kInvalid, kExists.
  base::Result<> Add(std::string_view pattern, const NextHop& hop);
  // For every domain that goes to this server.
  void SetSettings(const NextHop& hop, NextHopSettings settings);

  // `domain` in A-labels and lower case. Local domains first, then the table, else the domain's own MX.
  NextHop Find(const std::string& domain) const;
  // nullptr: the defaults.
  const NextHopSettings* SettingsOf(const NextHop& hop) const;
  // How this server is spoken to, where nothing else is said as in `defaults` (whose protocol is unused).
  smtp::ClientSettings ClientSettingsFor(const NextHop& hop, smtp::ClientSettings defaults) const;

  // The destination of a recipient as queue::Router has it. A recipient without a domain is ours (RFC 5321 §4.5.1).
  std::string DestinationOf(std::string_view recipient) const;

 private:
  std::set<std::string> local_;
  std::map<std::string, NextHop> hops_;              // By pattern.
  std::map<std::string, NextHopSettings> settings_;  // By NextHop::ToString().
};

}  // namespace deliver
