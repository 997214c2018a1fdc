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

}  // namespace deliver
