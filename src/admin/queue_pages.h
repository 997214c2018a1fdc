// QueuePages: the queue in a browser: /queue, and what its script asks for. Read-only. docs/cli.md, "The queue".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "admin/http_message.h"
#include "admin/queue_tally_cache.h"
#include "admin/queue_view.h"
#include "async/asio.h"
#include "base/clock.h"
#include "queue/mail_queue.h"

namespace admin {

struct QueuePagesOptions {
  // Addresses of correspondents are nobody's business but the operator's, and there is no login.
  bool is_for_loopback_only = true;
  std::string hostname;           // Under which the pages may be asked for, beside "localhost" and IP addresses.
  std::uint32_t mails_max = 50;   // In a list.
  std::uint32_t groups_max = 50;  // In a count.
  std::uint32_t answers_max = 4;  // That are made at a time; past it 503.
};

// The page works without its script, which only keeps it up to date. All that others chose (addresses, answers) goes
// through one escape function here, and through textContent there; the policy that is sent forbids any script but ours.
//
// A page asked for under a name that is not ours is refused: else a web site whose name an attacker lets lead to a
// loopback address could read it in the operator's browser (DNS rebinding).
//
// Thread: the node's shard. Borrows queue and clock, which outlive it; outlives the tasks that called Answer().
class QueuePages {
 public:
  QueuePages(async::Executor executor, const queue::MailQueue* queue, const base::Clock* clock,
             QueuePagesOptions options);

  // Whether a path is one of these pages.
  static bool Has(std::string_view path);
  async::Task<HttpAnswer> Answer(HttpRequest request);

 private:
  async::Task<HttpAnswer> AnswerWithData(std::string_view path, QueueView view);
  async::Task<boost::json::object> DataOf(QueueView view);
  async::Task<void> AddList(QueueView view, boost::json::object* data);
  bool IsOurName(std::string_view host) const;

  const queue::MailQueue* queue_;
  const base::Clock* clock_;
  QueuePagesOptions options_;
  QueueTallyCache tallies_;
  std::uint32_t answers_ = 0;
};

}  // namespace admin
