#include "net/resolver_unbound.h"

#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>
#include <unbound.h>

#include "base/check.h"
#include "net/resolver_settings.h"

namespace net {

using base::Errc;
using base::Error;
using base::Result;
using std::chrono::steady_clock;

struct UnboundResolver::Question {
  Question(async::Executor executor, std::string asked_name, DnsType asked_type, steady_clock::time_point asked_end)
      : name(std::move(asked_name)), type(asked_type), end(asked_end), asker(executor), wait(executor) {}

  const std::string name;
  const DnsType type;
  const steady_clock::time_point end;  // Then nobody waits for the answer any more.
  const async::Executor asker;
  // The two below: the asker's shard only.
  async::SteadyTimer wait;
  std::optional<Result<DnsAnswer>> answer;
};

namespace {

constexpr int kClassIn = 1;

std::string Describe(const std::string& name, DnsType type);
Result<DnsAnswer> ToAnswer(const std::string& name, DnsType type, int error, const ub_result* result);
template <class Question>
void Answer(std::shared_ptr<Question> question, Result<DnsAnswer> answer);

}  // namespace

void UnboundResolver::FreeContext::operator()(ub_ctx* context) const {
  ub_ctx_delete(context);
}

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::Make(UnboundOptions options) {
  std::unique_ptr<ub_ctx, FreeContext> context(ub_ctx_create());
  if (context == nullptr) return Error(Errc::kIo, "no DNS context could be made; there is too little memory");
  RETURN_IF_ERROR(SetUp(context.get(), options));
  return std::unique_ptr<UnboundResolver>(new UnboundResolver(std::move(options), std::move(context)));
}

UnboundResolver::UnboundResolver(UnboundOptions options, std::unique_ptr<ub_ctx, FreeContext> context)
    : options_(std::move(options)),
      context_(std::move(context)),
      descriptor_(thread_.executor(), ub_fd(context_.get())) {
  asio::post(thread_.executor(), [this] { WaitForAnswers(); });
  thread_.Start();
}

UnboundResolver::~UnboundResolver() {
  asio::post(thread_.executor(), [this] { Stop(); });
  thread_.Join();
}

async::Task<Result<DnsAnswer>> UnboundResolver::LookUp(std::string name, DnsType type) {
  const async::Executor executor = co_await asio::this_coro::executor;
  const auto end = steady_clock::now() + options_.deadline;
  auto question = std::make_shared<Question>(executor, std::move(name), type, end);
  question->wait.expires_at(end);
  asio::post(thread_.executor(), [this, question] { Ask(question); });
  // The answer cancels the wait. From here on the resolver itself may be gone: nothing below needs it.
  co_await question->wait.async_wait(async::as_result);
  if (question->answer.has_value()) co_return *std::move(question->answer);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return Error(Errc::kTimeout, Describe(question->name, type) + ": no DNS server answered in time");
}

void UnboundResolver::Ask(std::shared_ptr<Question> question) {
  if (stopping_) return Answer(std::move(question), Error(Errc::kIo, "the resolver has stopped"));
  const auto now = steady_clock::now();
  while (!waiting_.empty() && waiting_.front()->end <= now) waiting_.pop_front();
  if (asked_.size() >= options_.outstanding_max && waiting_.size() >= options_.waiting_max) {
    return Answer(std::move(question), Error(Errc::kBusy, fmt::format("{} DNS questions are unanswered already",
                                                                      asked_.size() + waiting_.size())));
  }
  waiting_.push_back(std::move(question));
  AskThoseThatWait();
}

void UnboundResolver::AskThoseThatWait() {
  const auto now = steady_clock::now();
  while (!waiting_.empty() && asked_.size() < options_.outstanding_max) {
    auto question = std::move(waiting_.front());
    waiting_.pop_front();
    if (question->end > now) HandOver(std::move(question));
  }
}

void UnboundResolver::HandOver(std::shared_ptr<Question> question) {
  const std::string name = question->name;
  const int type = static_cast<int>(question->type);
  const auto asked = asked_.insert(asked_.end(), {.resolver = this, .question = std::move(question), .self = {}});
  asked->self = asked;
  const int error = name.contains('\0') ? UB_SYNTAX
                                        : ub_resolve_async(context_.get(), name.c_str(), type, kClassIn, &*asked,
                                                           &UnboundResolver::TakeAnswer, nullptr);
  if (error != 0) TakeAnswer(&*asked, error, nullptr);
}

void UnboundResolver::WaitForAnswers() {
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [this](boost::system::error_code error) {
    if (error || stopping_) return;
    // A broken pipe would be readable for ever: then no more is read, and each question ends by its deadline.
    if (ub_process(context_.get()) == UB_PIPE) return;
    AskThoseThatWait();
    WaitForAnswers();
  });
}

