#include "net/deadline_sweep.h"

#include "async/deadline.h"
#include "base/check.h"

namespace net {

DeadlineSweep::Entry::Entry(DeadlineSweep* sweep) : sweep_(sweep), next_(sweep->first_) {
  if (next_ != nullptr) next_->previous_ = this;
  sweep_->first_ = this;
}

DeadlineSweep::Entry::~Entry() {
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : sweep_->first_) = next_;
}

DeadlineSweep::DeadlineSweep(async::Executor executor, const base::Clock* clock)
    : clock_(clock), now_(clock->SteadyNow()), task_(executor, "deadline sweep") {}

DeadlineSweep::~DeadlineSweep() {
  CHECK(first_ == nullptr);
}

void DeadlineSweep::Start() {
  task_.Spawn(Loop());
}

void DeadlineSweep::Tick() {
  now_ = clock_->SteadyNow();
  for (Entry* entry = first_; entry != nullptr; entry = entry->next_) {
    if (entry->at_ > now_ || entry->expired_) continue;
    entry->expired_ = true;
    entry->OnExpired();
  }
}

async::Task<void> DeadlineSweep::Loop() {
  for (;;) {
    Tick();
    co_await async::Sleep(kTick);
  }
}

}  // namespace net
