#include "admin/commands.h"

namespace admin {

Commands::Commands(const NodeParts& parts)
    : users_({.store = parts.store,
              .authenticator = parts.authenticator,
              .hashing = parts.hashing,
              .domains = parts.domains,
              .recipient_delimiter = parts.recipient_delimiter}),
      queue_(parts.queue, parts.clock),
      scrub_(parts.volume),
      status_({.queue = parts.queue,
               .volume = parts.volume,
               .log = parts.log,
               .clock = parts.clock,
               .version = parts.version,
               .hostname = parts.hostname,
               .sessions = parts.sessions}) {
  users_.AddTo(&table_);
  queue_.AddTo(&table_);
  scrub_.AddTo(&table_);
  status_.AddTo(&table_);
}

}  // namespace admin
