#include "pop3/server/maildrop.h"

#include "base/check.h"

namespace pop3::server {

void Maildrop::Add(std::uint32_t uid, std::uint64_t size_bytes, std::string uidl) {
  CHECK(entries_.empty() || entries_.back().uid < uid);
  entries_.push_back({.size_bytes = size_bytes, .uid = uid});
  if (!uidl.empty()) own_ids_.emplace(uid, std::move(uidl));
  kept_count_ += 1;
  kept_bytes_ += size_bytes;
}

const Maildrop::Entry* Maildrop::Find(std::uint32_t number) const {
  if (number < 1 || number > entries_.size()) return nullptr;
  const Entry& entry = entries_[number - 1];
  return entry.is_deleted ? nullptr : &entry;
}

std::string Maildrop::UniqueId(const Entry& entry) const {
  const auto own = own_ids_.find(entry.uid);
  return own != own_ids_.end() ? own->second : uidl_format_->Format(uid_validity_, entry.uid);
}

void Maildrop::Delete(std::uint32_t number) {
  CHECK(Find(number) != nullptr);
  Entry& entry = entries_[number - 1];
  entry.is_deleted = true;
  kept_count_ -= 1;
  kept_bytes_ -= entry.size_bytes;
}

void Maildrop::Reset() {
  for (Entry& entry : entries_) {
    if (!entry.is_deleted) continue;
    entry.is_deleted = false;
    kept_count_ += 1;
    kept_bytes_ += entry.size_bytes;
  }
}

std::vector<std::uint32_t> Maildrop::DeletedUids() const {
  std::vector<std::uint32_t> uids;
  for (const Entry& entry : entries_) {
    if (entry.is_deleted) uids.push_back(entry.uid);
  }
  return uids;
}

}  // namespace pop3::server
