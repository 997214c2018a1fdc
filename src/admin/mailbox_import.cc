// mailbox.import and mailbox.flags. The mails of one request come from the socket into the store's buffers piece by
// piece.
#include <utility>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "admin/mailbox_commands.h"
#include "admin/mailbox_json.h"
#include "mail/line_ends.h"

namespace admin {

namespace json = boost::json;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kMailsMax = 256;  // Of one request.
constexpr std::size_t kPieceBytes = 16u << 10;

json::object Refused(const Error& error) {
  json::object out;
  out["code"] = JsonText(ToString(error.code()));
  out["error"] = JsonText(error.message());
  return out;
}

}  // namespace

// What has become of the mails of a request. Owned together by the request and by the tasks that store its mails: a
// request that the node's stop cuts short leaves them to end what they have proposed.
struct MailboxCommands::Batch {
  Batch(async::Executor executor, std::size_t count) : outcomes(count), changed(std::move(executor)) {}
  std::vector<json::object> outcomes;
  std::size_t running = 0;
  async::Notifier changed;
};

MailboxCommands::Answer MailboxCommands::Import(Arguments arguments, RequestBody* body) {
  ASSIGN_OR_CO_RETURN(const store::MailboxId mailbox, MailboxIdOf(arguments));
  ASSIGN_OR_CO_RETURN(const store::Mailbox state, co_await parts_.store->MailboxState(mailbox));
  ASSIGN_OR_CO_RETURN(std::vector<IncomingMail> mails, ParseMails(arguments, state.uid_validity));
  const async::Executor executor = co_await asio::this_coro::executor;
  const auto batch = std::make_shared<Batch>(executor, mails.size());
  for (std::size_t i = 0; i < mails.size(); ++i) {
    auto received = co_await Receive(mails[i].size_bytes, body);
    if (!received && received.error().code() == Errc::kClosed) co_return Error(received.error());
    if (!received) {
      batch->outcomes[i] = Refused(received.error());
      continue;
    }
    batch->running += 1;
    imports_.Spawn(Store(mailbox, std::move(mails[i].message), *std::move(received), batch, i));
  }
  while (batch->running > 0) co_await batch->changed.Wait();
  json::array outcomes;
  for (json::object& outcome : batch->outcomes) outcomes.push_back(std::move(outcome));
  json::object answer;
  answer["mails"] = std::move(outcomes);
  co_return answer;
}

MailboxCommands::Answer MailboxCommands::ImportFlags(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const store::MailboxId mailbox, MailboxIdOf(arguments));
  const json::value* const list = arguments.members().if_contains("mails");
  if (list == nullptr || !list->is_array() || list->get_array().size() > store::kSourceFlagsMax) {
    co_return Error(Errc::kInvalid,
                    fmt::format("\"mails\" must be a list of at most {} mails", store::kSourceFlagsMax));
  }
  std::vector<store::SourceFlags> messages;
  for (const json::value& value : list->get_array()) {
    const json::object* const mail = value.if_object();
    if (mail == nullptr) co_return Error(Errc::kInvalid, "each of \"mails\" must be an object");
    const Arguments texts(*mail);
    ASSIGN_OR_CO_RETURN(const std::string origin, texts.Text("origin", 2 * store::kOriginBytes));
    store::SourceFlags& message = messages.emplace_back();
    ASSIGN_OR_CO_RETURN(message.origin, ParseOrigin(origin));
    ASSIGN_OR_CO_RETURN(message.flags, ParseFlags(mail->if_contains("flags")));
  }
  ASSIGN_OR_CO_RETURN(const store::FlagsImported done,
                      co_await parts_.store->ImportFlags(mailbox, std::move(messages)));
  co_return json::object{{"changed", done.changed}, {"kept", done.kept}, {"refused", done.refused}};
}

Result<std::vector<MailboxCommands::IncomingMail>> MailboxCommands::ParseMails(const Arguments& arguments,
                                                                               std::uint32_t uid_validity) const {
  const json::value* const list = arguments.members().if_contains("mails");
  if (list == nullptr || !list->is_array() || list->get_array().size() > kMailsMax) {
    return Error(Errc::kInvalid, fmt::format("\"mails\" must be a list of at most {} mails", kMailsMax));
  }
  std::vector<IncomingMail> mails;
  std::uint64_t bytes = 0;
  for (const json::value& value : list->get_array()) {
    const json::object* const mail = value.if_object();
    if (mail == nullptr) return Error(Errc::kInvalid, "each of \"mails\" must be an object");
    ASSIGN_OR_RETURN(IncomingMail incoming, ParseMail(*mail, uid_validity));
    bytes += incoming.size_bytes;
    mails.push_back(std::move(incoming));
  }
  ASSIGN_OR_RETURN(const std::uint64_t announced,
                   NumberIn(arguments.members(), kBodyBytesArgument, kRequestBodyBytesMax));
  if (announced != bytes) return Error(Errc::kInvalid, "the sizes of the mails are not those of the body");
  return mails;
}

