#include "app/outgoing.h"

#include <utility>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "app/outgoing_metrics.h"
#include "deliver/dial.h"
#include "net/interface_addresses.h"
#include "net/measured_resolver.h"
#include "net/resolver_unbound.h"

namespace app {
namespace {

// Less than a service manager waits for a node to stop (systemd: 90 s).
constexpr std::chrono::seconds kStopGrace{5};

bool IsLoopback(const std::string& ip) {
  boost::system::error_code not_an_address;
  return asio::ip::make_address(ip, not_an_address).is_loopback();
}

base::Result<std::unique_ptr<net::Resolver>> MakeResolver(const NodeConfig& config) {
  net::UnboundOptions options;
  options.servers = config.dns_servers;
  options.from_root = config.dns_from_root;
  ASSIGN_OR_RETURN(std::unique_ptr<net::UnboundResolver> resolver, net::UnboundResolver::Make(std::move(options)));
  return resolver;
}

}  // namespace

base::Result<std::unique_ptr<Outgoing>> Outgoing::Make(const NodeConfig& config, World world) {
  std::unique_ptr<Outgoing> outgoing(new Outgoing(std::move(world)));
  RETURN_IF_ERROR(outgoing->Prepare(config));
  return outgoing;
}

Outgoing::Outgoing(World world) : world_(std::move(world)), sweep_(world_.executor, world_.clock) {}

base::Result<> Outgoing::Prepare(const NodeConfig& config) {
  if (!world_.resolver) {
    ASSIGN_OR_RETURN(world_.resolver, MakeResolver(config));
  }
  world_.resolver = std::make_unique<net::MeasuredResolver>(std::move(world_.resolver), world_.clock,
                                                            AddResolverMetrics(world_.metrics));
  deliver::RemoteCourierOptions options = CourierOptions(config);
  ASSIGN_OR_RETURN(options.hosts.own_addresses, net::InterfaceAddresses());
  // Loopback's own among them: where other servers may listen at loopback addresses, they may at these too.
  if (!options.hosts.loopback_is_own) std::erase_if(options.hosts.own_addresses, IsLoopback);
  MakeCallouts(config, options);
  courier_ = std::make_unique<deliver::RemoteCourier>(
      world_.executor,
      deliver::RemoteCourierWorld{.queue = world_.queue,
                                  .resolver = world_.resolver.get(),
                                  .clock = world_.clock,
                                  .table = world_.table,
                                  .dial = deliver::DialNetwork(&sweep_, {.timeout = config.connect_timeout})},
      std::move(options));
  dispatcher_ = std::make_unique<deliver::Dispatcher>(
      world_.executor, world_.queue, courier_.get(), world_.notices,
      deliver::DispatcherOptions{.lane = queue::Lane::kRemote,
                                 .workers = static_cast<std::uint32_t>(config.remote_workers),
                                 .stop_grace = kStopGrace,
                                 .metrics = AddDeliveryMetrics(world_.metrics, world_.clock, "next_hop")});
  AddConnectionMetrics(world_.metrics, courier_.get());
  return {};
}

// They go the way that the mail would go, over connections of their own, which are closed sooner.
void Outgoing::MakeCallouts(const NodeConfig& config, const deliver::RemoteCourierOptions& as_courier) {
  deliver::RecipientCalloutOptions options;
  options.deadline = config.callout_deadline;
  options.taken_ttl = config.callout_taken_ttl;
  options.refused_ttl = config.callout_refused_ttl;
  options.client = as_courier.client;
  options.hosts = as_courier.hosts;
  callouts_ = std::make_unique<deliver::RecipientCallout>(
      world_.executor,
      deliver::RecipientCalloutWorld{.resolver = world_.resolver.get(),
                                     .clock = world_.clock,
                                     .table = world_.table,
                                     .dial = deliver::DialNetwork(&sweep_, {.timeout = config.callout_deadline}),
                                     .metrics = AddCalloutMetrics(world_.metrics)},
      std::move(options));
  check_.emplace(callouts_.get());
}

deliver::RemoteCourierOptions Outgoing::CourierOptions(const NodeConfig& config) const {
  deliver::RemoteCourierOptions options;
  options.client.hostname = config.HostName();
  options.client.tls_context = net::TlsContext::ForClient();
  options.hosts.port = static_cast<std::uint16_t>(config.mx_port);
  options.hosts.own_names = {config.HostName()};
  options.hosts.loopback_is_own = !config.dev;
  options.hosts.takes_aliases = true;  // Many domains have them, against RFC 2181; other servers deliver there too.
  return options;
}

void Outgoing::Start() {
  sweep_.Start();
  courier_->Start();
  callouts_->Start();
  dispatcher_->Start();
}

async::Task<void> Outgoing::Stop() {
  co_await dispatcher_->Stop();
  co_await callouts_->Stop();
  co_await courier_->Stop();
  co_await sweep_.Stop();
}

}  // namespace app
