// MailQueue: mail that was accepted and is not yet with all its recipients. A state machine in memory over the queue
// partitions. Its calls are the thesis's four: write mail (Enqueue), read mail (Claim, ReadBody), read status (List,
// Show, Status), control.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/clock.h"
#include "base/result.h"
#include "mail/class.h"
#include "mail/delivery_id.h"
#include "mail/envelope.h"
#include "replog/log.h"

namespace queue {

// A mail in the queue: "<partition>-<index>" in hexadecimal for people and logs.
struct QueueId {
  replog::PartitionId partition;
  replog::Index index;
  std::string ToString() const;
  static std::optional<QueueId> Parse(std::string_view text);
  friend auto operator<=>(const QueueId&, const QueueId&) = default;
};

enum class RecipientState : std::uint8_t {
  kWaiting = 0,  // Due at next_attempt.
  kClaimed = 1,  // With a courier now (in memory only: after a restart it is kWaiting).
  kDelivered = 2,
  kHeld = 3,  // Refused for good, or held by an operator: stays until released or removed.
};

// What a courier says of one recipient.
enum class Outcome : std::uint8_t { kDelivered = 1, kRetryLater = 2, kRejected = 3 };

struct RecipientStatus {
  std::string address;
  RecipientState state = RecipientState::kWaiting;
  std::uint32_t attempts = 0;
  base::WallTime next_attempt;
  std::string last_answer;  // Of the last attempt, one line.
  std::string destination;  // What Router gave; may be empty once it is delivered.
};

struct QueuedMail {
  QueueId id;
  mail::Class cls = mail::Class::kNormal;
  mail::Envelope envelope;
  base::WallTime queued_at;
  std::uint64_t size_bytes = 0;
  std::vector<RecipientStatus> recipients;
};

// Some recipients of one mail with the same destination, handed to one courier. Ends with Record.
struct Claim {
  QueueId id;
  std::string destination;  // What Router gave.
  mail::Class cls = mail::Class::kNormal;
  mail::Envelope envelope;  // All recipients; `recipients` are indexes into it.
  std::vector<std::uint32_t> recipients;
  std::uint32_t attempts = 0;  // Made so far for these.
  base::WallTime queued_at;
  replog::BodyRef body;
  mail::DeliveryId DeliveryIdOf(std::uint32_t recipient) const {
    return mail::DeliveryId::Queued(id.partition.value(), id.index.value(), recipient);
  }
};

struct RecipientOutcome {
  std::uint32_t recipient = 0;  // Index into the envelope.
  Outcome outcome = Outcome::kRetryLater;
  std::string answer;  // The other side's words, or ours; one line.
};

struct RetrySchedule {
  std::chrono::seconds delay_min{60};
  std::chrono::seconds delay_max{4 * 3600};
  std::chrono::hours give_up_after{120};  // RFC 5321 §4.5.4.1: at least 4-5 days; then the recipient is held.
  std::uint32_t jitter_percent = 20;
};

struct MailQueueOptions {
  RetrySchedule retry;
  std::uint32_t claims_per_destination_max = 20;
  std::uint32_t mails_max = 10'000'000;  // Past it Enqueue answers kBusy.
  std::uint32_t recipients_max = 1'000;  // Of one mail; past it kInvalid.
};

enum class Operation : std::uint8_t;
class MailState;
class QueuePartition;

// Mail of a queue partition that can never be claimed again: everything below `below` but what is in `except`.
struct SettledMail {
  replog::Index below;
  std::vector<replog::Index> except;  // Ascending.
};

struct QueueStatus {
  std::uint64_t mails = 0;
  std::uint64_t recipients_waiting = 0;
  std::uint64_t recipients_claimed = 0;
  std::uint64_t recipients_held = 0;
  std::uint64_t bytes = 0;
};

// Names the destination of a recipient: those with the same one are claimed together and share a budget. Pure and
// quick.
using Router = std::function<std::string(const std::string& recipient)>;

// Thread: the log's shard. Order: class first (known, normal, then the others), then the time an attempt is due; no
// destination keeps another waiting. Memory: the state of each mail (envelope and a few words), never its body.
class MailQueue final : public replog::StateMachine {
 public:
  // All borrowed, outlive this.
  MailQueue(async::Executor executor, replog::Log* log, const base::Clock* clock, Router router,
            MailQueueOptions options);
  ~MailQueue() override;

