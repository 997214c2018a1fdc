#include "imap/server/session.h"

#include <exception>
#include <utility>

#include "base/log.h"
#include "imap/proto/response.h"
#include "imap/server/fetch_command.h"
#include "imap/server/list_command.h"
#include "imap/server/mailbox_commands.h"
#include "imap/server/message_commands.h"
#include "imap/server/search_command.h"

namespace imap {
namespace {

// The state a command needs (RFC 3501 §3).
enum class Needs { kNothing, kNoLogin, kLogin, kMailbox };

template <class T>
constexpr Needs kNeeds = Needs::kLogin;
template <>
constexpr Needs kNeeds<Capability> = Needs::kNothing;
template <>
constexpr Needs kNeeds<Noop> = Needs::kNothing;
template <>
constexpr Needs kNeeds<Logout> = Needs::kNothing;
template <>
constexpr Needs kNeeds<BadCommand> = Needs::kNothing;
template <>
constexpr Needs kNeeds<ClientId> = Needs::kNothing;
template <>
constexpr Needs kNeeds<Unselect> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<StartTls> = Needs::kNoLogin;
template <>
constexpr Needs kNeeds<Authenticate> = Needs::kNoLogin;
template <>
constexpr Needs kNeeds<Login> = Needs::kNoLogin;
template <>
constexpr Needs kNeeds<Check> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<Close> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<Expunge> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<Search> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<Fetch> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<Store> = Needs::kMailbox;
template <>
constexpr Needs kNeeds<Copy> = Needs::kMailbox;

// Empty when the command may run now.
std::string_view WhyNotNow(Needs needs, const Conversation& c) {
  if (needs == Needs::kNoLogin && c.logged_in()) return "you are logged in already";
  if (needs >= Needs::kLogin && !c.logged_in()) return "log in first";
  if (needs == Needs::kMailbox && !c.selected.has_value()) return "select a mailbox first";
  return {};
}

// RFC 3501 §7.4.1: no EXPUNGE while FETCH, STORE or SEARCH by sequence numbers are answered.
MailboxView::Expunges ExpungesAfter(const Command& command) {
  const auto* fetch = std::get_if<Fetch>(&command);
  const auto* store = std::get_if<Store>(&command);
  const auto* search = std::get_if<Search>(&command);
  const bool by_sequence =
      (fetch != nullptr && !fetch->uid) || (store != nullptr && !store->uid) || (search != nullptr && !search->uid);
  return by_sequence ? MailboxView::Expunges::kHeldBack : MailboxView::Expunges::kAllowed;
}

// How changes of the selected mailbox are told after a command.
enum class Telling { kNone, kInTime, kFully };

Telling TellingAfter(const Command& command) {
  if (std::holds_alternative<Select>(command) || std::holds_alternative<Idle>(command) ||
      std::holds_alternative<Logout>(command) || std::holds_alternative<BadCommand>(command)) {
    return Telling::kNone;
  }
  const bool needs_no_store = std::holds_alternative<Noop>(command) || std::holds_alternative<Check>(command) ||
                              std::holds_alternative<Capability>(command) ||
                              std::holds_alternative<Namespace>(command) || std::holds_alternative<ClientId>(command) ||
                              std::holds_alternative<Enable>(command);
  return needs_no_store ? Telling::kInTime : Telling::kFully;
}

}  // namespace

Session::Session(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services)
    : connection_(std::move(connection)),
      settings_(settings),
      services_(services),
      conversation_(connection_.get(), settings, services),
      input_(connection_.get(), services->clock, settings->stranger,
             {.idle = settings->idle_timeout, .transfer = settings->transfer_timeout}) {}

async::Task<void> Session::Run() {
  const async::Executor executor = co_await asio::this_coro::executor;
  conversation_.feed.emplace(executor, services_->store);
  std::exception_ptr cancelled;
  try {
    co_await Converse();
  } catch (...) {
    cancelled = std::current_exception();
  }
  // The session's tasks end before the session they refer to, also when it was cancelled.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await StopIdling();
  co_await conversation_.feed->Stop();
  if (cancelled) end_reason_ = "shutdown";
  if (conversation_.logged_in()) {
    base::LogInfo("imap_logout", {{"account", conversation_.address},
                                  {"client", connection_->peer().ip},
                                  {"reason", end_reason_},
                                  {"commands", commands_}});
  }
  if (cancelled) {
    connection_->TryWrite(StatusLine("*", Condition::kBye, kCodeUnavailable, "the server is shutting down"));
    connection_->Close();
    std::rethrow_exception(cancelled);
  }
}

async::Task<void> Session::Converse() {
  input_.SetEnd(services_->clock->SteadyNow() + settings_->login_timeout);
  conversation_.out.Add(
      StatusLine("*", Condition::kOk, "CAPABILITY " + Capabilities(), settings_->hostname + " Posthorn ready"));
  co_await conversation_.out.Flush();
  while (!closing_ && !lost_ && !conversation_.out.failed()) {
    conversation_.out.Release();
    auto event = co_await input_.Next();
    if (!event.has_value()) {
      Lost(event.error());
      break;
    }
    co_await Handle(*std::move(event));
    co_await conversation_.out.Flush();
    if (starting_tls_) co_await UpgradeToTls();
  }
  co_await Leave();
}

async::Task<void> Session::Leave() {
  if (lost_ || conversation_.out.failed()) {
    if (!lost_) end_reason_ = "client gone";
    connection_->Close();
    co_return;
  }
  co_await conversation_.out.Flush();
  co_await connection_->Shutdown();
}

async::Task<void> Session::Handle(ReadEvent event) {
  if (std::holds_alternative<SendContinuation>(event)) {
    conversation_.out.Add(ContinuationLine("go on"));
  } else if (const auto* command = std::get_if<CommandReady>(&event)) {
    co_await HandleCommand(ParseCommand(command->text, settings_->parser));
  } else if (auto* append = std::get_if<AppendBegins>(&event)) {
    co_await HandleAppend(std::move(*append));
  } else if (const auto* refused = std::get_if<Refused>(&event)) {
    SayRefused(*refused);
  }
}

async::Task<void> Session::HandleCommand(TaggedCommand command) {
  ++commands_;
  if (services_->metrics.commands != nullptr) services_->metrics.commands->Add();
  const MailboxView::Expunges expunges = ExpungesAfter(command.command);
  const Telling telling = TellingAfter(command.command);
  Reply reply = co_await Execute(std::move(command.command));
  if (telling == Telling::kInTime) co_await TellChangesInTime(&conversation_, expunges);
  if (telling == Telling::kFully && !lost_) co_await TellChanges(&conversation_, expunges);
  co_await Finish(std::move(command.tag), std::move(reply));
}

async::Task<void> Session::Finish(std::string tag, Reply reply) {
  conversation_.out.Add(StatusLine(tag, reply.condition, reply.code, reply.text));
  if (reply.condition == Condition::kBad) {
    if (++bad_commands_ >= settings_->bad_commands_max) SayBye("too many bad commands");
  } else {
    bad_commands_ = 0;
  }
  EndWhenGone();
  co_await conversation_.out.Flush();
}

async::Task<Reply> Session::Execute(Command command) {
  const std::string_view why_not = std::visit(
      [this](const auto& c) { return WhyNotNow(kNeeds<std::decay_t<decltype(c)>>, conversation_); }, command);
  if (!why_not.empty()) co_return Bad(std::string(why_not));
  co_return co_await std::visit([this](auto&& c) { return Do(std::forward<decltype(c)>(c)); }, std::move(command));
}

void Session::SayRefused(const Refused& refused) {
  conversation_.out.Add(StatusLine(refused.tag, Condition::kBad, "", refused.text));
  if (refused.close) {
    SayBye("the connection cannot be followed any further");
  } else if (++bad_commands_ >= settings_->bad_commands_max) {
    SayBye("too many bad commands");
  }
}

void Session::SayBye(std::string_view text) {
  conversation_.out.Add(StatusLine("*", Condition::kBye, "", text));
  end_reason_ = text;
  closing_ = true;
}

// The client is gone or has been silent for too long (RFC 3501 §5.4).
void Session::Lost(const base::Error& error) {
  lost_ = true;
  end_reason_ = error.message();
  if (error.code() != base::Errc::kTimeout) return;
  end_reason_ = "timeout";
  connection_->SetDeadline(std::chrono::seconds(1));  // The expired one would refuse the last words.
  connection_->TryWrite(StatusLine("*", Condition::kBye, "", "nothing was heard for too long; closing"));
}

void Session::EndWhenGone() {
  if (!conversation_.selected.has_value() || !conversation_.selected->gone || closing_) return;
  conversation_.selected.reset();
  SayBye("the selected mailbox was deleted");
}

std::string Session::Capabilities() const {
  std::string out =
      "IMAP4rev1 LITERAL+ SASL-IR UIDPLUS IDLE MOVE UNSELECT NAMESPACE ID ENABLE CHILDREN SPECIAL-USE LIST-EXTENDED "
      "CONDSTORE STATUS=SIZE";
  if (conversation_.logged_in()) return out;
  if (services_->tls != nullptr && !connection_->is_tls()) out += " STARTTLS";
  out += may_log_in() ? " AUTH=PLAIN" : " LOGINDISABLED";
  if (may_log_in() && services_->authenticator->OffersScram()) out += " AUTH=SCRAM-SHA-256";
  return out;
}

bool Session::may_log_in() const {
  return connection_->is_tls() || (settings_->plaintext_auth_on_loopback && connection_->peer().is_loopback);
}

async::Task<Reply> Session::Do(Capability) {
  conversation_.out.Add(CapabilityLine(Capabilities()));
  co_return Ok("CAPABILITY completed");
}

async::Task<Reply> Session::Do(Noop) {
  co_return Ok("NOOP completed");
}

async::Task<Reply> Session::Do(Logout) {
  SayBye("logging out");
  end_reason_ = "logout";
  co_return Ok("LOGOUT completed");
}

// Nothing waits for a checkpoint here: every change is durable before its OK.
async::Task<Reply> Session::Do(Check) {
  co_return Ok("CHECK completed");
}

async::Task<Reply> Session::Do(BadCommand bad) {
  co_return Bad(std::move(bad.text));
}

async::Task<Reply> Session::Do(Close) {
  return RunClose(&conversation_);
}
async::Task<Reply> Session::Do(Select select) {
  return RunSelect(&conversation_, std::move(select));
}
async::Task<Reply> Session::Do(Create create) {
  return RunCreate(&conversation_, std::move(create));
}
async::Task<Reply> Session::Do(Delete deletion) {
  return RunDelete(&conversation_, std::move(deletion));
}
async::Task<Reply> Session::Do(Rename rename) {
  return RunRename(&conversation_, std::move(rename));
}
async::Task<Reply> Session::Do(Subscribe subscribe) {
  return RunSubscribe(&conversation_, std::move(subscribe));
}
async::Task<Reply> Session::Do(List list) {
  return RunList(&conversation_, std::move(list));
}
async::Task<Reply> Session::Do(Status status) {
  return RunStatus(&conversation_, std::move(status));
}
async::Task<Reply> Session::Do(Expunge expunge) {
  return RunExpunge(&conversation_, std::move(expunge));
}
async::Task<Reply> Session::Do(Search search) {
  return RunSearch(&conversation_, std::move(search));
}
async::Task<Reply> Session::Do(Fetch fetch) {
  return RunFetch(&conversation_, std::move(fetch));
}
async::Task<Reply> Session::Do(Store store) {
  return RunStore(&conversation_, std::move(store));
}
async::Task<Reply> Session::Do(Copy copy) {
  return RunCopy(&conversation_, std::move(copy));
}

}  // namespace imap
