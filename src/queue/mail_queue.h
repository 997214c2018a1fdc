// MailQueue: mail that was accepted and is not yet with all its recipients. A state machine in memory over the queue
// partitions. Its calls are the thesis's four: write mail (Enqueue), read mail (Claim, ReadBody), read status (List,
// Show, Status), control.
#pragma once

#include <chrono>
#include <functional>
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
#include "queue/destination.h"
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
  kHeld = 3,     // Refused for good, or held by an operator: stays until released or removed.
  kBounced = 4,  // Failed for good, and the sender's notice of it is in the queue; or the sender asked for none.
};

// The mail is of no more use to the recipient.
constexpr bool IsOver(RecipientState state) {
  return state == RecipientState::kDelivered || state == RecipientState::kBounced;
}

// What a courier says of one recipient.
enum class Outcome : std::uint8_t { kDelivered = 1, kRetryLater = 2, kRejected = 3 };

// Who answers for a recipient that was delivered (RFC 3461 §5.2).
enum class Handover : std::uint8_t {
  kDelivered,       // In a mailbox: of ours, or of a server behind LMTP.
  kRelayed,         // With a next hop that does not offer DSN.
  kRelayedWithDsn,  // With a next hop that offers DSN, and was told what the sender asked for.
};

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
  // The destination is paused, and the mail so old that its sender is told of the delay or it is given up: recorded as
  // kRetryLater with `pause_reason` and without an attempt.
  bool is_paused = false;
  std::string pause_reason{};
  mail::DeliveryId DeliveryIdOf(std::uint32_t recipient) const {
    return mail::DeliveryId::Queued(id.partition.value(), id.index.value(), recipient);
  }
};

struct RecipientOutcome {
  std::uint32_t recipient = 0;  // Index into the envelope.
  Outcome outcome = Outcome::kRetryLater;
  std::string answer{};      // The other side's words, or ours; one line.
  std::string status{};      // RFC 3463, "5.1.1"; empty: the one in `answer`, else one that fits the outcome.
  std::string remote_mta{};  // The host that gave the answer; empty: the words are ours.
  std::string relay{};       // Who took part in the attempt, with address and port; empty: nobody.
  std::string cipher{};      // Of the connection to it; empty: without TLS.
  Handover handover = Handover::kDelivered;  // Of kDelivered only.
};

// What an outcome makes of a recipient. MailQueue::Decide proposes it by the schedule; whoever records it may tell the
// sender and so turn kHeld into kBounced.
struct Decision {
  std::uint32_t recipient = 0;                      // Index into the envelope.
  RecipientState state = RecipientState::kWaiting;  // Never kClaimed. From Decide kHeld means: it failed for good.
  base::WallTime next_attempt{};
  std::string answer{};  // One line.
  bool told = false;     // The notice that is recorded with it speaks of this recipient.
  std::string relay{};   // As in the outcome.
  std::string cipher{};
  // Why, for who composes the notice; not written.
  bool gave_up = false;            // Too old to be tried again.
  bool was_told_of_delay = false;  // By an earlier notice.
};

// A mail of our own about another one, recorded with what it tells.
struct Notice {
  mail::Envelope envelope;
  replog::Body body;
};

struct RetrySchedule {
  std::chrono::seconds delay_min{60};
  std::chrono::seconds delay_max{4 * 3600};
  std::chrono::seconds give_up_after{120 * 3600};  // RFC 5321 §4.5.4.1: at least 4-5 days; then it failed.
  std::uint32_t jitter_percent = 20;
};

struct MailQueueOptions {
  RetrySchedule retry;
  DestinationLimits destinations;
  // Mail of this age is claimed once though its destination is paused, so that its sender is told of the delay. 0:
  // never.
  std::chrono::seconds delay_told_after{4 * 3600};
  // Empty: all are local. Pure and quick, as Router.
  std::function<Lane(const std::string& destination)> lane_of;
  std::uint32_t mails_max = 10'000'000;  // Past it Enqueue answers kBusy.
  std::uint32_t recipients_max = 1'000;  // Of one mail; past it kInvalid.
};

enum class Operation : std::uint8_t;
class MailState;
class QueuePartition;
struct EnqueueEntry;
struct OutcomeEntry;

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
  std::uint64_t destinations = 0;         // That mail waits for.
  std::uint64_t destinations_paused = 0;  // Of them not tried for now.
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

  // The next due claim of a lane; waits until there is one. Ends only by cancellation.
  async::Task<Claim> NextClaim(Lane lane = Lane::kLocal);
  // What outcomes make of a claim's recipients by the schedule, in their order. Nothing when the mail was removed.
  std::vector<Decision> Decide(const Claim& claim, const std::vector<RecipientOutcome>& outcomes);
  // When a mail that still waits has waited too long.
  base::WallTime GivesUpAt(const Claim& claim) const;
  // Writes decisions and the notice about them in one entry, so that no crash loses the one or doubles the other; a
  // recipient without a decision was not tried and stays due. Without the notice, or without room for it, recipients
  // that it should speak of stay waiting, or are delivered and nobody is told.
  // Errors: as Enqueue; the claim is then given back and comes again.
  async::Task<base::Result<>> Record(Claim claim, std::vector<Decision> decisions, std::optional<Notice> notice);
  // The same without a notice: who fails is held.
  async::Task<base::Result<>> Record(Claim claim, std::vector<RecipientOutcome> outcomes);
  replog::BodyWriter NewNoticeBody();
  // Gives a claim back unattempted (shutdown).
  void GiveBack(const Claim& claim);

  // Whether the claim's destination could be reached, said before the claim ends: how much of its mail is tried at once
  // follows from it. Kept in memory only. `reason` is for people, of kUnreachable.
  void Report(const Claim& claim, Reach reach, const std::string& reason);
  // What waits where, and why; by destination.
  std::vector<DestinationStatus> Destinations() const;
  // Of one; nothing: no mail waits for it.
  std::optional<DestinationStatus> Destination(const std::string& destination) const;
  // One mail of a paused destination tries now. False: nothing waits for it.
  bool EndPause(const std::string& destination);

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
  bool Contains(QueueId id) const;
  // Whether the notice that comes with these outcomes would be queued, if they were applied now.
  bool TakesNotice(replog::PartitionId partition, const OutcomeEntry& outcome) const;
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
  // One entry. Claim and decisions outlive the task.
  async::Task<base::Result<>> Write(const Claim* claim, const std::vector<Decision>* decisions,
                                    std::optional<Notice> notice);
  base::Result<> ApplyEntry(const replog::EntryView& entry, QueuePartition* partition);
  void ApplyEnqueue(const replog::EntryView& entry, QueuePartition* partition, const EnqueueEntry& enqueue);
  void ApplyOutcome(const replog::EntryView& entry, QueuePartition* partition, const OutcomeEntry& outcome);
  base::Result<> ApplyControl(const replog::EntryView& entry, QueuePartition* partition);
  void AfterChange(replog::PartitionId id, QueuePartition* partition, MailState* mail);
  void Erase(replog::PartitionId id, QueuePartition* partition, MailState* mail);

  std::unique_ptr<State> state_;
};

}  // namespace queue
