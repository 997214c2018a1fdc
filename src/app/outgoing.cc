#include "app/outgoing.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/outgoing_metrics.h"
#include "deliver/dial.h"
#include "net/interface_addresses.h"
#include "net/measured_resolver.h"
#include "net/resolver_unbound.h"

namespace app {
namespace {

constexpr std::pair<std::string_view, smtp::ClientTls> kTlsNames[] = {
    {"never", smtp::ClientTls::kNever},        {"opportunistic", smtp::ClientTls::kOpportunistic},
    {"encrypted", smtp::ClientTls::kRequired}, {"required", smtp::ClientTls::kRequired},
    {"implicit", smtp::ClientTls::kImplicit},
};

// Less than a service manager waits for a node to stop (systemd: 90 s).
constexpr std::chrono::seconds kStopGrace{5};

base::Error BadRoute(std::string_view route, std::string_view problem) {
  return base::Error(base::Errc::kInvalid, fmt::format("configuration key deliver.routes: \"{}\": {}", route, problem));
}

// Only a server that is named can prove to be that one.
bool MustProveItself(std::string_view tls) {
  return tls == "required" || tls == "implicit";
}

base::Result<std::unique_ptr<net::Resolver>> MakeResolver(const NodeConfig& config) {
  net::UnboundOptions options;
  options.servers = config.dns_servers;
  options.from_root = config.dns_from_root;
  ASSIGN_OR_RETURN(std::unique_ptr<net::UnboundResolver> resolver, net::UnboundResolver::Make(std::move(options)));
  return resolver;
}

}  // namespace

base::Result<deliver::NextHopTable> ReadRoutes(const NodeConfig& config) {
  deliver::NextHopTable table;
  for (const std::string& domain : config.domains) RETURN_IF_ERROR(table.AddLocal(domain));
  for (const std::string& route : config.routes) {
    const std::size_t space = route.find(' ');
    if (space == std::string::npos) return BadRoute(route, "must be a domain, a space and a next hop");
    const std::string_view hop_text = std::string_view(route).substr(route.find_first_not_of(' ', space));
    auto hop = deliver::NextHop::Parse(hop_text);
    if (!hop) return BadRoute(route, hop.error().message());
    if (hop->kind == deliver::NextHop::Kind::kLocal) {
      return BadRoute(route,
                      "mailboxes here are those of mail.domains; write smtp:HOST:PORT, lmtp:HOST:PORT or mx:DOMAIN");
    }
    const auto added = table.Add(route.substr(0, space), *std::move(hop));
    if (!added) return BadRoute(route, added.error().message());
  }
  return table;
}

base::Result<std::unique_ptr<Outgoing>> Outgoing::Make(const NodeConfig& config, World world) {
  std::unique_ptr<Outgoing> outgoing(new Outgoing(std::move(world)));
  RETURN_IF_ERROR(outgoing->Prepare(config));
  return outgoing;
}

Outgoing::Outgoing(World world)
    : world_(std::move(world)), sweep_(world_.executor, world_.clock), unverified_(net::TlsContext::ForClient()) {}

base::Result<> Outgoing::Prepare(const NodeConfig& config) {
  if (!world_.resolver) {
    ASSIGN_OR_RETURN(world_.resolver, MakeResolver(config));
  }
  world_.resolver = std::make_unique<net::MeasuredResolver>(std::move(world_.resolver), world_.clock,
                                                            AddResolverMetrics(world_.metrics));
  for (const NextHopConfig& hop : config.next_hops) RETURN_IF_ERROR(AddSettings(hop));
  TakeRoutes(*world_.table);
  deliver::RemoteCourierOptions options = CourierOptions(config);
  ASSIGN_OR_RETURN(options.hosts.own_addresses, net::InterfaceAddresses());
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
  const auto counter = [this](std::string_view result) {
    return &world_.metrics->AddCounter("posthorn_callouts", "Recipients of relay domains, by what is known of them.",
                                       fmt::format("result=\"{}\"", result));
  };
  callouts_ = std::make_unique<deliver::RecipientCallout>(
      world_.executor,
      deliver::RecipientCalloutWorld{.resolver = world_.resolver.get(),
                                     .clock = world_.clock,
                                     .table = world_.table,
                                     .dial = deliver::DialNetwork(&sweep_, {.timeout = config.callout_deadline}),
                                     .taken = counter("taken"),
                                     .refused = counter("refused"),
                                     .no_answer = counter("no_answer"),
                                     .remembered = counter("remembered")},
      std::move(options));
  check_.emplace(callouts_.get());
}

base::Result<> Outgoing::AddSettings(const NextHopConfig& named) {
  auto hop = deliver::NextHop::Parse(named.hop);
  if (!hop) return std::move(hop).error().In("configuration key next_hop: \"" + named.hop + "\"");
  const auto* tls = std::ranges::find(kTlsNames, named.tls, &std::pair<std::string_view, smtp::ClientTls>::first);
  if (tls == std::end(kTlsNames)) {
    return base::Error(base::Errc::kInvalid,
                       fmt::format("configuration key next_hop: tls = \"{}\" is not one of never, opportunistic, "
                                   "encrypted, required, implicit",
                                   named.tls));
  }
  deliver::NextHopSettings settings{
      .tls = tls->second, .tls_context = unverified_.get(), .username = named.username, .password = named.password};
  if (MustProveItself(named.tls)) {
    auto context = net::TlsContext::ForVerifyingClient(hop->host, named.ca_file);
    if (!context) return std::move(context).error().In("configuration key next_hop: \"" + named.hop + "\"");
    settings.tls_context = verified_.emplace_back(*std::move(context)).get();
  }
  settings_.emplace_back(*std::move(hop), std::move(settings));
  return {};
}

deliver::RemoteCourierOptions Outgoing::CourierOptions(const NodeConfig& config) const {
  deliver::RemoteCourierOptions options;
  options.client.hostname = config.HostName();
  options.client.tls_context = unverified_.get();
  options.hosts.port = static_cast<std::uint16_t>(config.mx_port);
  options.hosts.own_names = {config.HostName()};
  options.hosts.loopback_is_own = !config.dev;
  options.hosts.takes_aliases = true;  // Many domains have them, against RFC 2181; other servers deliver there too.
  return options;
}

void Outgoing::TakeRoutes(deliver::NextHopTable table) {
  for (const auto& [hop, settings] : settings_) table.SetSettings(hop, settings);
  *world_.table = std::move(table);
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
