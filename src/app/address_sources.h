// What the configuration says about addresses, for routing::AddressBook.
#pragma once

#include <memory>

#include "app/config.h"
#include "base/result.h"
#include "routing/address_book.h"

namespace app {

routing::Sources AddressSources(const NodeConfig& config);

// Reads all tables: blocks, and is for any thread. A reload puts the book into smtp::Services::addresses, on the shard.
base::Result<std::shared_ptr<const routing::AddressBook>> LoadAddresses(const NodeConfig& config);

}  // namespace app
