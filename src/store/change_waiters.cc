#include "store/change_waiters.h"

#include <algorithm>

#include "async/deadline.h"

namespace store {

namespace {

// How often a session looks by itself when there are too many to watch for.
constexpr std::chrono::milliseconds kUnwatchedInterval{1000};

}  // namespace

ChangeWaiters::Watch::Watch(ChangeWaiters* waiters, MailboxId mailbox) : waiters_(waiters), mailbox_(mailbox) {
  is_watched_ = waiters->mailboxes_.size() < waiters->mailboxes_max_ || waiters->mailboxes_.contains(mailbox);
  if (!is_watched_) return;
  auto& watched = waiters->mailboxes_[mailbox];
  if (watched == nullptr) watched = std::make_unique<Watched>(waiters->executor_);
  watched->watches += 1;
  changes_before_ = watched->changes;
}

ChangeWaiters::Watch::~Watch() {
  if (!is_watched_) return;
  const auto found = waiters_->mailboxes_.find(mailbox_);
  found->second->watches -= 1;
  if (found->second->watches == 0) waiters_->mailboxes_.erase(found);
}

async::Task<void> ChangeWaiters::Watch::Wait(std::chrono::milliseconds timeout) {
  if (!is_watched_) {
    co_await async::Sleep(std::min(timeout, kUnwatchedInterval));
    co_return;
  }
  Watched* watched = waiters_->mailboxes_.find(mailbox_)->second.get();
  if (watched->changes == changes_before_) co_await watched->changed.WaitFor(timeout);
}

void ChangeWaiters::Changed(MailboxId mailbox) {
  const auto found = mailboxes_.find(mailbox);
  if (found == mailboxes_.end()) return;
  found->second->changes += 1;
  found->second->changed.NotifyAll();
}

}  // namespace store
