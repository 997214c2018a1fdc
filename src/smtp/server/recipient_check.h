// RecipientCheck: whether the server that mail for an address is sent on to takes it, so that what it refuses is
// refused here, and nobody is sent a bounce.
#pragma once

#include <cstdint>
#include <string>

#include "async/asio.h"

namespace smtp {

struct RecipientAnswer {
  enum class Verdict : std::uint8_t {
    kTaken,
    kRefused,
    kNotKnown,  // Nobody who knows can be asked now.
  };
  Verdict verdict = Verdict::kNotKnown;
  std::string words;  // One line for the client and the log.
};

// Thread: the sessions' shard. Fault model: knows nothing, answers late (within a few seconds) or wrongly; a mail that
// was taken by its word goes on like any other.
class RecipientCheck {
 public:
  virtual ~RecipientCheck() = default;
  // At once, when it is remembered.
  virtual async::Task<RecipientAnswer> Ask(std::string address) = 0;
};

}  // namespace smtp
