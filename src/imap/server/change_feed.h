// ChangeFeed: asks the store what has changed, and does not wait for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "store/mail_store.h"

namespace imap {

// NOOP is how clients ask whether the server is alive: it is answered in time even when the store stands still, and
// what has changed is told with a later command.
//
// Owner: the session, which awaits Stop() before destruction. Thread: the store's shard. Borrows the store.
class ChangeFeed {
 public:
  static constexpr std::chrono::milliseconds kPatience{30};

  ChangeFeed(async::Executor executor, store::MailStore* store)
      : store_(store), reads_(executor, "imap changes"), done_(executor) {}

  // Nothing when the store did not answer in time.
  async::Task<std::optional<base::Result<store::Changes>>> Ask(store::MailboxId mailbox, std::uint64_t modseq);

  async::Task<void> Stop() { return reads_.Stop(); }

 private:
  async::Task<void> Read(store::MailboxId mailbox, std::uint64_t modseq);

  store::MailStore* store_;
  async::TaskGroup reads_;
  async::Notifier done_;
  bool reading_ = false;
  std::optional<base::Result<store::Changes>> answer_;
};

}  // namespace imap
