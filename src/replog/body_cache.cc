#include "replog/body_cache.h"

#include <algorithm>
#include <utility>

namespace replog {

BodyCache::BodyCache(mffs::BufferPool* pool, std::uint64_t bytes_max) : pool_(pool), bytes_max_(bytes_max) {
  pool_->SetReclaim([this] { return GiveUpOne(); });
}

BodyCache::~BodyCache() {
  pool_->SetReclaim(nullptr);
}

void BodyCache::Put(const mffs::Location& place, mffs::Stream stream, mffs::Buffer mail) {
  if (mail.capacity() == 0 || mail.capacity() > bytes_max_ || Contains(place)) return;
  if (pool_->waiting() > 0) return;  // Its memory is wanted.
  while (bytes_ + mail.capacity() > bytes_max_) GiveUpOne();
  bytes_ += mail.capacity();
  const std::size_t rank = stream == mffs::Stream::kParked ? 0 : 1;
  Age& age = by_rank_[rank];
  age.push_back({place, rank, std::move(mail)});
  known_.emplace(place, std::prev(age.end()));
}

void BodyCache::PutCopy(const mffs::Location& place, mffs::Stream stream, std::string_view mail) {
  if (mail.size() > mffs::BufferPool::kLargeBytes || Contains(place)) return;
  mffs::Buffer buffer = pool_->TryAcquire(static_cast<std::uint32_t>(mail.size()));
  if (buffer.capacity() == 0) return;
  std::copy(mail.begin(), mail.end(), buffer.data());
  buffer.set_size(static_cast<std::uint32_t>(mail.size()));
  Put(place, stream, std::move(buffer));
}

std::optional<std::string_view> BodyCache::Find(const mffs::Location& place) const {
  const auto found = known_.find(place);
  if (found == known_.end()) return std::nullopt;
  return found->second->mail.view();
}

void BodyCache::Drop(const mffs::Location& place) {
  const auto found = known_.find(place);
  if (found != known_.end()) Erase(found->second);
}

bool BodyCache::GiveUpOne() {
  for (Age& age : by_rank_) {
    if (age.empty()) continue;
    Erase(age.begin());
    return true;
  }
  return false;
}

void BodyCache::Erase(Age::iterator kept) {
  known_.erase(kept->place);
  bytes_ -= kept->mail.capacity();
  // Giving the buffer back may hand it to somebody who waits: last.
  Age gone;
  gone.splice(gone.begin(), by_rank_[kept->rank], kept);
}

}  // namespace replog
