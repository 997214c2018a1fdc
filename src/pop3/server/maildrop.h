// Maildrop: the messages of an account as one POP3 session sees them, numbered from 1 (RFC 1939 §5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pop3/server/maildrop_locks.h"
#include "store/types.h"

namespace pop3::server {

// A picture taken at login: what arrives later is not in it. Deletions are marks, until QUIT carries them out.
//
// Thread: the session's. Memory: 16 bytes a message.
class Maildrop {
 public:
  struct Entry {
    std::uint64_t size_bytes = 0;
    std::uint32_t uid = 0;
    bool is_deleted = false;
  };

  Maildrop(MaildropLocks::Lock lock, store::MailboxId mailbox, std::uint32_t uid_validity)
      : lock_(std::move(lock)), mailbox_(mailbox), uid_validity_(uid_validity) {}

  // In order of UID, before the session numbers them.
  void Add(std::uint32_t uid, std::uint64_t size_bytes);

  store::MailboxId mailbox() const { return mailbox_; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(entries_.size()); }
  // Null when there is no such message, or it is marked as deleted.
  const Entry* Find(std::uint32_t number) const;
  // Stable over sessions: the UIDVALIDITY and the UID of the mailbox.
  std::string UniqueId(const Entry& entry) const;

  void Delete(std::uint32_t number);
  void Reset();
  std::vector<std::uint32_t> DeletedUids() const;

  // Of those not deleted.
  std::uint32_t kept_count() const { return kept_count_; }
  std::uint64_t kept_bytes() const { return kept_bytes_; }

 private:
  MaildropLocks::Lock lock_;
  store::MailboxId mailbox_;
  std::uint32_t uid_validity_;
  std::vector<Entry> entries_;
  std::uint32_t kept_count_ = 0;
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace pop3::server
