// QuotaWarnings: delivers the warnings that applies have found to be due, in the background.
#pragma once

#include <functional>
#include <vector>

#include "async/asio.h"
#include "async/task_group.h"
#include "base/result.h"
#include "store/types.h"

namespace store {

// One after the other. Which warning is due stands in the index until the entry that brings the mail is applied, so
// each is delivered once whatever crash comes between (docs/format/store.md "Apply").
//
// Thread: the shard. Borrows the group, which ends its work before this goes.
class QuotaWarnings {
 public:
  // Writes and delivers the mail for an account, if a warning is due.
  using Deliver = std::function<async::Task<base::Result<>>(AccountId account)>;

  QuotaWarnings(async::TaskGroup* group, Deliver deliver) : group_(group), deliver_(std::move(deliver)) {}

  void Start(AccountId account);

 private:
  async::Task<void> Run();

  async::TaskGroup* group_;
  Deliver deliver_;
  std::vector<AccountId> waiting_;
  bool is_running_ = false;
};

}  // namespace store
