#include "admin/commands.h"

namespace admin {

Commands::Commands(async::Executor executor, const NodeParts& parts)
    : users_({.store = parts.store,
              .authenticator = parts.authenticator,
              .hashing = parts.hashing,
              .domains = parts.domains,
              .recipient_delimiter = parts.recipient_delimiter}),
      mailboxes_(executor, {.store = parts.store,
                            .log = parts.log,
                            .uidl_format = parts.uidl_format,
                            .message_bytes_max = parts.message_bytes_max}),
      queue_(parts.queue, parts.clock),
      queue_changes_(std::move(executor), parts.queue, parts.clock),
      scrub_(parts.volume),
      status_({.queue = parts.queue,
               .volume = parts.volume,
               .log = parts.log,
               .clock = parts.clock,
               .version = parts.version,
               .hostname = parts.hostname,
               .sessions = parts.sessions}),
      trace_(parts.history, parts.queue, parts.clock) {
  users_.AddTo(&table_);
  mailboxes_.AddTo(&table_);
  queue_.AddTo(&table_);
  queue_changes_.AddTo(&table_);
  scrub_.AddTo(&table_);
  status_.AddTo(&table_);
  trace_.AddTo(&table_);
}

async::Task<void> Commands::Stop() {
  co_await mailboxes_.Stop();
  co_await queue_changes_.Stop();
}

}  // namespace admin
