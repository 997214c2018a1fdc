#include "deliver/remote_attempt.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "deliver/delivery_log.h"

namespace deliver {
namespace {

constexpr int kGoodbye = 421;

std::string_view StatusOf(const base::Error& error) {
  switch (error.code()) {
    case base::Errc::kBusy:
      return "4.3.2";
    case base::Errc::kDenied:
      return "4.7.0";
    case base::Errc::kInvalid:
      return "4.5.0";
    default:
      return "4.4.1";
  }
}

queue::Outcome OutcomeOf(smtp::Fate fate) {
  switch (fate) {
    case smtp::Fate::kAccepted:
      return queue::Outcome::kDelivered;
    case smtp::Fate::kRefused:
      return queue::Outcome::kRejected;
    case smtp::Fate::kTryAgain:
      break;
  }
  return queue::Outcome::kRetryLater;
}

// The remote's words, as a notice quotes them, and whose they are. Ours begin with the status.
std::string AnswerOf(const smtp::RecipientFate& fate, const std::string& relay) {
  if (fate.code == 0) return fmt::format("{} {}: {}", fate.status, relay, fate.answer);
  return fmt::format("{} {} ({})", fate.code, fate.answer, relay);
}

queue::Handover HandoverOf(const NextHop& hop, const smtp::RecipientFate& fate) {
  // The server behind LMTP answers for the mailbox itself.
  if (hop.kind == NextHop::Kind::kLmtp) return queue::Handover::kDelivered;
  return fate.dsn_passed_on ? queue::Handover::kRelayedWithDsn : queue::Handover::kRelayed;
}

std::string CipherOf(const net::TlsFacts& tls) {
  return tls.version.empty() ? "" : fmt::format("{} {}", tls.version, tls.cipher);
}

// RFC 5321 §4.5.3.1.10; with another status 452 is about a mailbox or a disk.
bool IsSurplus(const smtp::RecipientFate& fate) {
  return fate.status == "4.5.3" || (fate.code == 452 && fate.status == "4.0.0");
}

// A host that says goodbye to every mail or falls silent is as one that cannot be reached: it had better be left alone.
queue::Reach ReachOf(bool is_usable, const std::vector<smtp::RecipientFate>& fates) {
  const bool had_its_say =
      std::ranges::any_of(fates, [](const auto& fate) { return fate.code != 0 && fate.code != kGoodbye; });
  return is_usable || had_its_say ? queue::Reach::kReached : queue::Reach::kUnreachable;
}

}  // namespace

// What Send() said so far. When its task is cancelled, what happened is told all the same; what then looks like a
// failure that passes may be the cancellation's doing.
class RemoteCourier::Attempt::Settling {
 public:
  Settling(Attempt* attempt, const HopSession* session) : attempt_(attempt), session_(session) {}
  ~Settling() {
    std::erase_if(fates, [](const auto& fate) { return fate.fate == smtp::Fate::kTryAgain; });
    Settle();
  }
  Settling(const Settling&) = delete;
  Settling& operator=(const Settling&) = delete;

  void Settle() {
    attempt_->Settle(*session_, fates);
    fates.clear();
  }
  // Takes those out that were one too many beside others which were accepted: they go in another mail.
  void DropSurplus() {
    const bool any_accepted =
        std::ranges::any_of(fates, [](const auto& fate) { return fate.fate == smtp::Fate::kAccepted; });
    if (any_accepted) std::erase_if(fates, IsSurplus);
  }

  std::vector<smtp::RecipientFate> fates;