void UnboundResolver::TakeAnswer(void* asked, int error, ub_result* result) {
  auto* const self = static_cast<Asked*>(asked);
  auto question = std::move(self->question);
  self->resolver->asked_.erase(self->self);
  Result<DnsAnswer> answer = ToAnswer(question->name, question->type, error, result);
  ub_resolve_free(result);
  Answer(std::move(question), std::move(answer));
}

void UnboundResolver::Stop() {
  stopping_ = true;
  descriptor_.release();  // The library closes it.
  for (Asked& asked : asked_) Answer(std::move(asked.question), Error(Errc::kIo, "the resolver has stopped"));
  for (auto& question : waiting_) Answer(std::move(question), Error(Errc::kIo, "the resolver has stopped"));
  waiting_.clear();
  // Ends the library's thread. It calls back no more.
  context_.reset();
}

namespace {

std::string Describe(const std::string& name, DnsType type) {
  return fmt::format("{} of {}", ToString(type), name);
}

bool IsSameName(std::string_view a, std::string_view b) {
  if (a.ends_with('.')) a.remove_suffix(1);
  if (b.ends_with('.')) b.remove_suffix(1);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

Result<DnsAnswer> ToAnswer(const std::string& name, DnsType type, int error, const ub_result* result) {
  if (error == UB_SYNTAX) return DnsAnswer{.kind = DnsAnswer::Kind::kNoName};
  if (error != 0 || result == nullptr) {
    return Error(Errc::kIo, Describe(name, type) + ": " + ub_strerror(error));
  }
  if (result->bogus != 0) {
    return Error(Errc::kIo, fmt::format("{}: the answer is not signed as it should be (DNSSEC){}{}",
                                        Describe(name, type), result->why_bogus != nullptr ? ": " : "",
                                        result->why_bogus != nullptr ? result->why_bogus : ""));
  }
  constexpr int kNoError = 0;
  constexpr int kNxDomain = 3;
  if (result->rcode != kNoError && result->rcode != kNxDomain) {
    return Error(Errc::kIo, fmt::format("{}: the DNS servers failed (RCODE {})", Describe(name, type), result->rcode));
  }
  DnsAnswer answer;
  answer.is_secure = result->secure != 0;
  answer.is_alias = result->canonname != nullptr && !IsSameName(result->canonname, name);
  if (result->nxdomain != 0) {
    answer.kind = DnsAnswer::Kind::kNoName;
  } else if (result->havedata != 0) {
    answer.kind = DnsAnswer::Kind::kRecords;
    for (std::size_t i = 0; result->data[i] != nullptr; ++i) {
      answer.records.emplace_back(result->data[i], static_cast<std::size_t>(result->len[i]));
    }
  }
  return answer;
}

// Hands the answer to the shard that asked and wakes the task there; one that has ended meanwhile finds it never.
template <class Question>
void Answer(std::shared_ptr<Question> question, Result<DnsAnswer> answer) {
  const async::Executor asker = question->asker;
  asio::post(asker, [question = std::move(question), answer = std::move(answer)]() mutable {
    question->answer.emplace(std::move(answer));
    question->wait.cancel();
  });
}

}  // namespace
}  // namespace net
