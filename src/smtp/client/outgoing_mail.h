// What goes into ClientSession::Send() and what comes out of it: the bytes of a mail, and the fate of each recipient.
#pragma once

#include <cstdint>
#include <string>

#include "async/asio.h"
#include "base/result.h"

namespace smtp {

// Whether to try again follows from the first digit alone (RFC 5321 §4.2.1).
enum class Fate : std::uint8_t { kAccepted, kTryAgain, kRefused };

// What became of one recipient.
struct RecipientFate {
  std::uint32_t recipient = 0;  // Index into the envelope.
  Fate fate = Fate::kTryAgain;
  int code = 0;        // The reply's; 0: the connection failed or we could not send it.
  std::string status;  // RFC 3463, "5.1.1"; ours where the remote gave none.
  // The remote's words behind the code ("5.1.1 No such user"), or ours: one line of valid UTF-8, without control
  // characters, 1,000 bytes at most.
  std::string answer;
  // NOTIFY and ORCPT went along: reports of success and delay are the next hop's task now (RFC 3461 §5.2.2). Where not,
  // and success was asked for, the mail was "relayed" as far as we can tell. LMTP answers for the mailbox itself.
  bool dsn_passed_on = false;
};

// The bytes of a mail, asked for in order; may be asked again from the beginning.
class MailBytes {
 public:
  virtual ~MailBytes() = default;
  virtual std::uint64_t size_bytes() const = 0;
  // [offset, offset + size) cut at the end. Errors: kIo, kCorrupt.
  virtual async::Task<base::Result<std::string>> Read(std::uint64_t offset, std::uint64_t size) = 0;
};

}  // namespace smtp
