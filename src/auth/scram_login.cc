#include "auth/scram_login.h"

#include <array>

#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"

namespace auth {

async::Task<base::Result<std::string>> ScramLogin::Step(std::string message) {
  CHECK(account_.empty());
  if (exchange_.has_value()) {
    ASSIGN_OR_CO_RETURN(Authenticator::ScramOutcome outcome,
                        co_await authenticator_->FinishScram(&*exchange_, std::move(message), client_ip_));
    account_ = std::move(outcome.account);
    co_return std::move(outcome.message);
  }
  std::array<std::byte, 18> random{};
  base::SecureRandom(random);
  const std::string nonce = base::EncodeBase64({reinterpret_cast<const char*>(random.data()), random.size()});
  ASSIGN_OR_CO_RETURN(exchange_, ScramExchange::Begin(message, nonce));
  co_return co_await authenticator_->BeginScram(&*exchange_);
}

}  // namespace auth
