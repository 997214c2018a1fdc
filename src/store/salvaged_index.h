// SalvagedIndex: what a partition's snapshot and entries say of accounts and mailboxes, for tools that save mail from a
// volume without its node. The rows and the applies are the store's own; what makes no sense is left out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "replog/types.h"
#include "store/types.h"

namespace store {

// A message of a mailbox, with all that is known of its place.
struct SalvagedMessage {
  replog::PartitionId partition;
  std::uint32_t mailbox = 0;
  std::uint32_t uid = 0;
  std::string address;       // Of the account; empty: not known.
  std::string mailbox_name;  // Empty: not known.
  std::uint32_t uid_validity = 0;
  Flags flags;
  base::WallTime internal_date;
  std::uint64_t size_bytes = 0;  // The prefix and the body.
  std::string prefix;
  std::uint64_t body = 0;    // 0: the message has only a prefix.
  replog::BodyRef body_ref;  // Empty: the index does not know where it lies.
};

// Owns an index in a folder of its own, made anew. Thread: one; every call may block on the disk.
// Memory: `memory_bytes` of RocksDB's, the rest lies in the folder.
class SalvagedIndex {
 public:
  // Whatever the folder holds is dropped. Errors: kIo.
  static base::Result<std::unique_ptr<SalvagedIndex>> Open(const std::string& folder, std::uint64_t memory_bytes);
  ~SalvagedIndex();

  // A snapshot, in the order of its pieces; what the partition had before is dropped. Rows that cannot be read are left
  // out. Errors: kUnsupported (another version), kCorrupt (the rest of the piece cannot be read), kIo, kNoSpace.
  base::Result<> BeginSnapshot(replog::PartitionId partition);
  base::Result<> LoadPiece(std::string_view piece);
  base::Result<> EndSnapshot();

  // Applies an entry; gaps before it are no matter. Errors: kUnsupported (a type of a newer version: left out), kIo,
  // kNoSpace, kCorrupt. What the entry itself decided is no error.
  base::Result<> Apply(const replog::EntryView& entry);
  // Makes all so far visible to Next(), and returns the bodies whose last reference went since the last call.
  base::Result<std::vector<std::pair<replog::PartitionId, replog::BodyId>>> Flush();

  std::uint64_t rows_left_out() const { return rows_left_out_; }

  // All messages, mailbox by mailbox, in the order of their UIDs; nothing at the end. Rewind() begins anew.
  void Rewind();
  base::Result<std::optional<SalvagedMessage>> Next();

 private:
  struct Parts;
  explicit SalvagedIndex(std::unique_ptr<Parts> parts);
  // Whether the row looks like what the store writes.
  bool IsSound(std::string_view key, std::string_view value);
  bool IsSoundOfMailbox(std::string_view key, std::string_view value);
  base::Result<std::optional<SalvagedMessage>> ReadMessage(std::string_view key, std::string_view value);
  void EnterMailbox(std::string_view key);
  void ResetAfterFailure();

  std::unique_ptr<Parts> parts_;
  std::uint64_t rows_left_out_ = 0;
  std::uint64_t keywords_mailbox_ = 0;  // While a snapshot is loaded: the mailbox whose keywords were last seen.
  std::size_t keywords_count_ = 0;
};

}  // namespace store
