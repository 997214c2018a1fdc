#include "async/notifier.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "async/deadline.h"

namespace async {

Task<void> Notifier::Wait() {
  // A cancelled timer is the wake-up. Cancellation of the task ends the wait in the same way, and then unwinds.
  co_await timer_.async_wait(as_result);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
}

Task<void> Notifier::WaitFor(std::chrono::steady_clock::duration duration) {
  base::Ignore(co_await WithDeadline(Wait(), duration));
}

}  // namespace async
