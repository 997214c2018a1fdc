// FindMailHosts: which hosts take the mail of a domain, in the order to try them (RFC 5321 §5.1).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "async/asio.h"
#include "base/random.h"
#include "net/resolver.h"

namespace deliver {

// One address to connect to.
struct MailHost {
  std::string name;  // In A-labels and lower case, no last dot; of a domain literal the literal: "[192.0.2.1]".
  std::string ip;    // As inet_ntop writes it, without brackets: "192.0.2.1", "2001:db8::1".
  std::uint16_t port = 25;
  bool is_secure = false;  // DNSSEC vouches for the MX and for the address: what DANE asks first (RFC 7672 §2.2).
};

struct MailHosts {
  enum class Kind : std::uint8_t {
    kHosts,     // `hosts` has at least one.
    kTryAgain,  // The DNS gave no answer that stands: the mail waits. Never a reason to give it back.
    kNever,     // The answer stands and has no host for this mail: it goes back to its sender.
  };
  Kind kind = Kind::kTryAgain;
  std::vector<MailHost> hosts;
  // RFC 3463, for log and DSN; empty with kHosts.
  // kTryAgain: 4.4.3 (the DNS).  kNever: 5.1.2 (no such domain, or nothing there takes mail), 5.1.3 (a malformed domain
  // or literal), 5.1.10 (null MX, RFC 7505), 5.4.4 (none of the hosts it names can be used), 5.4.6 (we are its host).
  std::string status;
  std::string reason;  // A sentence, without what a stranger may have put in the DNS unescaped; empty with kHosts.
};

struct MailHostOptions {
  std::uint16_t port = 25;  // Of every host; tests have others.
  // For the whole search. What is known by then is used: a dead name server of one host does not hold up the others.
  std::chrono::milliseconds deadline{5000};
  // Once an address of a better host is known, how much longer the search waits for those of the lesser hosts.
  std::chrono::milliseconds lesser_hosts_wait{1000};
  std::size_t mx_max = 50;         // The best by preference; the rest is not looked at.
  std::size_t addresses_max = 20;  // Of the result.
  std::size_t hosts_at_once = 8;   // Whose addresses are asked for at the same time: two questions each.

  // For loop detection: this node by name (lower case, A-labels: its host name, what it says in EHLO) and by address
  // (of its interfaces, and those under which a NAT or proxy is reached from outside).
  std::vector<std::string> own_names;
  std::vector<std::string> own_addresses;
  // A host at 127.0.0.0/8, ::1, 0.0.0.0 or :: is this node too: without that a stranger's DNS could turn our mail round
  // to us, or to a service that trusts loopback. Off only where other servers do listen there, as in tests.
  bool loopback_is_own = true;
  // RFC 2181 §10.3: an MX may not name an alias (CNAME), and a host that does is passed over. True: take it all the
  // same.
  bool takes_aliases = false;
};

// Looks for the hosts of `domain`: a name (A- or U-labels) or a literal "[192.0.2.1]", "[IPv6:2001:db8::1]".
//
// MX by preference, the lowest first. All addresses of one preference are one pool, whichever host they are of:
// shuffled to spread the load, then the families taken in turn, so that a network without IPv6 (or IPv4) costs one
// failed connection and not one a host. So does Postfix (smtp_address_preference = any, smtp_randomize_addresses,
// smtp_balance_inet_protocols); RFC 5321 §5.1 leaves the order of families open.
// Without MX the domain is its own host (implicit MX). An MX that is an address in digits, an alias or has no address
// is passed over. Hosts of the preference of this node and lesser ones are dropped, since they are us or get mail from
// us.
//
// Thread: the shard. Keeps nothing: the resolver caches. All three pointers are never null and outlive the task.
// Never fails: each temporary failure of the DNS that leaves no host is kTryAgain.
async::Task<MailHosts> FindMailHosts(net::Resolver* resolver, std::string domain, const MailHostOptions* options,
                                     base::Random* random);

}  // namespace deliver
