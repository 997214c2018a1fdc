#include "deliver/remote_courier.h"

#include <utility>

#include "base/check.h"
#include "deliver/remote_attempt.h"

namespace deliver {

RemoteCourier::RemoteCourier(async::Executor executor, RemoteCourierWorld world, RemoteCourierOptions options)
    : world_(std::move(world)),
      options_(std::move(options)),
      pool_(executor, world_.clock, options_.pool),
      random_(base::SecureRandom64()) {}

RemoteCourier::~RemoteCourier() = default;

async::Task<void> RemoteCourier::Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) {
  base::Result<NextHop> hop = NextHop::Parse(claim.destination);
  // Destinations are made by NextHopTable, and those of mailboxes go to another courier.
  CHECK(hop.has_value() && hop->kind != NextHop::Kind::kLocal);
  Attempt attempt(this, std::move(claim), *std::move(hop), outcomes);
  co_await attempt.Run();
}

smtp::ClientSettings RemoteCourier::SettingsFor(const NextHop& hop) const {
  smtp::ClientSettings settings = options_.client;
  settings.protocol = hop.kind == NextHop::Kind::kLmtp ? smtp::ClientProtocol::kLmtp : smtp::ClientProtocol::kSmtp;
  // Nobody stands between us and a socket of this machine.
  if (hop.is_socket()) settings.tls = smtp::ClientTls::kNever;
  if (const NextHopSettings* own = world_.table->SettingsOf(hop)) {
    settings.tls = own->tls;
    if (own->tls_context != nullptr) settings.tls_context = own->tls_context;
    settings.username = own->username;
    settings.password = own->password;
  }
  const bool is_optional = settings.tls == smtp::ClientTls::kOpportunistic;
  if (is_optional && settings.tls_context == nullptr) settings.tls = smtp::ClientTls::kNever;
  return settings;
}

}  // namespace deliver
