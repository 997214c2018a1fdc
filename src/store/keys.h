// RowKey: the keys of the index in RocksDB. docs/format/store.md "Rows".
// Every key starts with the partition (big-endian) and the kind of the row, so that a partition is one range of keys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "replog/types.h"

namespace store {

// One byte of every key. On disk: never renumber.
enum class RowKind : char {
  kAccount = 'A',    // account -> AccountRow
  kAddress = 'a',    // address -> account
  kBody = 'B',       // body -> BodyRow
  kGarbage = 'G',    // mailbox -> nothing: deleted, its messages not yet all purged
  kMailbox = 'M',    // mailbox -> MailboxRow; with more fields, a row of the mailbox (MailboxRowKind)
  kName = 'N',       // account, name -> NameRow
  kPartition = 'P',  // -> PartitionRow
  kWarning = 'V',    // account -> the percentage that its owner is to be warned of
  kQueuedId = 'Q',   // queue partition, index, recipient -> nothing
  kRelease = 'R',    // log index -> bodies that its apply released
  kWatermark = 'W',  // queue partition -> Watermark
};

// The rows of a mailbox lie beside each other: what a delivery writes into a mailbox goes to one place of RocksDB's
// memtable, which makes it half as dear. The byte after the mailbox's number. On disk: never renumber.
enum class MailboxRowKind : char {
  kChange = 'C',    // modseq, uid -> nothing: a message whose flags changed after it was made
  kDirectId = 'D',  // delivery id -> the partition's time when it was seen
  kKeywords = 'K',  // -> the mailbox's keywords
  kOrigin = 'O',    // origin -> the UID that the imported message got
  kQuota = 'Q',     // of an INBOX -> QuotaRow of its account
  kMessage = 'U',   // uid -> MessageRow
  kExpunged = 'X',  // modseq -> UIDs
};

// A key under construction: RowKey(partition, RowKind::kMessage).U32(mailbox).U32(uid). Most fit a string without
// allocation.
class RowKey {
 public:
  explicit RowKey(replog::PartitionId partition) { U32(partition.value()); }
  RowKey(replog::PartitionId partition, RowKind kind) : RowKey(partition) { text_.push_back(static_cast<char>(kind)); }

  RowKey& U32(std::uint32_t v) & {
    Append(__builtin_bswap32(v));
    return *this;
  }
  RowKey&& U32(std::uint32_t v) && { return std::move(U32(v)); }
  RowKey& U64(std::uint64_t v) & {
    Append(__builtin_bswap64(v));
    return *this;
  }
  RowKey&& U64(std::uint64_t v) && { return std::move(U64(v)); }
  RowKey& Text(std::string_view v) & {
    text_.append(v);
    return *this;
  }
  RowKey&& Text(std::string_view v) && { return std::move(Text(v)); }

  RowKey& Kind(MailboxRowKind kind) & {
    text_.push_back(static_cast<char>(kind));
    return *this;
  }

  const std::string& text() const { return text_; }

 private:
  template <class T>
  void Append(T v) {
    char raw[sizeof v];
    base::StoreLe(raw, v);
    text_.append(raw, sizeof v);
  }
  std::string text_;
};

// A row of a mailbox, or with fewer fields the prefix of such rows.
inline RowKey MailboxKey(replog::PartitionId partition, std::uint32_t mailbox, MailboxRowKind kind) {
  RowKey key(partition, RowKind::kMailbox);
  key.U32(mailbox).Kind(kind);
  return key;
}

// An account's INBOX has the account's number, so the row lies beside those that a delivery writes.
inline RowKey QuotaKey(replog::PartitionId partition, std::uint32_t account) {
  return MailboxKey(partition, account, MailboxRowKind::kQuota);
}

// Big-endian fields of a key, for reading keys back. The caller has checked the size.
inline std::uint32_t KeyU32(std::string_view key, std::size_t at) {
  return __builtin_bswap32(base::LoadLe<std::uint32_t>(key.data() + at));
}
inline std::uint64_t KeyU64(std::string_view key, std::size_t at) {
  return __builtin_bswap64(base::LoadLe<std::uint64_t>(key.data() + at));
}
inline constexpr std::size_t kKindOffset = 4;    // Of the kind in a key.
inline constexpr std::size_t kFieldsOffset = 5;  // Of the first field.
inline constexpr std::size_t kQueuedIdKeyBytes = kFieldsOffset + 4 + 8 + 4;
inline constexpr std::size_t kMailboxKindOffset = 9;
inline constexpr std::size_t kMailboxFieldsOffset = 10;  // Of the first field in a row of a mailbox.

inline bool IsDirectIdKey(std::string_view key) {
  return key.size() > kMailboxFieldsOffset && key[kKindOffset] == static_cast<char>(RowKind::kMailbox) &&
         key[kMailboxKindOffset] == static_cast<char>(MailboxRowKind::kDirectId);
}

// The first key after all that start with `prefix` (which has a byte below 0xff).
inline std::string EndOfPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace store
