// MailTable: the mails of one queue partition in memory, in few bytes each.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>

#include "mail/envelope.h"
#include "queue/entry.h"
#include "queue/scheduler.h"
#include "queue/shared_strings.h"

namespace queue {

// What changes of a recipient; its address stands in the envelope.
struct RecipientSlot {
  base::WallTime next_attempt;
  StringId answer = 0;
  ItemId item = kNoItem;
  std::uint32_t attempts : 28 = 0;
  bool told_of_delay : 1 = false;  // The sender was.
  RecipientState state : 3 = RecipientState::kWaiting;
};
static_assert(sizeof(RecipientSlot) == 24);

// One mail: 48 bytes, and behind them in the table's memory the slots of its recipients and its packed envelope.
// Only a MailTable makes them, and moves them about.
class MailState {
 public:
  mail::Class cls = mail::Class::kNormal;

  MailState& operator=(const MailState&) = delete;

  replog::Index index() const { return replog::Index(index_); }
  std::uint64_t size_bytes() const { return size_bytes_; }
  std::span<RecipientSlot> recipients() { return {reinterpret_cast<RecipientSlot*>(this + 1), recipient_count_}; }
  std::span<const RecipientSlot> recipients() const {
    return {reinterpret_cast<const RecipientSlot*>(this + 1), recipient_count_};
  }
  base::WallTime queued_at() const;
  mail::Envelope Envelope(const SharedStrings& strings) const;

 private:
  friend class MailTable;
  struct Packed;
  MailState(const SavedMail& saved, const Packed& packed);
  MailState(const MailState&) = default;  // Trivial, so that the table may copy the bytes.

  const char* packed() const {
    return reinterpret_cast<const char*>(this + 1) + recipient_count_ * sizeof(RecipientSlot);
  }

  bool is_gone_ = false;
  std::uint32_t recipient_count_ = 0;
  std::uint64_t index_ = 0;
  std::uint32_t size_bytes_ = 0;
  StringId origin_ = 0;   // Client, HELO, account and protocol: the same for many.
  mffs::Location place_;  // Of a mail in one record.
  std::uint32_t packed_bytes_ = 0;
};
static_assert(sizeof(MailState) == 48 && alignof(MailState) == alignof(RecipientSlot));

// The mails lie one behind the other, by index, in chunks of 4 KiB: an allocation each would cost 16 bytes a mail, and
// an index of them 16 more. Those gone are left until their chunk is less than half in use and fits in with a
// neighbour.
//
// Thread: the log's shard. Indexes only grow at the end. Pointers are valid until the next Add or Erase.
class MailTable {
 public:
  explicit MailTable(SharedStrings* strings) : strings_(strings) {}
  ~MailTable();
  MailTable(const MailTable&) = delete;
  MailTable& operator=(const MailTable&) = delete;

  MailState* Add(const SavedMail& mail);
  MailState* Find(replog::Index index);
  const MailState* Find(replog::Index index) const { return const_cast<MailTable*>(this)->Find(index); }
  // The first with an index above `after`; nullptr at the end.
  const MailState* Next(replog::Index after) const;
  void Erase(MailState* mail);
  std::size_t size() const { return size_; }
  // Of the last mail added, whether it is still here or not.
  replog::Index last_index() const { return replog::Index(last_index_); }
  // What the table takes, but for mails in parts and shared strings.
  std::size_t memory_bytes() const;

  replog::BodyRef BodyOf(const MailState& mail) const;
  // The mail whose body lay at the old place; nothing: no mail's does.
  std::optional<replog::Index> Move(const replog::StateMachine::BodyMove& move);
  SavedMail Save(const MailState& mail) const;

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> memory;
    std::uint32_t capacity = 0;
    std::uint32_t used = 0;
    std::uint32_t live = 0;  // Bytes of mails that are not gone.
  };
  static constexpr std::uint32_t kChunkBytes = 4096;

  static std::uint32_t SizeOf(const MailState& mail);
  static MailState* At(const Chunk& chunk, std::uint32_t offset) {
    return reinterpret_cast<MailState*>(chunk.memory.get() + offset);
  }
  static Chunk MakeChunk(std::uint32_t bytes);
  static void AppendLive(const Chunk& from, Chunk* to);
  // Where a mail of this index is, if it is anywhere; size() of chunks_ when all are higher.
  std::size_t ChunkOf(std::uint64_t index) const;
  bool MergeWithNext(std::size_t at);
  void ClearStrings(MailState* mail);

  SharedStrings* strings_;
  std::deque<Chunk> chunks_;  // Each has a mail that is not gone.
  std::size_t size_ = 0;
  std::uint64_t chunk_bytes_ = 0;
  std::uint64_t last_index_ = 0;
  std::string packing_;                                // Used by Add, here to keep its memory.
  std::map<replog::Index, replog::BodyRef> in_parts_;  // Bodies that lie in several records.
  std::unordered_map<replog::BodyId, replog::Index> parts_owner_;
};

}  // namespace queue
