// Outgoing: mail to other servers: the resolver, the courier and its workers.
#pragma once

#include <memory>
#include <optional>

#include "app/callout_check.h"
#include "app/config.h"
#include "async/asio.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "deliver/dispatcher.h"
#include "deliver/next_hop_table.h"
#include "deliver/notices.h"
#include "deliver/recipient_callout.h"
#include "deliver/remote_courier.h"
#include "net/deadline_sweep.h"
#include "net/resolver.h"
#include "queue/mail_queue.h"

namespace app {

// Thread: the node's shard. Life: Start(), then Stop() before destruction.
class Outgoing {
 public:
  // What it stands on; all borrowed. The table may be replaced between two tasks: mail that is queued from then on goes
  // the new way, and connections made from then on have the new settings.
  struct World {
    async::Executor executor;
    const base::Clock* clock = nullptr;
    base::MetricsRegistry* metrics = nullptr;
    queue::MailQueue* queue = nullptr;
    deliver::Notices* notices = nullptr;
    const deliver::NextHopTable* table = nullptr;
    std::unique_ptr<net::Resolver> resolver;  // Owned from here on. Null: libunbound as the configuration says.
  };
  // Errors: one sentence that names the key of the configuration, or says what is missing.
  static base::Result<std::unique_ptr<Outgoing>> Make(const NodeConfig& config, World world);

  void Start();
  // Gives back what is under way, says goodbye to idle connections.
  async::Task<void> Stop();

  const deliver::RemoteCourier& courier() const { return *courier_; }
  // What sessions ask of recipients of relay domains.
  smtp::RecipientCheck* recipient_check() { return &check_.value(); }

 private:
  explicit Outgoing(World world);
  base::Result<> Prepare(const NodeConfig& config);
  deliver::RemoteCourierOptions CourierOptions(const NodeConfig& config) const;
  void MakeCallouts(const NodeConfig& config, const deliver::RemoteCourierOptions& as_courier);

  World world_;
  net::DeadlineSweep sweep_;
  std::unique_ptr<deliver::RemoteCourier> courier_;
  std::unique_ptr<deliver::Dispatcher> dispatcher_;
  std::unique_ptr<deliver::RecipientCallout> callouts_;
  std::optional<CalloutCheck> check_;
};

}  // namespace app
