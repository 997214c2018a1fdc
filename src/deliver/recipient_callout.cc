#include "deliver/recipient_callout.h"

#include <algorithm>
#include <utility>

#include "async/deadline.h"
#include "base/log.h"
#include "deliver/next_hop_endpoints.h"

namespace deliver {
namespace {

using async::Task;
using Kind = CalloutAnswer::Kind;

constexpr std::string_view kPoolScope = "";  // Only for its own destination.

std::string_view NameOf(Kind kind) {
  return kind == Kind::kTaken ? "taken" : kind == Kind::kRefused ? "refused" : "no_answer";
}

void Count(base::Counter* counter) {
  if (counter != nullptr) counter->Add();
}

}  // namespace

// A place among those who ask a next hop.
class RecipientCallout::Turn {
 public:
  explicit Turn(Hop* hop) : hop_(hop) { hop_->asking += 1; }
  ~Turn() {
    hop_->asking -= 1;
    hop_->freed.NotifyAll();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Hop* hop_;
};

// Whoever waits gets an answer, also when the task is cancelled.
class RecipientCallout::Settling {
 public:
  Settling(RecipientCallout* callout, std::shared_ptr<Question> question)
      : callout_(callout), question_(std::move(question)) {}
  ~Settling() { callout_->Settle(question_.get(), std::move(answer)); }
  Settling(const Settling&) = delete;
  Settling& operator=(const Settling&) = delete;

  CalloutAnswer answer{.kind = Kind::kNoAnswer, .words = "the node stops"};

