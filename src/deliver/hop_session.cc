#include "deliver/hop_session.h"

#include <utility>

#include <fmt/format.h>

namespace deliver {
namespace {

async::Task<base::Result<HopSession>> OpenOnce(const Dial* dial, Endpoint endpoint, smtp::ClientSettings settings) {
  HopSession opened{.settings = std::make_shared<const smtp::ClientSettings>(std::move(settings)),
                    .session = nullptr,
                    .heard = nullptr,
                    .endpoint = endpoint,
                    .opened_at = {}};
  ASSIGN_OR_CO_RETURN(std::unique_ptr<net::Connection> connection, co_await (*dial)(std::move(endpoint)));
  auto counting = std::make_unique<CountingConnection>(std::move(connection));
  opened.heard = counting->count();
  ASSIGN_OR_CO_RETURN(opened.session, co_await smtp::ClientSession::Open(std::move(counting), opened.settings.get()));
  co_return opened;
}

}  // namespace

std::string Endpoint::ToString() const {
  return ip.empty() ? name : fmt::format("{}[{}]:{}", name, ip, port);
}

async::Task<base::Result<HopSession>> OpenHopSession(const Dial* dial, const base::Clock* clock, Endpoint endpoint,
                                                     smtp::ClientSettings settings) {
  const std::string where = endpoint.ToString();
  const bool may_do_without = settings.tls == smtp::ClientTls::kOpportunistic;
  base::Result<HopSession> opened = co_await OpenOnce(dial, endpoint, settings);
  if (!opened.has_value() && may_do_without && opened.error().code() == base::Errc::kIo) {
    settings.tls = smtp::ClientTls::kNever;
    opened = co_await OpenOnce(dial, std::move(endpoint), std::move(settings));
  }
  if (!opened.has_value()) co_return std::move(opened).error().In(where);
  opened->opened_at = clock->SteadyNow();
  co_return opened;
}

}  // namespace deliver
