// The values of the index in RocksDB. docs/format/store.md "Rows". The index is a cache of the log: a row that cannot
// be read is reported as corrupt and mended by deleting the folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "replog/types.h"
#include "store/types.h"

namespace store {

// What a partition has applied, and its counters.
struct PartitionRow {
  std::uint64_t epoch = 0;
  std::uint64_t index = 0;               // Of the last entry applied.
  std::uint64_t snapshot_index = 0;      // The index held when a snapshot was last taken or loaded.
  std::uint32_t id_next = 1;             // Of the next account or mailbox.
  std::uint32_t uid_validity_floor = 0;  // No account made later uses this UIDVALIDITY or a smaller one.
  std::int64_t time_us = 0;              // The greatest internal date of a delivery: the partition's own clock.
  std::int64_t ids_horizon_us = 0;       // Direct delivery ids seen before are forgotten.

  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};

struct AccountRow {
  std::string address;
  std::string password_hash;
  std::uint32_t uid_validity_next = 1;
  std::uint32_t names = 0;             // Rows of kind kName.
  bool has_special_mailboxes = false;  // See Account.
  std::string scram_keys;              // See Credentials.

  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};

struct MailboxRow {
  std::uint32_t account = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::uint32_t messages = 0;
  std::uint32_t unseen = 0;
  std::uint64_t highest_modseq = 1;
  std::uint64_t bytes = 0;
  std::string name;

  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};

// A name in an account's tree. A name is a mailbox, or only a parent of others (no_select), or only subscribed to.
struct NameRow {
  std::uint32_t mailbox = 0;  // 0: no mailbox.
  bool no_select = false;
  bool subscribed = false;
  SpecialUse use = SpecialUse::kNone;  // Goes where the mailbox goes.

  bool in_tree() const { return mailbox != 0 || no_select; }
  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};

struct MessageRow {
  std::uint64_t created_modseq = 0;     // Grows with the UID: new messages need no row in the change index.
  std::uint64_t modseq = 0;             // Greater than created_modseq: there is a row of kind kChange.
  std::uint8_t system = 0;              // Flags::system.
  std::vector<std::uint16_t> keywords;  // Positions in the mailbox's keywords, ascending.
  std::int64_t date_us = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t body = 0;   // 0: the message has only a prefix.
  std::string_view prefix;  // A view into the value it was decoded from.
  std::string_view uidl;    // The same; written only when not empty.

  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};

// A message that was imported.
struct OriginRow {
  std::uint32_t uid = 0;           // That it got; it may be gone.
  std::uint64_t flags_modseq = 0;  // Its MODSEQ when an import last changed its flags; 0: none did.

  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};
// Whether nobody but imports has changed the flags of its message.
inline bool FlagsAreImported(const OriginRow& origin, const MessageRow& message) {
  return message.modseq == message.created_modseq || message.modseq == origin.flags_modseq;
}

struct BodyRow {
  std::uint32_t references = 0;
  replog::BodyRef body;

  void EncodeTo(std::string& out) const;
  bool DecodeFrom(std::string_view in);
};

void EncodeKeywords(const std::vector<std::string>& keywords, std::string& out);
bool DecodeKeywords(std::string_view in, std::vector<std::string>& keywords);

// UIDs, ascending and none twice, as ranges. At most `count_max` are read back.
inline constexpr std::uint32_t kUidsPerEntryMax = 20'000;
void EncodeUids(const std::vector<std::uint32_t>& uids, base::Encoder& out);
bool DecodeUids(base::Decoder& in, std::uint32_t count_max, std::vector<std::uint32_t>& uids);

}  // namespace store
