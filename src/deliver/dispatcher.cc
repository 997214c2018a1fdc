#include "deliver/dispatcher.h"

#include <optional>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"

namespace deliver {
namespace {

// Gives a claim back to the queue when the worker that holds it is cancelled before the outcome was written.
class HeldClaim {
 public:
  HeldClaim(queue::MailQueue* queue, queue::Claim claim) : queue_(queue), claim_(std::move(claim)) {}
  ~HeldClaim() {
    if (claim_) queue_->GiveBack(*claim_);
  }
  HeldClaim(const HeldClaim&) = delete;
  HeldClaim& operator=(const HeldClaim&) = delete;
  const queue::Claim& claim() const { return *claim_; }
  queue::Claim Take() { return *std::exchange(claim_, std::nullopt); }

 private:
  queue::MailQueue* queue_;
  std::optional<queue::Claim> claim_;
};

}  // namespace

Dispatcher::Dispatcher(async::Executor executor, queue::MailQueue* queue, Courier* courier, DispatcherOptions options)
    : queue_(queue), courier_(courier), options_(options), workers_(executor, "deliver") {}

void Dispatcher::Start() {
  for (std::uint32_t i = 0; i < options_.workers; ++i) workers_.Spawn(Work());
}

async::Task<void> Dispatcher::Work() {
  for (;;) {
    HeldClaim held(queue_, co_await queue_->NextClaim());
    auto outcomes = co_await courier_->Deliver(held.claim());
    // From here the queue has the claim: it takes it back itself when the entry can't be written.
    const std::string id = held.claim().id.ToString();
    const auto recorded = co_await queue_->Record(held.Take(), std::move(outcomes));
    if (!recorded) {
      base::LogError("outcome_not_recorded", {{"queue_id", id}, {"reason", recorded.error().message()}});
      co_await async::Sleep(options_.record_retry);  // The volume is full or failing: no use in asking at once.
    }
  }
}

}  // namespace deliver
