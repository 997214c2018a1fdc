// The log entries of the store: what a change says, with every value decided before it is proposed.
// docs/format/store.md "Entries". Views point into the bytes that were decoded (or that the proposer holds). Decoding
// takes hostile bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "mail/delivery_id.h"
#include "store/types.h"
#include "store/watermark.h"

namespace store {

// In the log: never renumber.
enum class EntryType : std::uint8_t {
  kCreateAccount = 1,
  kSetPassword = 2,
  kRemoveAccount = 3,
  kDeliver = 4,
  kCreateMailbox = 5,
  kDeleteMailbox = 6,
  kRenameMailbox = 7,
  kSubscribe = 8,
  kAppend = 9,
  kStoreFlags = 10,
  kCopy = 11,
  kExpunge = 12,
  kPurge = 13,
  kImport = 14,
  kSetUids = 15,
  kImportFlags = 16,
  kStoreFlagsIf = 17,
  kSpecialMailboxes = 18,
  kSetQuota = 19,
  kQuotaWarning = 20,
  kCredentials = 21,
  kDeliverDirect = 22,
};
inline constexpr EntryType kNewestEntryType = EntryType::kDeliverDirect;
inline constexpr std::uint8_t kEntryVersion = 2;       // The newest.
inline constexpr std::uint8_t kEntryVersionPlain = 1;  // Of all entries without an EntryQuota.
inline constexpr std::uint8_t kEntryVersionWithQuota = 2;

// How the account's quota counts for an entry that brings mail: what is configured travels with it, so that nodes with
// another configuration decide the same.
struct EntryQuota {
  bool is_enforced = false;  // False: the proposer knows that there is room. It has set it aside.
  QuotaRule rule;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct CreateAccountEntry {
  std::string_view address;
  std::string_view password_hash;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct SetPasswordEntry {
  std::string_view address;
  std::string_view password_hash;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// In the log: never renumber.
enum class CredentialsChange : std::uint8_t {
  kCreateAccount = 0,  // As CreateAccountEntry, with keys.
  kReplace = 1,        // As SetPasswordEntry, with keys.
  kAddKeys = 2,        // Only while the account still has this password hash, and no keys.
};
inline constexpr CredentialsChange kLastCredentialsChange = CredentialsChange::kAddKeys;

// A password with its keys for SCRAM.
struct CredentialsEntry {
  CredentialsChange change = CredentialsChange::kReplace;
  std::string_view address;
  std::string_view password_hash;
  std::string_view scram_keys;  // kScramKeysBytesMax at most.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct RemoveAccountEntry {
  std::string_view address;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct DeliverEntry {
  struct Target {
    std::uint32_t account = 0;  // Its INBOX has the same number.
    mail::DeliveryId delivery_id;
    std::string_view prefix;
  };
  // No retry of what is settled can come any more.
  struct Settled {
    std::uint32_t queue_partition = 0;
    Watermark mark;
  };
  std::int64_t date_us = 0;
  std::uint32_t ids_kept_hours = 0;
  std::vector<Target> targets;
  std::vector<Settled> settled;
  std::optional<EntryQuota> quota{};
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// Of a mail that did not go through the queue: with what only the history asks for.
struct DeliverDirectEntry {
  DeliverEntry delivery;
  std::string_view mail_id;
  std::string_view client_ip;
  std::string_view helo;
  std::string_view auth_account;
  std::string_view protocol;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// Limits of the account travel in the entry, so that nodes with another configuration decide the same.
struct CreateMailboxEntry {
  std::uint32_t account = 0;
  std::string_view name;
  std::uint32_t names_max = 0;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct DeleteMailboxEntry {
  std::uint32_t account = 0;
  std::string_view name;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct RenameMailboxEntry {
  std::uint32_t account = 0;
  std::string_view from;
  std::string_view to;
  std::uint32_t names_max = 0;
  std::uint32_t name_bytes_max = 0;  // For the children, whose names grow with their parent's.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct SubscribeEntry {
  std::uint32_t account = 0;
  std::string_view name;
  bool subscribed = false;
  std::uint32_t names_max = 0;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// The mailboxes of special use, once in an account's life: those that are there get their use, the others are made.
struct SpecialMailboxesEntry {
  struct Item {
    SpecialUse use = SpecialUse::kNone;
    std::string_view name;
  };
  std::uint32_t account = 0;
  std::uint32_t names_max = 0;
  std::vector<Item> items;  // Of different uses and names.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct EntryFlags {
  std::uint8_t system = 0;
  std::vector<std::string_view> keywords;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct AppendEntry {
  std::uint32_t mailbox = 0;
  EntryFlags flags;
  std::int64_t date_us = 0;
  std::optional<EntryQuota> quota{};
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct StoreFlagsEntry {
  std::uint32_t mailbox = 0;
  std::uint8_t change = 0;  // FlagsChange.
  EntryFlags flags;
  std::vector<std::uint32_t> uids;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// StoreFlags of those messages that nobody has changed since the client looked (RFC 7162 §3.1.3).
struct StoreFlagsIfEntry {
  StoreFlagsEntry change;
  std::uint64_t unchanged_since = 0;  // Messages with a greater MODSEQ stay as they are.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct CopyEntry {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  bool move = false;  // The sources are expunged in the same entry.
  std::vector<std::uint32_t> uids;
  std::optional<EntryQuota> quota{};
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

struct ExpungeEntry {
  std::uint32_t mailbox = 0;
  bool only_deleted = false;
  std::vector<std::uint32_t> uids;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// Removes up to kPurgeStep messages of a deleted mailbox, so that no apply takes long however large the mailbox was.
inline constexpr std::uint32_t kPurgeStep = 1000;
struct PurgeEntry {
  std::uint32_t mailbox = 0;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// A message that comes from another mail system, with its UID there if the mailbox can still give it.
struct ImportEntry {
  std::uint32_t mailbox = 0;
  std::uint32_t uid = 0;  // 0: the next one.
  EntryFlags flags;
  std::int64_t date_us = 0;
  std::string_view origin;  // kOriginBytes: what the message is there. Imported once only.
  std::string_view uidl;    // See Message::uidl.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// Gives an unused mailbox the UIDVALIDITY that it had elsewhere, and keeps UIDs that were used there from being used
// here.
struct SetUidsEntry {
  std::uint32_t mailbox = 0;
  std::uint32_t uid_validity = 0;  // 0: stays.
  std::uint32_t uid_next = 0;      // Smaller than what it is: stays.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// Flags that imported messages have at their source now, for those whose flags only imports have changed here.
struct ImportFlagsEntry {
  struct Message {
    std::string_view origin;  // kOriginBytes.
    EntryFlags flags;
  };
  std::uint32_t mailbox = 0;
  std::vector<Message> messages;  // Ascending by origin, none twice; at most kSourceFlagsMax.
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// What of an account's quota is its own.
struct SetQuotaEntry {
  std::string_view address;
  OwnQuota own;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// The mail that warns an account's owner, once for each warning that is due.
struct QuotaWarningEntry {
  std::uint32_t account = 0;
  std::uint8_t percent = 0;  // That the warning is about: dropped when another, or none, is due.
  std::int64_t date_us = 0;
  std::string_view prefix;
  void Write(base::Encoder& out) const;
  bool Read(base::Decoder& in);
};

// The quota of an entry that brings mail.
template <class Entry>
  requires requires(Entry& entry) { entry.quota.has_value(); }
auto& QuotaOf(Entry& entry) {
  return entry.quota;
}
inline std::optional<EntryQuota>& QuotaOf(DeliverDirectEntry& entry) {
  return entry.delivery.quota;
}
inline const std::optional<EntryQuota>& QuotaOf(const DeliverDirectEntry& entry) {
  return entry.delivery.quota;
}
template <class Entry>
concept BringsMailUnderQuota = requires(const Entry& entry) { QuotaOf(entry).has_value(); };

template <class Entry>
std::string EncodeEntry(const Entry& entry) {
  std::string text;
  base::Encoder out(text);
  if constexpr (BringsMailUnderQuota<Entry>) {
    if (QuotaOf(entry).has_value()) {
      out.U8(kEntryVersionWithQuota);
      entry.Write(out);
      QuotaOf(entry)->Write(out);
      return text;
    }
  }
  out.U8(kEntryVersionPlain);
  entry.Write(out);
  return text;
}

// False: not an entry of this type and version. `entry` may be reused to save its memory.
template <class Entry>
bool DecodeEntry(std::string_view text, Entry& entry) {
  base::Decoder in(text);
  const std::uint8_t version = in.U8();
  if constexpr (BringsMailUnderQuota<Entry>) {
    QuotaOf(entry).reset();
    if (version == kEntryVersionWithQuota) return entry.Read(in) && QuotaOf(entry).emplace().Read(in) && in.AtEnd();
  }
  return version == kEntryVersionPlain && entry.Read(in) && in.AtEnd();
}

}  // namespace store
