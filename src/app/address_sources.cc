#include "app/address_sources.h"

#include <algorithm>
#include <limits>

namespace app {

routing::Sources AddressSources(const NodeConfig& config) {
  routing::Limits limits;
  limits.recipients_max = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(config.recipients_max, std::numeric_limits<std::uint32_t>::max()));
  return {.domains = config.domains,
          .domain_aliases = config.domain_aliases,
          .relay_domains = config.relay_domains,
          .alias_files = config.alias_files,
          .virtual_files = config.virtual_files,
          .sender_login_files = config.sender_login_files,
          .relay_recipient_files = config.relay_recipient_files,
          .trusted_networks = config.trusted_networks,
          .postmaster = config.postmaster,
          .recipient_delimiter = config.recipient_delimiter.front(),
          .limits = limits};
}

base::Result<std::shared_ptr<const routing::AddressBook>> LoadAddresses(const NodeConfig& config) {
  return routing::AddressBook::Load(AddressSources(config));
}

}  // namespace app
