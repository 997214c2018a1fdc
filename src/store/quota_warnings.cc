#include "store/quota_warnings.h"

#include "base/log.h"

namespace store {

void QuotaWarnings::Start(AccountId account) {
  waiting_.push_back(account);
  if (is_running_ || group_->stopping()) return;
  is_running_ = true;
  group_->Spawn(Run());
}

async::Task<void> QuotaWarnings::Run() {
  while (!waiting_.empty()) {
    const AccountId account = waiting_.back();
    waiting_.pop_back();
    const auto delivered = co_await deliver_(account);
    if (delivered.has_value()) continue;
    base::LogWarning("quota_warning_failed", {{"account", account.value()},
                                              {"error", delivered.error().message()},
                                              {"note", "it is delivered after the next start"}});
  }
  is_running_ = false;
}

}  // namespace store
