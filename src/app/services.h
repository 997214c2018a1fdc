// Services: what a node offers at its addresses, made from its parts.
#pragma once

#include <string>

#include "app/node_parts.h"
#include "base/result.h"

namespace app {

// What accounts may store, as configured.
store::QuotaRule QuotaRuleOf(const NodeConfig& config);

// Makes settings and sessions of each protocol and opens all sockets. Errors: one sentence that names the address.
base::Result<> OpenServices(Node::Parts* parts);
// Starts to accept, and to deliver what is queued.
void StartServices(Node::Parts* parts);

// Where the node listens, and two commands to try.
std::string WelcomeText(const Node::Parts& parts);

}  // namespace app
