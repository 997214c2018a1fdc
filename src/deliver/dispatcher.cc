#include "deliver/dispatcher.h"

#include <exception>
#include <optional>
#include <utility>

#include <boost/system/system_error.hpp>

#include "async/deadline.h"
#include "base/log.h"

namespace deliver {
namespace {

// Gives a claim back to the queue when it was not recorded.
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

// What becomes of a claim whose destination is paused.
std::vector<queue::RecipientOutcome> PutOff(const queue::Claim& claim) {
  std::vector<queue::RecipientOutcome> outcomes;
  for (const std::uint32_t recipient : claim.recipients) {
    outcomes.push_back({.recipient = recipient,
                        .outcome = queue::Outcome::kRetryLater,
                        .answer = "4.4.1 " + claim.pause_reason,
                        .status = "4.4.1"});
  }
  return outcomes;
}

}  // namespace

Dispatcher::Dispatcher(async::Executor executor, queue::MailQueue* queue, Courier* courier, Notices* notices,
                       DispatcherOptions options)
    : queue_(queue),
      courier_(courier),
      notices_(notices),
      options_(options),
      workers_(executor, "deliver"),
      ended_(executor) {}

void Dispatcher::Start() {
  for (std::uint32_t i = 0; i < options_.workers; ++i) workers_.Spawn(Work());
}

async::Task<void> Dispatcher::Stop() {
  is_draining_ = true;
  if (options_.stop_grace.count() > 0) base::Ignore(co_await async::WithDeadline(AwaitIdle(), options_.stop_grace));
  co_await workers_.Stop();
}

async::Task<void> Dispatcher::AwaitIdle() {
  while (under_way_ > 0) co_await ended_.Wait();
}

async::Task<void> Dispatcher::Work() {
  while (!is_draining_) {
    queue::Claim claim = co_await queue_->NextClaim(options_.lane);
    if (is_draining_) {
      queue_->GiveBack(claim);
      co_return;
    }
    under_way_ += 1;
    const base::Result<> recorded = co_await Serve(std::move(claim));
    under_way_ -= 1;
    if (is_draining_) ended_.NotifyAll();
    // The volume is full or failing: no use in asking at once.
    if (!recorded && !is_draining_) co_await async::Sleep(options_.record_retry);
  }
}

async::Task<base::Result<>> Dispatcher::Serve(queue::Claim claim) {
  HeldClaim held(queue_, std::move(claim));
  std::vector<queue::RecipientOutcome> outcomes;
  std::exception_ptr unwound;
  try {
    if (held.claim().is_paused) {
      outcomes = PutOff(held.claim());
    } else {
      co_await courier_->Deliver(held.claim(), &outcomes);
    }
  } catch (const boost::system::system_error&) {
    unwound = std::current_exception();
  }
  // From here on a cancellation waits: what happened is written, or it would happen again after the next start.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  // A read that was cut off looks like a failure of ours, and would cost the mail the delay of a retry: such recipients
  // are not recorded, and so are due as before.
  if (workers_.stopping()) {
    std::erase_if(outcomes, [](const auto& outcome) { return outcome.outcome == queue::Outcome::kRetryLater; });
  }
  base::Result<> recorded;
  if (!outcomes.empty()) {
    options_.metrics.Count(held.claim(), outcomes);
    const std::string id = held.claim().id.ToString();
    recorded = co_await notices_->Record(held.Take(), std::move(outcomes));
    if (!recorded) base::LogError("outcome_not_recorded", {{"queue_id", id}, {"reason", recorded.error().message()}});
  }
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  if (unwound) std::rethrow_exception(unwound);
  co_return recorded;
}

}  // namespace deliver
