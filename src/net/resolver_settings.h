// How UnboundOptions become settings of libunbound.
#pragma once

#include "base/result.h"
#include "net/resolver_unbound.h"

namespace net {

// Sets up a new context, before its first question. Errors: as UnboundResolver::Make.
base::Result<> SetUp(ub_ctx* context, const UnboundOptions& options);

}  // namespace net
