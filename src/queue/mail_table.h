// MailTable: the mails of one queue partition in memory, in few bytes each.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
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
  std::uint32_t attempts : 29 = 0;
  RecipientState state : 3 = RecipientState::kWaiting;
};
static_assert(sizeof(RecipientSlot) == 24);

// One mail: 56 bytes here, and one block with the slots of its recipients and the rest of its envelope.
class MailState {
 public:
  MailState() = default;
  MailState(const SavedMail& saved, SharedStrings* strings);

  bool is_gone() const { return block_ == nullptr; }
  replog::Index index() const { return replog::Index(index_); }
  std::uint64_t size_bytes() const { return size_bytes_; }
  mail::Class cls = mail::Class::kNormal;

  std::span<RecipientSlot> recipients() { return {reinterpret_cast<RecipientSlot*>(block_.get()), recipient_count_}; }
  std::span<const RecipientSlot> recipients() const {
    return {reinterpret_cast<const RecipientSlot*>(block_.get()), recipient_count_};
  }
  base::WallTime queued_at() const;
  mail::Envelope Envelope(const SharedStrings& strings) const;
  // Gives back the strings it shares and its memory.
  void Clear(SharedStrings* strings);

 private:
  friend class MailTable;
  // Behind the slots: time queued, size of the envelope, envelope without what `origin_` has.
  const char* rest() const { return block_.get() + recipient_count_ * sizeof(RecipientSlot); }

  std::uint64_t index_ = 0;
  std::unique_ptr<char[]> block_;
  mffs::Location place_;  // Of a mail in one record.
  std::uint32_t size_bytes_ = 0;
  StringId origin_ = 0;  // Client, HELO, account and protocol: the same for many.
  std::uint32_t recipient_count_ = 0;
};
static_assert(sizeof(MailState) <= 64);

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

  replog::BodyRef BodyOf(const MailState& mail) const;
  void Move(const replog::StateMachine::BodyMove& move);
  SavedMail Save(const MailState& mail) const;

 private:
  void Compact();

  SharedStrings* strings_;
  std::deque<MailState> mails_;  // By index; those gone are left until half of them are.
  std::size_t size_ = 0;
  std::map<replog::Index, replog::BodyRef> in_parts_;  // Bodies that lie in several records.
  std::unordered_map<replog::BodyId, replog::Index> parts_owner_;
};

}  // namespace queue
