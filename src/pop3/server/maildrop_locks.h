// MaildropLocks: one POP3 session an account at a time (RFC 1939 §4).
#pragma once

#include <optional>
#include <unordered_set>
#include <utility>

#include "store/types.h"

namespace pop3::server {

// Shared by all POP3 listeners. IMAP sessions and deliveries are not kept out: a session shows the maildrop as it was
// at login.
//
// Thread: one shard, that of the store. Outlives its locks.
class MaildropLocks {
 public:
  // Held until it dies.
  class Lock {
   public:
    Lock(MaildropLocks* locks, store::AccountId account) : locks_(locks), account_(account) {}
    Lock(Lock&& other) noexcept : locks_(std::exchange(other.locks_, nullptr)), account_(other.account_) {}
    Lock& operator=(Lock&&) = delete;
    ~Lock() {
      if (locks_ != nullptr) locks_->held_.erase(account_);
    }

   private:
    MaildropLocks* locks_;
    store::AccountId account_;
  };

  // None when another session holds it.
  std::optional<Lock> TryLock(store::AccountId account) {
    if (!held_.insert(account).second) return std::nullopt;
    return Lock(this, account);
  }

 private:
  std::unordered_set<store::AccountId> held_;
};

}  // namespace pop3::server
