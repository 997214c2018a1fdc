// Outgoing: mail to other servers: the way of each domain's mail, the resolver, the courier and its workers.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

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
#include "net/tls_context.h"
#include "queue/mail_queue.h"

namespace app {

// Which way mail of each domain goes: `mail.domains` and `deliver.routes`. The queue needs it before it reads its log.
// Errors: kInvalid, a sentence that names the key.
base::Result<deliver::NextHopTable> ReadRoutes(const NodeConfig& config);

// Thread: the node's shard. Life: Start(), then Stop() before destruction.
class Outgoing {
 public:
  // What it stands on; all borrowed. `table` gets the settings of [[next_hop]].
  struct World {
    async::Executor executor;
    const base::Clock* clock = nullptr;
    base::MetricsRegistry* metrics = nullptr;
    queue::MailQueue* queue = nullptr;
    deliver::Notices* notices = nullptr;
    deliver::NextHopTable* table = nullptr;
    std::unique_ptr<net::Resolver> resolver;  // Owned from here on. Null: libunbound as the configuration says.
  };
  // Errors: one sentence that names the key of the configuration, or says what is missing.
  static base::Result<std::unique_ptr<Outgoing>> Make(const NodeConfig& config, World world);

  void Start();
  // Gives back what is under way, says goodbye to idle connections.
  async::Task<void> Stop();

  // Puts other routes in force, for mail that is queued from here on; what is queued keeps its way until a restart.
  void TakeRoutes(deliver::NextHopTable table);

  const deliver::RemoteCourier& courier() const { return *courier_; }
  // What sessions ask of recipients of relay domains.
  smtp::RecipientCheck* recipient_check() { return &check_.value(); }

 private:
  explicit Outgoing(World world);
  base::Result<> Prepare(const NodeConfig& config);
  base::Result<> AddSettings(const NextHopConfig& hop);
  deliver::RemoteCourierOptions CourierOptions(const NodeConfig& config) const;
  void MakeCallouts(const NodeConfig& config, const deliver::RemoteCourierOptions& as_courier);

  World world_;
  net::DeadlineSweep sweep_;
  std::unique_ptr<net::TlsContext> unverified_;
  std::vector<std::pair<deliver::NextHop, deliver::NextHopSettings>> settings_;  // Of [[next_hop]].
  std::vector<std::unique_ptr<net::TlsContext>> verified_;  // Of next hops that must prove who they are.
  std::unique_ptr<deliver::RemoteCourier> courier_;
  std::unique_ptr<deliver::Dispatcher> dispatcher_;
  std::unique_ptr<deliver::RecipientCallout> callouts_;
  std::optional<CalloutCheck> check_;
};

}  // namespace app
