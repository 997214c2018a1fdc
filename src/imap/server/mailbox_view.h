// MailboxView: the selected mailbox as this client knows it, message by number (RFC 3501 §2.3.1.2, §7.4.1).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "imap/proto/flags.h"
#include "imap/proto/sequence_set.h"
#include "store/mail_store.h"

namespace imap {

// Numbers messages from 1 in the order of their UIDs, and changes the numbering only when it tells the client so.
//
// Owner: the session that selected the mailbox. Pure: it is given what changed and writes what the client is to be
// told.
class MailboxView {
 public:
  // Messages with a UID from `first_recent_uid` on are \Recent here (RecentTracker).
  MailboxView(std::vector<std::uint32_t> uids, std::uint64_t modseq, std::uint32_t first_recent_uid,
              std::vector<std::string> keywords);

  std::uint32_t size() const { return static_cast<std::uint32_t>(uids_.size()); }
  std::uint32_t uid(std::uint32_t sequence) const { return uids_[sequence - 1]; }
  std::optional<std::uint32_t> SequenceOf(std::uint32_t uid) const;
  std::uint32_t last_uid() const { return uids_.empty() ? 0 : uids_.back(); }
  bool IsRecent(std::uint32_t uid) const;
  std::uint32_t recent_count() const;
  // What is known up to: ask the store for the changes since.
  std::uint64_t modseq() const { return modseq_; }

  // The sequence numbers a set names, ascending.
  std::vector<std::uint32_t> Numbers(const SequenceSet& set, bool by_uid) const;

  // Announces the message's keywords that FLAGS has not named yet: before they are used (RFC 3501 §7.2.6).
  void LearnKeywords(const store::Message& message, std::string& out);

  // Whether changed flags are told with their MODSEQ.
  void TellModseqs(bool tell) { tells_modseqs_ = tell; }

  // The client has just been told the flags of this message as of `modseq` (or set them silently): not to be repeated.
  void Told(std::uint32_t uid, std::uint64_t modseq) { told_[uid] = modseq; }

  enum class Expunges { kAllowed, kHeldBack };
  // Takes over what changed since modseq() and appends the untagged responses. With kHeldBack messages that are gone
  // keep their numbers until a later call (RFC 3501 §7.4.1). New messages from `first_recent_uid` on are \Recent here.
  void Apply(const store::Changes& changes, Expunges expunges, std::uint32_t first_recent_uid, std::string& out);
  // Whether expunged messages still have their numbers.
  bool has_held_back() const { return !gone_.empty(); }

 private:
  void AddRecent(std::uint32_t uid);
  void TellExpunged(std::string& out);
  void TellChanged(const store::Message& message, std::uint32_t sequence, std::string& out);

  std::vector<std::uint32_t> uids_;
  std::uint64_t modseq_;
  std::vector<NumberRange> recent_;  // Of UIDs, ascending; what no other session was told of before this one.
  FlagSet flags_;                    // All that FLAGS has named.
  std::unordered_map<std::uint32_t, std::uint64_t> told_;
  bool tells_modseqs_ = false;
  std::unordered_set<std::uint32_t> gone_;  // Expunged, not yet told.
};

// The store's flags in the protocol's words, and back.
FlagSet ToFlagSet(const store::Flags& flags);
store::Flags ToStoreFlags(const FlagSet& flags);

}  // namespace imap
