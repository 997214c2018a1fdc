// RecentTracker: which messages nobody has been told of yet (\Recent, RFC 3501 §2.3.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "store/types.h"

namespace imap {

// Remembers for each mailbox the UID from which on messages are recent for the next session that is told of them and
// has it selected for writing. In memory only: after a restart all messages are recent once, as RFC 3501 wants where it
// is not known.
//
// Owner: the app, one for all sessions of the shard. Thread: that shard.
class RecentTracker {
 public:
  explicit RecentTracker(std::size_t mailboxes_max = 100'000) : mailboxes_max_(mailboxes_max) {}

  // The first recent UID; it stays so (EXAMINE, STATUS).
  std::uint32_t Peek(store::MailboxId mailbox) const {
    const auto found = first_recent_.find(mailbox);
    return found == first_recent_.end() ? 1 : found->second;
  }

  // The first recent UID for the caller; messages below `uid_next` are recent for nobody else from now on.
  std::uint32_t Claim(store::MailboxId mailbox, std::uint32_t uid_next) {
    // Forgetting all makes old messages recent once more; that costs nobody anything.
    if (first_recent_.size() >= mailboxes_max_ && !first_recent_.contains(mailbox)) first_recent_.clear();
    std::uint32_t& first = first_recent_.try_emplace(mailbox, 1).first->second;
    const std::uint32_t claimed = first;
    if (uid_next > first) first = uid_next;
    return claimed;
  }

 private:
  std::size_t mailboxes_max_;
  std::unordered_map<store::MailboxId, std::uint32_t> first_recent_;
};

}  // namespace imap
