#include "admin/queue_tally_cache.h"

#include <utility>

#include "admin/queue_walk.h"

namespace admin {
namespace {

constexpr int kShareOfTime = 20;
constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};

}  // namespace

QueueTallyCache::QueueTallyCache(async::Executor executor, const queue::MailQueue* queue, const base::Clock* clock)
    : queue_(queue), clock_(clock), counted_(std::move(executor)) {}

async::Task<std::shared_ptr<const QueueTally>> QueueTallyCache::Get(TallyBy by) {
  Kept* const kept = &kept_[static_cast<std::size_t>(by)];
  for (;;) {
    const bool is_fresh = kept->tally != nullptr && std::chrono::steady_clock::now() < kept->fresh_until;
    // While another counts, the last count is good enough.
    if (is_fresh || (kept->is_counting && kept->tally != nullptr)) co_return kept->tally;
    if (kept->is_counting) {
      co_await counted_.Wait();
    } else {
      co_await Count(by, kept);
    }
  }
}

async::Task<void> QueueTallyCache::Count(TallyBy by, Kept* kept) {
  // Whoever counts may be cancelled: then the next one does.
  struct Counting {
    Kept* kept;
    async::Notifier* counted;
    ~Counting() {
      kept->is_counting = false;
      counted->NotifyAll();
    }
  };
  kept->is_counting = true;
  const Counting counting{kept, &counted_};
  const auto began = std::chrono::steady_clock::now();
  const auto tally = std::make_shared<QueueTally>(by, clock_->WallNow());
  QueueWalk walk(queue_, {});
  for (;;) {
    const auto mails = co_await walk.Next(kNoLimit);
    if (mails.empty()) break;
    for (const queue::QueuedMail& mail : mails) tally->Add(mail, {});
  }
  const auto now = std::chrono::steady_clock::now();
  kept->tally = tally;
  // A moment at least, so that it is given to whoever waited for it.
  kept->fresh_until = now + kShareOfTime * (now - began) + std::chrono::milliseconds(1);
}

}  // namespace admin
