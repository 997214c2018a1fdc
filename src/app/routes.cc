#include "app/routes.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/tls_context.h"

namespace app {
namespace {

constexpr std::pair<std::string_view, smtp::ClientTls> kTlsNames[] = {
    {"never", smtp::ClientTls::kNever},        {"opportunistic", smtp::ClientTls::kOpportunistic},
    {"encrypted", smtp::ClientTls::kRequired}, {"required", smtp::ClientTls::kRequired},
    {"implicit", smtp::ClientTls::kImplicit},
};

base::Error BadRoute(std::string_view route, std::string_view problem) {
  return base::Error(base::Errc::kInvalid, fmt::format("configuration key deliver.routes: \"{}\": {}", route, problem));
}

std::string InHop(const NextHopConfig& named) {
  return "configuration key next_hop: \"" + named.hop + "\"";
}

// Only a server that is named can prove to be that one.
bool MustProveItself(std::string_view tls) {
  return tls == "required" || tls == "implicit";
}

base::Result<> AddRoute(std::string_view route, deliver::NextHopTable* table) {
  const std::size_t space = route.find(' ');
  if (space == std::string_view::npos) return BadRoute(route, "must be a domain, a space and a next hop");
  const std::string_view hop_text = route.substr(route.find_first_not_of(' ', space));
  auto hop = deliver::NextHop::Parse(hop_text);
  if (!hop) return BadRoute(route, hop.error().message());
  if (hop->kind == deliver::NextHop::Kind::kLocal) {
    return BadRoute(route,
                    "mailboxes here are those of mail.domains; write smtp:HOST:PORT, lmtp:HOST:PORT or mx:DOMAIN");
  }
  const auto added = table->Add(route.substr(0, space), *std::move(hop));
  if (!added) return BadRoute(route, added.error().message());
  return {};
}

base::Result<> AddSettings(const NextHopConfig& named, deliver::NextHopTable* table) {
  auto hop = deliver::NextHop::Parse(named.hop);
  if (!hop) return std::move(hop).error().In(InHop(named));
  const auto* tls = std::ranges::find(kTlsNames, named.tls, &std::pair<std::string_view, smtp::ClientTls>::first);
  if (tls == std::end(kTlsNames)) {
    return base::Error(base::Errc::kInvalid,
                       fmt::format("{}: tls = \"{}\" is not one of never, opportunistic, encrypted, required, implicit",
                                   InHop(named), named.tls));
  }
  deliver::NextHopSettings settings{
      .tls = tls->second, .tls_context = {}, .username = named.username, .password = named.password};
  if (MustProveItself(named.tls)) {
    auto context = net::TlsContext::ForVerifyingClient(hop->host, named.ca_file);
    if (!context) return std::move(context).error().In(InHop(named));
    settings.tls_context = *std::move(context);
  }
  table->SetSettings(*hop, std::move(settings));
  return {};
}

}  // namespace

base::Result<deliver::NextHopTable> ReadRoutes(const NodeConfig& config) {
  deliver::NextHopTable table;
  for (const std::string& domain : config.domains) RETURN_IF_ERROR(table.AddLocal(domain));
  for (const std::string& route : config.routes) RETURN_IF_ERROR(AddRoute(route, &table));
  for (const NextHopConfig& hop : config.next_hops) RETURN_IF_ERROR(AddSettings(hop, &table));
  return table;
}

}  // namespace app
