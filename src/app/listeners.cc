#include "app/listeners.h"

#include <charconv>

#include <fmt/format.h>

namespace app {

base::Result<net::ListenAddress> ParseListenAddress(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  net::ListenAddress address;
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
    std::string_view ip = text.substr(0, colon);
    if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
    address.ip = ip;
    if (error == std::errc() && end == digits.data() + digits.size() && !ip.empty()) return address;
  }
  return base::Error(base::Errc::kInvalid,
                     fmt::format("\"{}\" is no address to listen on; write it as 127.0.0.1:2525 or [::1]:2525", text));
}

std::vector<std::string> ListenAddressesOf(const NodeConfig& config) {
  std::vector<std::string> addresses;
  for (const ConfigKey& key : ConfigKeys()) {
    const auto* const member = std::get_if<std::vector<std::string> NodeConfig::*>(&key.member);
    if (member == nullptr || !(key.name.ends_with(".listen") || key.name.ends_with(".listen_tls"))) continue;
    const std::vector<std::string>& list = config.*(*member);
    addresses.insert(addresses.end(), list.begin(), list.end());
  }
  return addresses;
}

Listeners::Listeners(async::Executor executor, const base::Clock* clock, const NodeConfig& config)
    : executor_(executor),
      limit_({.connections_max = static_cast<std::uint32_t>(config.connections_max),
              .connections_per_client_max = static_cast<std::uint32_t>(config.connections_per_client_max)}),
      sweep_(executor, clock) {}

base::Result<> Listeners::Bind(const NodeConfig& config) {
  for (const std::string& text : ListenAddressesOf(config)) {
    ASSIGN_OR_RETURN(const net::ListenAddress address, ParseListenAddress(text));
    ASSIGN_OR_RETURN(net::ListenSocket socket, net::ListenSocket::Bind(address));
    bound_.emplace(text, std::move(socket));
  }
  return {};
}

base::Result<net::ListenSocket> Listeners::TakeBound(const std::string& text) {
  if (auto bound = bound_.extract(text)) return std::move(bound.mapped());
  ASSIGN_OR_RETURN(const net::ListenAddress address, ParseListenAddress(text));
  return net::ListenSocket::Bind(address);
}

base::Result<> Listeners::Open(const Service& service) {
  for (const std::string& text : service.addresses) {
    ASSIGN_OR_RETURN(net::ListenSocket socket, TakeBound(text));
    RETURN_IF_ERROR(socket.Listen());
    net::ListenerOptions options;
    options.session = service.session;
    options.refusal_line = service.refusal_line;
    options.protocol = service.protocol;
    options.implicit_tls = service.implicit_tls;
    open_.push_back({service.protocol, std::make_unique<net::Listener>(executor_, std::move(socket), &limit_, &sweep_,
                                                                       std::move(options))});
  }
  return {};
}

void Listeners::Start() {
  sweep_.Start();
  for (const OpenListener& open : open_) open.listener->Start();
}

async::Task<void> Listeners::Stop() {
  for (const OpenListener& open : open_) open.listener->StopAccepting();
  for (const OpenListener& open : open_) co_await open.listener->Stop();
  co_await sweep_.Stop();
}

std::vector<std::pair<std::string, net::ListenAddress>> Listeners::addresses() const {
  std::vector<std::pair<std::string, net::ListenAddress>> addresses;
  for (const OpenListener& open : open_) addresses.emplace_back(open.protocol, open.listener->address());
  return addresses;
}

std::size_t Listeners::sessions(std::string_view protocol) const {
  std::size_t count = 0;
  for (const OpenListener& open : open_) {
    if (open.protocol == protocol) count += open.listener->sessions();
  }
  return count;
}

}  // namespace app
