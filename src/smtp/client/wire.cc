#include "smtp/client/wire.h"

#include <fmt/format.h>

namespace smtp {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

Error ClosedError() {
  return Error(Errc::kClosed, "the connection was closed");
}

}  // namespace

Task<Result<>> Wire::Write(std::string_view text, std::chrono::seconds timeout) {
  if (!is_open_) co_return ClosedError();
  connection_->SetDeadline(timeout);
  const std::size_t sent = connection_->TryWrite(text);
  if (sent == text.size()) co_return Result<>();
  Result<> written = co_await connection_->Write(text.substr(sent));
  // Not closed yet: there may be last words to read.
  if (!written.has_value()) is_open_ = false;
  co_return written;
}

Task<Result<ServerReply>> Wire::ReadReply(std::chrono::seconds timeout) {
  if (!is_open_) co_return ClosedError();
  // Of replies that came together only the first costs a read.
  std::optional<Result<ServerReply>> reply = TakeReply();
  if (!reply.has_value()) reply.emplace(co_await FillAndRead(timeout));
  if (!reply->has_value()) Close();
  if (reply->has_value() && (*reply)->code == 421) is_open_ = false;
  co_return *std::move(reply);
}

Task<Result<ServerReply>> Wire::FillAndRead(std::chrono::seconds timeout) {
  // Once for the whole reply: one byte at a time does not keep us.
  connection_->SetDeadline(timeout);
  for (;;) {
    ASSIGN_OR_CO_RETURN(const std::size_t bytes, co_await connection_->Read(input_.Space()));
    input_.Commit(bytes);
    std::optional<Result<ServerReply>> reply = TakeReply();
    if (reply.has_value()) co_return *std::move(reply);
  }
}

std::optional<Result<ServerReply>> Wire::TakeReply() {
  while (const auto line = input_.TakeLine(kReplyLineBytesMax)) {
    if (line->is_too_long) return Error(Errc::kInvalid, "the server's answer has a line of endless length");
    switch (parser_.AddLine(line->text)) {
      case ReplyParser::State::kMore:
        break;
      case ReplyParser::State::kDone:
        return parser_.Take();
      case ReplyParser::State::kMalformed:
        return Error(Errc::kInvalid,
                     fmt::format("the server's answer is no reply: \"{}\"", ToOneLine(line->text, 100)));
    }
  }
  return std::nullopt;
}

Task<Result<ServerReply>> Wire::Ask(std::string command, std::chrono::seconds timeout) {
  CO_RETURN_IF_ERROR(co_await Write(command, timeout));
  co_return co_await ReadReply(timeout);
}

Task<std::optional<ServerReply>> Wire::ReadLastWords(std::chrono::seconds timeout) {
  std::optional<Result<ServerReply>> reply = TakeReply();
  if (!reply.has_value()) reply.emplace(co_await FillAndRead(timeout));
  Close();
  if (!reply->has_value()) co_return std::nullopt;
  co_return **std::move(reply);
}

Task<Result<>> Wire::Encrypt(net::TlsContext* context, std::chrono::seconds timeout) {
  if (!is_open_) co_return ClosedError();
  input_.Clear();
  parser_ = {};
  connection_->SetDeadline(timeout);
  const Result<> done = co_await connection_->StartTls(context);
  if (done.has_value()) co_return Result<>();
  Close();
  co_return Error(Errc::kIo, "TLS: " + done.error().message());
}

void Wire::Close() {
  is_open_ = false;
  connection_->Close();
}

void Wire::Leave() {
  if (is_open_) connection_->TryWrite("QUIT\r\n");
  Close();
}

Task<void> Wire::Quit(std::chrono::seconds timeout) {
  const Result<ServerReply> reply = co_await Ask("QUIT\r\n", timeout);
  is_open_ = false;
  // Without an answer there is nobody left to be polite to.
  if (reply.has_value()) {
    co_await connection_->Shutdown();
  } else {
    connection_->Close();
  }
}

Error ReplyError(std::string_view doing, const ServerReply& reply) {
  const Errc code = reply.is_transient() ? Errc::kBusy : reply.is_permanent() ? Errc::kDenied : Errc::kInvalid;
  return Error(code, fmt::format("{}: {} {}", doing, reply.code, reply.Text()));
}

}  // namespace smtp