 private:
  Attempt* attempt_;
  const HopSession* session_;
};

RemoteCourier::Attempt::Attempt(RemoteCourier* courier, queue::Claim claim, NextHop hop,
                                std::vector<queue::RecipientOutcome>* outcomes)
    : courier_(courier),
      claim_(std::move(claim)),
      hop_(std::move(hop)),
      outcomes_(outcomes),
      bytes_(courier->world_.queue, claim_) {}

async::Task<void> RemoteCourier::Attempt::Run() {
  const std::vector<std::uint32_t>& all = claim_.recipients;
  for (std::size_t at = 0; at < all.size(); at += courier_->options_.recipients_max) {
    const std::size_t end = std::min<std::size_t>(all.size(), at + courier_->options_.recipients_max);
    pending_.assign(all.begin() + static_cast<std::ptrdiff_t>(at), all.begin() + static_cast<std::ptrdiff_t>(end));
    co_await SendTogether();
  }
}

async::Task<void> RemoteCourier::Attempt::SendTogether() {
  while (!failed_) {
    std::optional<HopSession> idle = courier_->pool_.Take(claim_.destination);
    if (!idle.has_value()) break;
    const Answered answered = co_await SendOver(*std::move(idle));
    if (answered == Answered::kYes) co_return;
  }
  if (!failed_) co_await FindEndpoints();
  for (std::size_t i = 0; !failed_ && i < endpoints_.size(); ++i) {
    const Answered answered = co_await SendToEndpoint(endpoints_[i]);
    if (answered == Answered::kYes) co_return;
  }
  failed_ = true;
  const bool stands = failure_.outcome == queue::Outcome::kRejected;
  if (!stands) courier_->world_.queue->Report(claim_, queue::Reach::kUnreachable, failure_.words);
  SettlePending(failure_);
}

async::Task<void> RemoteCourier::Attempt::FindEndpoints() {
  if (!endpoints_.empty()) co_return;
  const RemoteCourierOptions& options = courier_->options_;
  Endpoints found =
      co_await deliver::FindEndpoints(courier_->world_.resolver, hop_, &options.hosts, &courier_->random_);
  if (found.kind != MailHosts::Kind::kHosts) {
    const bool is_final = found.kind == MailHosts::Kind::kNever;
    failed_ = true;
    failure_ = {.outcome = is_final ? queue::Outcome::kRejected : queue::Outcome::kRetryLater,
                .status = std::move(found.status),
                .words = std::move(found.reason)};
    co_return;
  }
  endpoints_ = std::move(found.list);
  if (endpoints_.size() > options.endpoints_max) endpoints_.resize(options.endpoints_max);
}

async::Task<RemoteCourier::Attempt::Answered> RemoteCourier::Attempt::SendToEndpoint(Endpoint endpoint) {
  for (;;) {
    std::optional<HopSession> idle = courier_->pool_.TakeEndpoint(PoolScope(), endpoint);
    if (!idle.has_value()) break;
    const Answered answered = co_await SendOver(*std::move(idle));
    if (answered == Answered::kYes) co_return Answered::kYes;
  }
  const std::string relay = endpoint.ToString();
  base::Result<HopSession> opened =
      co_await OpenHopSession(&courier_->world_.dial, courier_->world_.clock, std::move(endpoint),
                              courier_->world_.table->ClientSettingsFor(hop_, courier_->options_.client));
  if (!opened.has_value()) {
    failure_ = {.status = std::string(StatusOf(opened.error())), .words = opened.error().message()};
    co_return Answered::kNo;
  }
  courier_->opened_ += 1;
  const Answered answered = co_await SendOver(*std::move(opened));
  if (answered == Answered::kNo) failure_ = {.status = "4.4.2", .words = relay + " closed the connection"};
  co_return answered;
}

async::Task<RemoteCourier::Attempt::Answered> RemoteCourier::Attempt::SendOver(HopSession session) {
  while (!pending_.empty()) {
    Settling settling(this, &session);
    const std::uint64_t heard_before = *session.heard;
    session.mails += 1;
    co_await session.session->Send(&claim_.envelope, pending_, &bytes_, &settling.fates);
    const bool is_usable = session.session->is_usable();
    // Between two mails a server may close at any moment. One that closes before it has said a word to the first of
    // them is broken, and the next host may be better.
    if (session.session->had_gone_stale() || (!is_usable && *session.heard == heard_before)) {
      settling.fates.clear();
      co_return Answered::kNo;
    }
    if (is_usable) settling.DropSurplus();
    courier_->world_.queue->Report(claim_, ReachOf(is_usable, settling.fates), "it cuts the dialogue short");
    const std::size_t pending_before = pending_.size();
    settling.Settle();
    if (!is_usable || pending_.size() == pending_before) break;
  }
  SettlePending({.status = "4.5.0", .words = session.endpoint.ToString() + " did not answer for this recipient"});
  if (session.session->is_usable()) courier_->pool_.Put(claim_.destination, PoolScope(), std::move(session));
  co_return Answered::kYes;
}

void RemoteCourier::Attempt::Settle(const HopSession& session, const std::vector<smtp::RecipientFate>& fates) {
  const std::string relay = session.endpoint.ToString();
  const std::string cipher = CipherOf(session.session->tls());
  for (const smtp::RecipientFate& fate : fates) {
    Add({.recipient = fate.recipient,
         .outcome = OutcomeOf(fate.fate),
         .answer = AnswerOf(fate, relay),
         .status = fate.status,
         .remote_mta = fate.code == 0 ? "" : session.endpoint.name,
         .relay = relay,
         .cipher = cipher,
         .handover = HandoverOf(hop_, fate)});
  }
}

void RemoteCourier::Attempt::SettlePending(const Reason& reason) {
  const Recipients pending = pending_;
  for (const std::uint32_t recipient : pending) {
    Add({.recipient = recipient,
         .outcome = reason.outcome,
         .answer = fmt::format("{} {}", reason.status, reason.words),
         .status = reason.status});
  }
}

void RemoteCourier::Attempt::Add(queue::RecipientOutcome outcome) {
  std::erase(pending_, outcome.recipient);
  LogDelivery(claim_, outcome, courier_->world_.clock->WallNow());
  outcomes_->push_back(std::move(outcome));
}

}  // namespace deliver
