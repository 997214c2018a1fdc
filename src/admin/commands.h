// Commands: what the control socket can do to a node.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "admin/command_table.h"
#include "admin/mailbox_commands.h"
#include "admin/queue_changes.h"
#include "admin/queue_commands.h"
#include "admin/scrub_commands.h"
#include "admin/status_command.h"
#include "admin/trace_command.h"
#include "admin/user_commands.h"

namespace admin {

// The parts of a node that commands work on. The pointers are borrowed and outlive the Commands.
struct NodeParts {
  store::MailStore* store;
  queue::MailQueue* queue;
  mffs::Volume* volume;
  const replog::Log* log;
  history::History* history = nullptr;  // Null: nothing can be traced.
  auth::Authenticator* authenticator;
  async::WorkerPool* hashing;  // auth::HashPassword takes a tenth of a second.
  const base::Clock* clock;

  std::string version;  // Of the program.
  std::string hostname;
  // Canonical (mail::CanonicalDomain): the only ones that may have accounts. Changed between two commands by a reload.
  const std::vector<std::string>* domains;
  pop3::proto::UidlFormat uidl_format;
  std::uint64_t message_bytes_max = 50u << 20;  // Of a mail that is imported.
  char recipient_delimiter = '+';  // What follows it in an address is a detail, not part of an account's name.
  // Sessions open now, by protocol: {"imap", 12}.
  std::function<std::vector<std::pair<std::string, std::uint64_t>>()> sessions;
};

// Thread: the node's shard.
class Commands {
 public:
  Commands(async::Executor executor, const NodeParts& parts);
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  // Ends what commands have begun. Before the store stops.
  async::Task<void> Stop();

  const CommandTable* table() const { return &table_; }

 private:
  UserCommands users_;
  MailboxCommands mailboxes_;
  QueueCommands queue_;
  QueueChanges queue_changes_;
  ScrubCommands scrub_;
  StatusCommand status_;
  TraceCommand trace_;
  CommandTable table_;
};

}  // namespace admin