 private:
  RecipientCallout* callout_;
  std::shared_ptr<Question> question_;
};

RecipientCallout::RecipientCallout(async::Executor executor, RecipientCalloutWorld world,
                                   RecipientCalloutOptions options)
    : executor_(executor),
      world_(std::move(world)),
      options_(std::move(options)),
      remembered_(options_.entries_max),
      pool_(executor, world_.clock, options_.pool),
      random_(base::SecureRandom64()),
      asking_(executor, "call-outs") {}

RecipientCallout::~RecipientCallout() = default;

Task<void> RecipientCallout::Stop() {
  co_await asking_.Stop();
  co_await pool_.Stop();
}

std::optional<CalloutAnswer> RecipientCallout::Known(const std::string& address) {
  const Remembered* const known = remembered_.Find(address);
  if (known == nullptr || known->until <= world_.clock->SteadyNow()) return std::nullopt;
  Count(world_.metrics.remembered);
  return known->answer;
}

Task<CalloutAnswer> RecipientCallout::Ask(std::string address) {
  if (auto known = Known(address)) co_return *std::move(known);
  std::shared_ptr<Question> question;
  if (const auto found = questions_.find(address); found != questions_.end()) {
    question = found->second;
  } else if (questions_.size() >= options_.questions_max || asking_.stopping()) {
    Count(world_.metrics.no_answer);
    co_return CalloutAnswer{.kind = Kind::kNoAnswer, .words = "too many addresses are asked for at once"};
  } else {
    question = std::make_shared<Question>(executor_, address);
    questions_.emplace(std::move(address), question);
    asking_.Spawn(Run(question));
  }
  while (!question->answer.has_value()) co_await question->answered.Wait();
  co_return *question->answer;
}

Task<void> RecipientCallout::Run(std::shared_ptr<Question> question) {
  Settling settling(this, question);
  auto answer = co_await async::WithDeadline(AskInTurn(question), options_.deadline);
  if (answer.has_value()) {
    settling.answer = *std::move(answer);
  } else {
    settling.answer = FallSilent(HopOf(world_.table->DestinationOf(question->address)), "the next hop was too slow");
  }
}

Task<CalloutAnswer> RecipientCallout::AskInTurn(std::shared_ptr<Question> question) {
  const std::string destination = world_.table->DestinationOf(question->address);
  Hop* const hop = HopOf(destination);
  while (!IsSilent(*hop) && hop->asking >= options_.questions_per_hop_max) co_await hop->freed.Wait();
  if (IsSilent(*hop)) co_return CalloutAnswer{.kind = Kind::kNoAnswer, .words = hop->silence};
  const Turn turn(hop);
  co_return co_await AskHop(destination, question->address, hop);
}

Task<CalloutAnswer> RecipientCallout::AskHop(std::string destination, std::string address, Hop* hop) {
  while (std::optional<HopSession> idle = pool_.Take(destination)) {
    auto answer = co_await AskOver(*std::move(idle), destination, address);
    if (answer.has_value()) co_return *std::move(answer);
  }
  auto next_hop = NextHop::Parse(destination);
  if (!next_hop.has_value() || next_hop->kind == NextHop::Kind::kLocal) {
    co_return CalloutAnswer{.kind = Kind::kNoAnswer, .words = destination + " is no next hop"};
  }
  Endpoints found = co_await FindEndpoints(world_.resolver, *next_hop, &options_.hosts, &random_);
  if (found.kind != MailHosts::Kind::kHosts) co_return FallSilent(hop, std::move(found.reason));
  if (found.list.size() > options_.endpoints_max) found.list.resize(options_.endpoints_max);
  std::string failure;
  for (Endpoint& endpoint : found.list) {
    const std::string relay = endpoint.ToString();
    auto opened = co_await OpenHopSession(&world_.dial, world_.clock, std::move(endpoint),
                                          world_.table->ClientSettingsFor(*next_hop, options_.client));
    if (!opened.has_value()) {
      failure = opened.error().message();
      continue;
    }
    auto answer = co_await AskOver(*std::move(opened), destination, address);
    if (answer.has_value()) co_return *std::move(answer);
    failure = relay + " closed the connection";
  }
  co_return FallSilent(hop, std::move(failure));
}

Task<std::optional<CalloutAnswer>> RecipientCallout::AskOver(HopSession session, std::string destination,
                                                             std::string address) {
  session.mails += 1;
  smtp::RecipientFate fate = co_await session.session->Probe(std::move(address));
  const bool is_usable = session.session->is_usable();
  if (is_usable) pool_.Put(std::move(destination), std::string(kPoolScope), std::move(session));
  if (fate.code == 0 && fate.fate == smtp::Fate::kTryAgain && !is_usable) co_return std::nullopt;
  Kind kind = Kind::kNoAnswer;
  if (fate.fate == smtp::Fate::kAccepted) kind = Kind::kTaken;
  if (fate.fate == smtp::Fate::kRefused) kind = Kind::kRefused;
  co_return CalloutAnswer{.kind = kind, .words = std::move(fate.answer)};
}

// Who asks next need not wait for the same to happen again.
CalloutAnswer RecipientCallout::FallSilent(Hop* hop, std::string why) {
  hop->silent_until = world_.clock->SteadyNow() + options_.silence_ttl;
  hop->silence = why;
  return {.kind = Kind::kNoAnswer, .words = std::move(why)};
}

void RecipientCallout::Settle(Question* question, CalloutAnswer answer) {
  base::LogInfo("callout", {{"to", question->address}, {"result", NameOf(answer.kind)}, {"answer", answer.words}});
  const CalloutMetrics& metrics = world_.metrics;
  Count(answer.kind == Kind::kTaken     ? metrics.taken
        : answer.kind == Kind::kRefused ? metrics.refused
                                        : metrics.no_answer);
  if (answer.kind != Kind::kNoAnswer) {
    const auto ttl = answer.kind == Kind::kTaken ? options_.taken_ttl : options_.refused_ttl;
    remembered_.Touch(question->address) = {.answer = answer, .until = world_.clock->SteadyNow() + ttl};
  }
  question->answer = std::move(answer);
  question->answered.NotifyAll();
  questions_.erase(question->address);
}

RecipientCallout::Hop* RecipientCallout::HopOf(const std::string& destination) {
  return &hops_.try_emplace(destination, executor_).first->second;
}

}  // namespace deliver
