#include "queue/decision.h"

#include <utility>

#include <fmt/format.h>

#include "queue/retry.h"

namespace queue {
namespace {

constexpr std::size_t kAnswerBytesMax = 200;

}  // namespace

Decision Decide(const RecipientOutcome& outcome, const Trial& trial, base::Random* random) {
  Decision decision{.recipient = outcome.recipient,
                    .state = RecipientState::kDelivered,
                    .next_attempt = trial.now,
                    .answer = Tidy(outcome.answer),
                    .relay = Tidy(outcome.relay),
                    .cipher = Tidy(outcome.cipher)};
  if (outcome.outcome == Outcome::kRejected) decision.state = RecipientState::kHeld;
  if (outcome.outcome != Outcome::kRetryLater) return decision;
  const auto next = NextAttempt(trial.schedule, trial.attempts, trial.queued_at, trial.now, random);
  decision.state = next.has_value() ? RecipientState::kWaiting : RecipientState::kHeld;
  decision.next_attempt = next.value_or(trial.now);
  decision.gave_up = !next.has_value();
  if (decision.gave_up) {
    decision.answer = Tidy(fmt::format(
        "gave up after {} attempts in {} hours; the last answer: {}", trial.attempts,
        std::chrono::duration_cast<std::chrono::hours>(trial.now - trial.queued_at).count(), outcome.answer));
  }
  return decision;
}

Decision WithoutNotice(Decision decision, base::WallTime again) {
  if (!decision.told) return decision;
  decision.told = false;
  if (decision.state == RecipientState::kBounced) {
    decision.state = RecipientState::kWaiting;
    decision.next_attempt = again;
  }
  return decision;
}

std::string Tidy(std::string answer) {
  if (answer.size() > kAnswerBytesMax) answer.resize(kAnswerBytesMax);
  for (char& c : answer) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return answer;
}

}  // namespace queue
