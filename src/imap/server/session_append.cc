// APPEND (RFC 3501 §6.3.11, RFC 4315 §3): the message goes from the socket into the store's buffers piece by piece.
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "imap/server/session.h"

namespace imap {

// A complete command is never an APPEND: the parser answers BadCommand to one without a literal.
async::Task<Reply> Session::Do(Append) {
  co_return Bad("APPEND needs its message as a literal");
}

async::Task<void> Session::HandleAppend(AppendBegins begins) {
  ++commands_;
  TaggedCommand command = ParseAppendHead(begins.head, settings_->parser);
  const auto mailbox = co_await AdmitAppend(&command.command, begins.size_bytes);
  if (!mailbox.has_value()) {
    input_.reader().RefuseAppend();
    co_await Finish(std::move(command.tag), mailbox.error());
    co_return;
  }
  input_.reader().AcceptAppend();
  if (begins.synchronising) {
    conversation_.out.Add(ContinuationLine("send the message"));
    co_await conversation_.out.Flush();
  }
  auto body = co_await ReceiveMessage(services_->store->StreamOf(*mailbox));
  if (lost_ || closing_) co_return;
  Reply reply;
  if (!body.has_value()) {
    reply = RefuseAppend(body.error());
  } else if (bad_message_end_) {
    reply = Bad("APPEND takes one message and nothing after it");
  } else {
    reply = co_await StoreMessage(*mailbox, std::get<Append>(std::move(command.command)), *std::move(body));
  }
  if (reply.condition != Condition::kBad) co_await TellChanges(&conversation_, MailboxView::Expunges::kAllowed);
  co_await Finish(std::move(command.tag), std::move(reply));
}

async::Task<std::expected<store::MailboxId, Reply>> Session::AdmitAppend(const Command* command,
                                                                         std::uint64_t size_bytes) {
  const auto* append = std::get_if<Append>(command);
  if (append == nullptr) co_return std::unexpected(Bad(std::get<BadCommand>(*command).text));
  if (!conversation_.logged_in()) co_return std::unexpected(Bad("log in first"));
  if (size_bytes == 0) co_return std::unexpected(No("", "an empty message cannot be appended"));
  if (size_bytes > settings_->message_bytes_max) {
    co_return std::unexpected(
        No(kCodeLimit, fmt::format("a message may have at most {} bytes", settings_->message_bytes_max)));
  }
  const auto found = co_await services_->store->FindMailbox(conversation_.account, append->mailbox);
  const bool missing = found.has_value() ? !found->exists : found.error().code() == base::Errc::kNotFound;
  if (missing) co_return std::unexpected(No(kCodeTryCreate, "there is no such mailbox"));
  if (!found.has_value()) co_return std::unexpected(ReplyTo(found.error()));
  const auto admitted = services_->log->Admit(mffs::Stream::kMailbox, size_bytes);
  if (!admitted.has_value()) co_return std::unexpected(RefuseAppend(admitted.error()));
  // Better said before the message is sent; the store decides when it is here.
  if (!services_->store->HasRoom(conversation_.address, size_bytes)) {
    co_return std::unexpected(RefuseAppend(base::Error(base::Errc::kDenied, "no room for the message")));
  }
  co_return found->id;
}

// Whatever goes wrong in the store, the message is read to its end: only then does the client listen.
async::Task<base::Result<replog::Body>> Session::ReceiveMessage(mffs::Stream stream) {
  ReceivedMessage message(services_->store->NewBody(mffs::Need::kNew, stream));
  std::optional<base::Error> failure;
  bad_message_end_ = false;
  for (;;) {
    auto event = co_await input_.Next();
    if (!event.has_value()) {
      Lost(event.error());
      co_return std::move(event).error();
    }
    if (const auto* piece = std::get_if<AppendBytes>(&*event)) {
      const auto kept = co_await Keep(piece->bytes, &message);
      if (kept.has_value()) continue;
      failure = kept.error();
      input_.reader().DropRestOfAppend();
    } else if (const auto* end = std::get_if<AppendEnds>(&*event)) {
      bad_message_end_ = !end->complete;
      break;
    } else if (const auto* refused = std::get_if<Refused>(&*event)) {
      SayRefused(*refused);
      co_return base::Error(base::Errc::kClosed, refused->text);
    }
  }
  if (failure.has_value()) co_return *std::move(failure);
  message.normalized.clear();
  message.normalizer.Finish(message.normalized);
  CO_RETURN_IF_ERROR(co_await message.writer.Write(message.normalized));
  co_return co_await message.writer.Finish();
}

// Stored mail has CRLF at every line's end (RFC 5322 §2.3), which some clients do not send: else a size told by POP3
// would not be what it sends (RFC 1939 §11). A literal has no NUL (RFC 3501 §9, CHAR8): no client could be sent it
// again.
async::Task<base::Result<>> Session::Keep(std::string_view piece, ReceivedMessage* message) {
  if (piece.contains('\0')) co_return base::Error(base::Errc::kInvalid, "a message must not have NUL bytes");
  message->normalized.clear();
  message->normalizer.Append(piece, message->normalized);
  co_return co_await message->writer.Write(message->normalized);
}

Reply Session::RefuseAppend(const base::Error& error) {
  const SessionMetrics& metrics = services_->metrics;
  base::Counter* counter = nullptr;
  if (error.code() == base::Errc::kNoSpace) counter = metrics.refused_no_space;
  if (error.code() == base::Errc::kReadOnly) counter = metrics.refused_read_only;
  if (error.code() == base::Errc::kBusy) counter = metrics.refused_busy;
  if (error.code() == base::Errc::kDenied) counter = metrics.refused_over_quota;
  if (error.code() == base::Errc::kIo || error.code() == base::Errc::kTimeout) counter = metrics.refused_failed;
  if (counter != nullptr) counter->Add();
  return ReplyToStoring(error);
}

async::Task<Reply> Session::StoreMessage(store::MailboxId mailbox, Append append, replog::Body body) {
  const base::WallTime date = append.date.has_value() ? base::WallTime(*append.date) : services_->clock->WallNow();
  const auto appended = co_await services_->store->Append(mailbox, ToStoreFlags(append.flags), date, std::move(body));
  if (!appended.has_value()) {
    const bool deleted = appended.error().code() == base::Errc::kNotFound;
    co_return deleted ? No(kCodeTryCreate, "the mailbox was deleted meanwhile") : RefuseAppend(appended.error());
  }
  if (services_->metrics.appended != nullptr) services_->metrics.appended->Add();
  co_return Reply{.condition = Condition::kOk,
                  .code = CodeAppendUid(appended->uid_validity, appended->uid),
                  .text = "APPEND completed"};
}

}  // namespace imap
