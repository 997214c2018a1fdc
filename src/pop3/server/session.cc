#include "pop3/server/session.h"

#include <utility>

#include "base/log.h"

namespace pop3::server {
namespace {

using async::Task;
using base::Result;

constexpr std::size_t kRepliesBytesMax = 16u << 10;  // Gathered for a client that pipelines; then they are sent.

}  // namespace

Session::Session(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services)
    : connection_(std::move(connection)), settings_(settings), services_(services) {}

Task<void> Session::Run() {
  Accept(settings_->hostname + " POP3 ready");
  Next next = Next::kGoOn;
  while (next == Next::kGoOn) {
    auto line = co_await NextLine(proto::kCommandBytesMax);
    if (!line.has_value()) {
      if (line.error().code() == base::Errc::kTimeout) end_ = "timeout";
      connection_->Close();
      LogEnd();
      co_return;
    }
    next = co_await HandleLine(*std::move(line));
    if (next == Next::kGoOn) next = co_await FlushIfMuch();
  }
  base::Ignore(co_await Flush());  // A client that does not read its last reply has left already.
  co_await connection_->Shutdown();
  LogEnd();
}

// What was answered goes out when there is nothing more to answer (PIPELINING, RFC 2449 §6.6).
Task<Result<Session::InputLine>> Session::NextLine(std::size_t bytes_max) {
  for (;;) {
    if (const auto line = input_.TakeLine(bytes_max)) {
      co_return InputLine{.text = std::string(line->text), .is_too_long = line->is_too_long};
    }
    CO_RETURN_IF_ERROR(co_await Flush());
    connection_->SetDeadline(settings_->idle_max);
    ASSIGN_OR_CO_RETURN(const std::size_t size, co_await connection_->Read(input_.Space()));
    input_.Commit(size);
  }
}

Task<Session::Next> Session::HandleLine(InputLine line) {
  proto::Command command = proto::BadCommand{"the line is too long"};
  if (!line.is_too_long) command = proto::ParseCommand(line.text);
  Task<Next> handling =
      std::visit([this](auto&& c) { return Handle(std::forward<decltype(c)>(c)); }, std::move(command));
  co_return co_await std::move(handling);
}

Task<Result<>> Session::Flush() {
  if (out_.empty()) co_return Result<>();
  const std::size_t sent = connection_->TryWrite(out_);
  if (sent < out_.size()) {
    connection_->SetDeadline(settings_->idle_max);
    CO_RETURN_IF_ERROR(co_await connection_->Write(std::string_view(out_).substr(sent)));
  }
  out_.clear();
  co_return Result<>();
}

Task<Session::Next> Session::FlushIfMuch() {
  if (out_.size() < kRepliesBytesMax) co_return Next::kGoOn;
  const auto flushed = co_await Flush();
  co_return flushed.has_value() ? Next::kGoOn : Next::kClose;
}

void Session::Accept(std::string_view text) {
  out_.append("+OK ").append(text).append("\r\n");
}

void Session::Refuse(std::string_view text) {
  out_.append("-ERR ").append(text).append("\r\n");
}

void Session::RefuseForError(std::string_view event, const base::Error& error) {
  LogFailure(event, error);
  Refuse("[SYS/TEMP] the mail store cannot answer now, try again later");
}

void Session::LogFailure(std::string_view event, const base::Error& error) const {
  base::LogWarning(
      event,
      {{"protocol", "pop3"}, {"account", account_}, {"client", connection_->peer().ip}, {"error", error.message()}});
}

Task<Session::Next> Session::Handle(proto::BadCommand bad) {
  Refuse(bad.reason);
  co_return CountBadCommand();
}

Session::Next Session::CountBadCommand() {
  bad_commands_ += 1;
  if (bad_commands_ < settings_->bad_commands_max) return Next::kGoOn;
  Refuse("too many bad commands, closing");
  end_ = "bad_commands";
  return Next::kClose;
}

void Session::LogEnd() {
  if (account_.empty()) return;
  base::LogInfo("logout", {{"protocol", "pop3"},
                           {"account", account_},
                           {"client", connection_->peer().ip},
                           {"retrieved", retrieved_},
                           {"deleted", deleted_},
                           {"end", end_}});
}

}  // namespace pop3::server
