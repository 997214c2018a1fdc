// OutgoingBody: the bytes of one mail as they follow 354, piece by piece.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "async/asio.h"
#include "base/result.h"
#include "mail/envelope.h"
#include "mail/seven_bit.h"
#include "smtp/client/outgoing_mail.h"
#include "smtp/client/send_plan.h"
#include "smtp/proto/dot_stuffer.h"

namespace smtp {

// Reads the mail once where the server can do what it needs, and up to three times where not: to look for 8-bit bytes,
// to see in which parts they are, and to convert these.
//
// Thread: one shard. Borrows the bytes. Memory: a piece as it is stored, and the caller's as it is sent.
// Errors of all calls: kIo and kCorrupt, as MailBytes has them.
class OutgoingBody {
 public:
  static constexpr std::uint64_t kPieceBytes = 64u << 10;

  explicit OutgoingBody(MailBytes* bytes) : bytes_(bytes) {}

  // Before MAIL: reads the first piece, and looks at all of them where the choice depends on it.
  async::Task<base::Result<>> Prepare(const mail::Envelope* envelope, const Capabilities* offered);
  const ContentNeeds& needs() const { return needs_; }

  // Goes back to the beginning; `converts` to 7 bits on the way, which Prepare() has found possible.
  void Rewind(bool converts);
  bool at_end() const { return ended_; }
  // Appends the next piece, dot-stuffed; with the last one the final dot.
  async::Task<base::Result<>> AppendNext(std::string* out);

 private:
  async::Task<base::Result<std::string>> ReadAt(std::uint64_t offset);
  async::Task<base::Result<>> Inspect();
  async::Task<base::Result<>> Survey();

  MailBytes* bytes_;
  std::string first_piece_;
  bool has_first_piece_ = false;
  bool inspected_ = false;
  ContentNeeds needs_;
  mail::SevenBitPlan seven_bit_plan_;

  std::uint64_t offset_ = 0;
  bool ended_ = false;
  DotStuffer stuffer_;
  std::optional<mail::SevenBitWriter> writer_;
};

}  // namespace smtp
