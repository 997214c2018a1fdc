// The messages of a SCRAM client, and the text that keys are kept as. Input: the client-first-message, a line feed, the
// client-final-message.
#include <cstdint>
#include <string_view>

#include "auth/scram_exchange.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view client_first = input.substr(0, end);
  const std::string_view client_final = input.substr(std::min(end + 1, input.size()));

  if (const auto keys = auth::ScramKeys::Parse(input)) {
    const auto again = auth::ScramKeys::Parse(keys->ToText());
    CHECK(again.has_value() && again->ToText() == keys->ToText());
  }
  auto exchange = auth::ScramExchange::Begin(client_first, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  if (!exchange.has_value()) return 0;
  CHECK(!exchange->username().empty() && exchange->username().find('\0') == std::string::npos);
  // Nobody can prove a password of keys that are no digests of anything.
  auth::ScramKeys keys{.iterations = 4096, .salt = "0123456789abcdef"};
  const std::string challenge = exchange->Challenge(keys);
  CHECK(challenge.find('\r') == std::string::npos && challenge.find('\n') == std::string::npos);
  CHECK(!exchange->Finish(client_final, keys).has_value());
  return 0;
}
