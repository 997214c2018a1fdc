// The words of the store: accounts, mailboxes, messages, flags.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "replog/types.h"

namespace store {

// Both are unique on the node, carry their partition in the high 32 bits, and are never used again.
using AccountId = base::Id<struct AccountIdTag>;
using MailboxId = base::Id<struct MailboxIdTag>;
inline replog::PartitionId PartitionOf(AccountId id) {
  return replog::PartitionId(static_cast<std::uint32_t>(id.value() >> 32));
}
inline replog::PartitionId PartitionOf(MailboxId id) {
  return replog::PartitionId(static_cast<std::uint32_t>(id.value() >> 32));
}

// What an account's password is checked against. Locked: a hash that begins with '!' or '*' fits no password.
struct Credentials {
  std::string password_hash;  // crypt(5).
  std::string scram_keys;     // As auth writes them (auth/scram_keys.h); empty: none.
};
inline constexpr std::size_t kScramKeysBytesMax = 512;
// Whether somebody can log in with a password, but not with SCRAM.
inline bool LacksScramKeys(std::string_view password_hash, std::string_view scram_keys) {
  return scram_keys.empty() && !password_hash.starts_with('!') && !password_hash.starts_with('*');
}

struct Account {
  AccountId id;
  std::string address;  // Canonical (mail::Address::CanonicalKey).
  std::uint64_t mails = 0;
  std::uint64_t bytes = 0;
  bool has_special_mailboxes = false;  // They were made, or found, once; the user may have deleted them since.
  bool has_scram_keys = false;
};

// What a mailbox is for (RFC 6154). In the log and the index: never renumber.
enum class SpecialUse : std::uint8_t { kNone = 0, kDrafts = 1, kSent = 2, kJunk = 3, kTrash = 4, kArchive = 5 };
inline constexpr SpecialUse kLastSpecialUse = SpecialUse::kArchive;

// Flags of a message. System flags are bits (RFC 3501 §2.3.2); \Recent belongs to sessions, not to the store.
struct Flags {
  static constexpr std::uint8_t kSeen = 1, kAnswered = 2, kFlagged = 4, kDeleted = 8, kDraft = 16;
  std::uint8_t system = 0;
  std::vector<std::string> keywords;  // As first written, sorted without regard to case, none twice.
  friend bool operator==(const Flags&, const Flags&) = default;
};
inline constexpr std::size_t kKeywordsPerMailboxMax = 256;
inline constexpr std::size_t kKeywordBytesMax = 128;

// What a message is in the mail system that it was imported from: a digest of its place and name there. A mailbox takes
// no origin twice, however often an import is run again.
inline constexpr std::size_t kOriginBytes = 16;
using Origin = std::array<std::uint8_t, kOriginBytes>;
inline constexpr std::size_t kSourceFlagsMax = 1000;  // Messages that one call brings new flags to.
inline constexpr std::size_t kUidlBytesMax = 70;      // RFC 1939 §7.
// Leaves UIDVALIDITYs for the mailboxes that are made later.
inline constexpr std::uint32_t kImportedUidValidityMax = UINT32_MAX - (1u << 20);

struct Mailbox {
  MailboxId id;
  std::string name;  // UTF-8, hierarchy separator '/'. "INBOX" is always there, spelt so.
  bool subscribed = false;
  bool exists = true;  // False: only subscribed to, or only a parent of others (\NoSelect).
  SpecialUse use = SpecialUse::kNone;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::uint64_t highest_modseq = 1;
  std::uint32_t messages = 0;
  std::uint32_t unseen = 0;
  std::uint64_t bytes = 0;            // The sum of size_bytes of its messages.
  std::vector<std::string> keywords;  // Used in this mailbox so far.
};

struct Message {
  std::uint32_t uid = 0;
  std::uint64_t modseq = 0;
  Flags flags;
  base::WallTime internal_date;
  std::uint64_t size_bytes = 0;  // RFC822.SIZE: the prefix and the body.
  // "Return-Path: ...\r\nDelivered-To: ...\r\n" of delivered mail: bytes that stand before the body, which several
  // recipients share.
  std::string prefix;
  std::string uidl;  // What POP3 clients knew it by where it was imported from; empty: by the rule of this node.
  replog::BodyRef body;
};

}  // namespace store
