// ChangeWaiters: sessions that wait for a change of a mailbox.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "async/asio.h"
#include "async/notifier.h"
#include "store/types.h"

namespace store {

// Thread: the shard.
class ChangeWaiters {
 public:
  ChangeWaiters(async::Executor executor, std::size_t mailboxes_max)
      : executor_(executor), mailboxes_max_(mailboxes_max) {}

  // One session's interest in a mailbox, from its construction on. Without room nothing is watched, and Wait returns
  // soon.
  class Watch {
   public:
    Watch(ChangeWaiters* waiters, MailboxId mailbox);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Returns when the mailbox has changed since the construction, or after `timeout`.
    async::Task<void> Wait(std::chrono::milliseconds timeout);

   private:
    ChangeWaiters* waiters_;
    MailboxId mailbox_;
    bool is_watched_;
    std::uint64_t changes_before_ = 0;
  };

  // Wakes who watches the mailbox.
  void Changed(MailboxId mailbox);

 private:
  struct Watched {
    explicit Watched(async::Executor executor) : changed(executor) {}
    async::Notifier changed;
    std::uint64_t changes = 0;
    std::uint32_t watches = 0;
  };

  async::Executor executor_;
  std::size_t mailboxes_max_;
  std::unordered_map<MailboxId, std::unique_ptr<Watched>> mailboxes_;
};

}  // namespace store
