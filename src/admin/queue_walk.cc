#include "admin/queue_walk.h"

#include <algorithm>

namespace admin {
namespace {

// A mail may have a thousand recipients: a batch of such mails takes about a millisecond.
constexpr std::uint32_t kBatchMails = 8;

}  // namespace

async::Task<std::span<const queue::QueuedMail>> QueueWalk::Next(std::uint64_t limit) {
  if (turn_.IsOver()) co_await turn_.Pass();
  mails_ = queue_->List(after_, static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, kBatchMails)));
  if (!mails_.empty()) after_ = mails_.back().id;
  examined_ += mails_.size();
  co_return mails_;
}

}  // namespace admin