Result<MailboxCommands::IncomingMail> MailboxCommands::ParseMail(const json::object& mail,
                                                                 std::uint32_t uid_validity) const {
  IncomingMail incoming;
  store::ImportedMessage& message = incoming.message;
  const Arguments texts(mail);
  ASSIGN_OR_RETURN(incoming.size_bytes, NumberIn(mail, "size", kRequestBodyBytesMax));
  ASSIGN_OR_RETURN(const std::uint64_t uid, NumberIn(mail, "uid", UINT32_MAX - 1));
  message.uid = static_cast<std::uint32_t>(uid);
  ASSIGN_OR_RETURN(message.flags, ParseFlags(mail.if_contains("flags")));
  const json::value* const date = mail.if_contains("date");
  if (date == nullptr || !date->is_int64()) return Error(Errc::kInvalid, "\"date\" must be microseconds since 1970");
  message.internal_date = base::WallTime(std::chrono::microseconds(date->get_int64()));
  ASSIGN_OR_RETURN(const std::string origin, texts.Text("origin", 2 * store::kOriginBytes));
  ASSIGN_OR_RETURN(message.origin, ParseOrigin(origin));
  ASSIGN_OR_RETURN(message.uidl, texts.OptionalText("uidl", store::kUidlBytesMax));
  // An id that the format makes is that of the message with that UID: of this one, then it needs no place of its own;
  // or of another, which has taken the UID meanwhile, and whose clients would take the two for one.
  if (parts_.uidl_format.Makes(uid_validity, message.uidl)) message.uidl.clear();
  return incoming;
}

Task<Result<replog::Body>> MailboxCommands::Receive(std::uint64_t size_bytes, RequestBody* body) {
  std::optional<Error> failure;
  if (size_bytes == 0) failure = Error(Errc::kInvalid, "the mail is empty");
  if (size_bytes > parts_.message_bytes_max) {
    failure = Error(Errc::kInvalid, fmt::format("the mail has {} bytes, more than mail.size_max allows ({})",
                                                size_bytes, parts_.message_bytes_max));
  } else if (auto admitted = parts_.log->Admit(mffs::Stream::kMailbox, size_bytes); !admitted) {
    failure = std::move(admitted).error();
  }
  replog::BodyWriter writer = parts_.store->NewBody();
  // As with APPEND, and for its reasons: CRLF at every line's end, and no NUL.
  mail::LineEndNormalizer normalizer;
  std::string piece(kPieceBytes, '\0');
  std::string normalized;
  while (size_bytes > 0) {
    const std::span<char> into(piece.data(), std::min<std::uint64_t>(piece.size(), size_bytes));
    ASSIGN_OR_CO_RETURN(const std::size_t got, co_await body->Read(into));
    if (got == 0) co_return Error(Errc::kClosed, "the mail ended early");
    size_bytes -= got;
    if (failure.has_value()) continue;
    const std::string_view bytes = std::string_view(piece).substr(0, got);
    if (bytes.contains('\0')) failure = Error(Errc::kInvalid, "the mail has NUL bytes");
    normalized.clear();
    normalizer.Append(bytes, normalized);
    auto written = co_await writer.Write(normalized);
    if (!written) failure = std::move(written).error();
  }
  if (failure.has_value()) co_return *std::move(failure);
  normalized.clear();
  normalizer.Finish(normalized);
  CO_RETURN_IF_ERROR(co_await writer.Write(normalized));
  co_return co_await writer.Finish();
}

Task<void> MailboxCommands::Store(store::MailboxId mailbox, store::ImportedMessage message, replog::Body body,
                                  std::shared_ptr<Batch> batch, std::size_t position) {
  const auto imported = co_await parts_.store->Import(mailbox, std::move(message), std::move(body));
  json::object& outcome = batch->outcomes[position];
  if (imported) {
    outcome["uid"] = imported->uid;
    outcome["was_there"] = imported->was_there;
  } else {
    outcome = Refused(imported.error());
  }
  batch->running -= 1;
  batch->changed.NotifyAll();
}

}  // namespace admin
