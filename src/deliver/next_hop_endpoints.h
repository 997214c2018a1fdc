// FindEndpoints: the addresses that a next hop is reached at, in the order to try them.
#pragma once

#include <string>
#include <vector>

#include "async/asio.h"
#include "base/random.h"
#include "deliver/hop_session.h"
#include "deliver/mail_hosts.h"
#include "deliver/next_hop.h"
#include "net/resolver.h"

namespace deliver {

struct Endpoints {
  MailHosts::Kind kind = MailHosts::Kind::kTryAgain;
  std::vector<Endpoint> list;  // With kHosts at least one.
  std::string status;          // As in MailHosts.
  std::string reason;
};

// Of kMx what the DNS says; else the one server, by the addresses of its name. A server that the operator named and the
// DNS does not know is kTryAgain: a mistake in the configuration returns no mail. "localhost" is not asked for
// (RFC 6761 §6.3). Pointers are never null and outlive the task; the hop is not kLocal.
async::Task<Endpoints> FindEndpoints(net::Resolver* resolver, NextHop hop, const MailHostOptions* options,
                                     base::Random* random);

}  // namespace deliver