  // Durable when it returns. Errors: kNoSpace, kBusy, kReadOnly, kIo.
  async::Task<base::Result<QueueId>> Enqueue(mail::Envelope envelope, replog::Body body);
  replog::BodyWriter NewBody(mail::Class cls);

  // The next due claim; waits until there is one. Ends only by cancellation.
  async::Task<Claim> NextClaim();
  // Writes the outcomes of a claim's recipients in one entry; one without an outcome was not tried and stays due.
  // Errors: as Enqueue; the claim is then given back and comes again.
  async::Task<base::Result<>> Record(Claim claim, std::vector<RecipientOutcome> outcomes);
  // Gives a claim back unattempted (shutdown).
  void GiveBack(const Claim& claim);

  // The outcome of what is settled is durable, so it stays settled after any restart. At most `except_max` exceptions:
  // the next mail ends it.
  SettledMail Settled(replog::PartitionId partition, std::size_t except_max) const;
  // The last index of a queue partition that was applied: cheap to ask, and nothing above it is settled.
  replog::Index LastApplied(replog::PartitionId partition) const;

  async::Task<base::Result<std::string>> ReadBody(Claim claim, std::uint64_t offset, std::uint64_t size);
  // The same of a mail that nobody has claimed, for an operator who looks into it.
  async::Task<base::Result<std::string>> ReadBody(QueueId id, std::uint64_t offset, std::uint64_t size);

  // ---- Status: after `after` in id order, at most `limit`. ----
  std::vector<QueuedMail> List(QueueId after, std::uint32_t limit) const;
  std::optional<QueuedMail> Show(QueueId id) const;
  QueueStatus Status() const;

  // ---- Control: durable when they return. Errors: kNotFound, and as Enqueue. ----
  async::Task<base::Result<>> Hold(QueueId id);
  async::Task<base::Result<>> Release(QueueId id);  // Held recipients become due now.
  async::Task<base::Result<>> Requeue(QueueId id);  // Waiting recipients become due now.
  async::Task<base::Result<>> Reclass(QueueId id, mail::Class cls);
  // An operator's decision, logged. `by` says whose: "uid 1000".
  async::Task<base::Result<>> Remove(QueueId id, std::string by = {});

  // ---- replog::StateMachine ----
  void Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) override;
  void BodiesMoved(replog::PartitionId partition, std::vector<BodyMove> moves) override;
  async::Task<base::Result<replog::Index>> WriteSnapshot(replog::PartitionId partition,
                                                         replog::SnapshotWriter* writer) override;
  void BeginReplay(replog::PartitionId partition, replog::Index last) override;
  bool BeginSnapshot(replog::PartitionId partition, replog::Index reached) override;
  base::Result<> LoadSnapshotPiece(replog::PartitionId partition, std::string_view piece) override;
  async::Task<base::Result<>> EndSnapshot(replog::PartitionId partition) override;
  std::uint64_t KeptBytes(replog::PartitionId partition) const override;
  void SnapshotInForce(replog::PartitionId partition, replog::Index reached) override;
  async::Task<base::Result<>> Recovered() override;

 private:
  class State;

  Claim MakeClaim(std::uint32_t item) const;
  // It comes again when its recipients are due, but not before `earliest`.
  void EndClaim(const Claim& claim, base::WallTime earliest = base::WallTime::min());
  async::Task<base::Result<>> Control(QueueId id, Operation operation, mail::Class cls);
  base::Result<> ApplyEntry(const replog::EntryView& entry, QueuePartition* partition);
  void AfterChange(replog::PartitionId id, QueuePartition* partition, MailState* mail);
  void Erase(replog::PartitionId id, QueuePartition* partition, MailState* mail);

  std::unique_ptr<State> state_;
};

}  // namespace queue
