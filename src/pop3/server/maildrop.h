// Maildrop: the messages of an account as one POP3 session sees them, numbered from 1 (RFC 1939 §5).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "pop3/proto/uidl_format.h"
#include "pop3/server/maildrop_locks.h"
#include "store/types.h"

namespace pop3::server {

// A picture taken at login: what arrives later is not in it. Deletions are marks, until QUIT carries them out.
//
// Thread: the session's. Memory: 16 bytes a message, and the unique ids that came with imported mail. Borrows the
// format of all others, which outlives it.
class Maildrop {
 public:
  struct Entry {
    std::uint64_t size_bytes = 0;
    std::uint32_t uid = 0;
    bool is_deleted = false;
  };

  Maildrop(MaildropLocks::Lock lock, store::MailboxId mailbox, std::uint32_t uid_validity,
           const proto::UidlFormat* uidl_format)
      : lock_(std::move(lock)), mailbox_(mailbox), uid_validity_(uid_validity), uidl_format_(uidl_format) {}

  // In order of UID, before the session numbers them. `uidl`: the message's own unique id, if it has one.
  void Add(std::uint32_t uid, std::uint64_t size_bytes, std::string uidl = {});

  store::MailboxId mailbox() const { return mailbox_; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(entries_.size()); }
  // Null when there is no such message, or it is marked as deleted.
  const Entry* Find(std::uint32_t number) const;
  // Stable over sessions: the message's own, or made of the UIDVALIDITY and the UID.
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
  const proto::UidlFormat* uidl_format_;
  std::unordered_map<std::uint32_t, std::string> own_ids_;  // By UID.
  std::vector<Entry> entries_;
  std::uint32_t kept_count_ = 0;
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace pop3::server
