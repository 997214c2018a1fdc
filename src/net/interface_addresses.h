// The addresses of this machine, by which it knows itself when the DNS names it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace net {

// The IPv4 and IPv6 addresses of all interfaces that are up, loopback's too, each once, as inet_ntop writes them.
// Errors: kIo.
base::Result<std::vector<std::string>> InterfaceAddresses();

}  // namespace net
