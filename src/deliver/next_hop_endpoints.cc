#include "deliver/next_hop_endpoints.h"

#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/check.h"
#include "net/dns_rdata.h"

namespace deliver {
namespace {

using Kind = MailHosts::Kind;

bool IsAddress(const std::string& host) {
  in6_addr ignored{};
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

Endpoints ByMx(MailHosts hosts) {
  Endpoints endpoints{
      .kind = hosts.kind, .list = {}, .status = std::move(hosts.status), .reason = std::move(hosts.reason)};
  for (MailHost& host : hosts.hosts) endpoints.list.push_back({std::move(host.name), std::move(host.ip), host.port});
  return endpoints;
}

async::Task<Endpoints> ByName(net::Resolver* resolver, std::string name, std::uint16_t port) {
  Endpoints endpoints{
      .kind = Kind::kTryAgain, .list = {}, .status = "4.4.4", .reason = "the next hop " + name + " has no address"};
  for (const net::DnsType type : {net::DnsType::kA, net::DnsType::kAaaa}) {
    const base::Result<net::DnsAnswer> answer = co_await resolver->LookUp(name, type);
    if (!answer.has_value()) {
      endpoints.status = "4.4.3";
      endpoints.reason = fmt::format("look up the next hop {}: {}", name, answer.error().message());
      continue;
    }
    for (const std::string& record : answer->records) {
      if (const auto ip = net::ParseIp(type, record)) endpoints.list.push_back({name, *ip, port});
    }
  }
  if (!endpoints.list.empty()) endpoints = {.kind = Kind::kHosts, .list = std::move(endpoints.list)};
  co_return endpoints;
}

}  // namespace

async::Task<Endpoints> FindEndpoints(net::Resolver* resolver, NextHop hop, const MailHostOptions* options,
                                     base::Random* random) {
  CHECK(hop.kind != NextHop::Kind::kLocal);
  if (hop.kind == NextHop::Kind::kMx) {
    co_return ByMx(co_await FindMailHosts(resolver, std::move(hop.host), options, random));
  }
  if (hop.is_socket()) co_return Endpoints{.kind = Kind::kHosts, .list = {{hop.host, "", 0}}};
  if (hop.host == "localhost") {
    co_return Endpoints{.kind = Kind::kHosts, .list = {{hop.host, "127.0.0.1", hop.port}, {hop.host, "::1", hop.port}}};
  }
  if (IsAddress(hop.host)) co_return Endpoints{.kind = Kind::kHosts, .list = {{hop.host, hop.host, hop.port}}};
  co_return co_await ByName(resolver, std::move(hop.host), hop.port);
}

}  // namespace deliver
