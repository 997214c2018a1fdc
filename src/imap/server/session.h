// Session: one IMAP connection, from the greeting to LOGOUT (RFC 3501). A thin shell: imap/proto parses and formats,
// the Run... calls do the commands, this moves the bytes and keeps the order.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "base/result.h"
#include "imap/proto/command.h"
#include "imap/server/client_input.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"
#include "imap/server/settings.h"
#include "mail/line_ends.h"
#include "net/connection.h"
#include "replog/body.h"

namespace imap {

// Extensions: those that Capabilities() names, with STARTTLS and AUTH=PLAIN, AUTH=SCRAM-SHA-256.
//
// Thread: the store's shard, which is the connection's. Owns the connection; borrows settings and services.
// Durability: OK to a command that changes something is sent when the change is committed, never before.
// Errors of the store are NO with a response code; the session goes on. Cancelling Run() ends it at once.
class Session {
 public:
  Session(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services);

  // The whole dialogue. Once.
  async::Task<void> Run();

 private:
  // The message of an APPEND on its way into the store's buffers.
  struct ReceivedMessage {
    explicit ReceivedMessage(replog::BodyWriter to) : writer(std::move(to)) {}
    replog::BodyWriter writer;
    mail::LineEndNormalizer normalizer;
    std::string normalized;  // Of one piece; here so that its memory is used again.
  };

  // What runs while the client idles; only the session's own task writes.
  struct Idling {
    explicit Idling(async::Executor executor) : tasks(executor, "imap idle"), wake(executor), taken(executor) {}
    async::TaskGroup tasks;
    async::Notifier wake;   // `line` or `changed` was set.
    async::Notifier taken;  // `changed` was cleared.
    bool changed = false;
    std::optional<base::Result<ReadEvent>> line;  // What the client sent to end it.
  };

  // ---- session.cc: the dialogue ----
  async::Task<void> Converse();
  async::Task<void> Handle(ReadEvent event);
  async::Task<void> HandleCommand(TaggedCommand command);
  async::Task<void> Finish(std::string tag, Reply reply);
  async::Task<Reply> Execute(Command command);
  void SayRefused(const Refused& refused);
  void SayBye(std::string_view text);
  void Lost(const base::Error& error);
  void EndWhenGone();
  async::Task<void> Leave();
  std::string Capabilities() const;
  bool may_log_in() const;

  async::Task<Reply> Do(Capability);
  async::Task<Reply> Do(Noop);
  async::Task<Reply> Do(Logout);
  async::Task<Reply> Do(Check);
  async::Task<Reply> Do(Close);
  async::Task<Reply> Do(BadCommand bad);
  async::Task<Reply> Do(Select select);
  async::Task<Reply> Do(Create create);
  async::Task<Reply> Do(Delete deletion);
  async::Task<Reply> Do(Rename rename);
  async::Task<Reply> Do(Subscribe subscribe);
  async::Task<Reply> Do(List list);
  async::Task<Reply> Do(Status status);
  async::Task<Reply> Do(Expunge expunge);
  async::Task<Reply> Do(Search search);
  async::Task<Reply> Do(Fetch fetch);
  async::Task<Reply> Do(Store store);
  async::Task<Reply> Do(Copy copy);

  // ---- session_extensions.cc ----
  async::Task<Reply> Do(Unselect);
  async::Task<Reply> Do(Namespace);
  async::Task<Reply> Do(ClientId id);
  async::Task<Reply> Do(Enable enable);

  // ---- session_login.cc ----
  async::Task<Reply> Do(StartTls);
  async::Task<Reply> Do(Authenticate authenticate);
  async::Task<Reply> Do(Login login);
  async::Task<std::expected<std::string, Reply>> AskForAnswer(std::string challenge);
  async::Task<Reply> AuthenticatePlain(std::string message);
  async::Task<Reply> AuthenticateScram(std::string message);
  async::Task<Reply> LogIn(std::string address, std::string password);
  async::Task<Reply> OpenAccount(std::string address);
  Reply RefuseLogin(const std::string& address, const base::Error& error);
  async::Task<void> UpgradeToTls();

  // ---- session_append.cc ----
  async::Task<Reply> Do(Append);
  async::Task<void> HandleAppend(AppendBegins begins);
  async::Task<std::expected<store::MailboxId, Reply>> AdmitAppend(const Command* command, std::uint64_t size_bytes);
  async::Task<base::Result<replog::Body>> ReceiveMessage(mffs::Stream stream);
  async::Task<base::Result<>> Keep(std::string_view piece, ReceivedMessage* message);
  Reply RefuseAppend(const base::Error& error);
  async::Task<Reply> StoreMessage(store::MailboxId mailbox, Append append, replog::Body body);

  // ---- session_idle.cc ----
  async::Task<Reply> Do(Idle);
  async::Task<void> ReadIdleLine();
  async::Task<void> WatchMailbox();
  async::Task<void> StopIdling();

  std::unique_ptr<net::Connection> connection_;
  const Settings* settings_;
  const Services* services_;
  Conversation conversation_;
  ClientInput input_;
  std::optional<Idling> idling_;

  bool closing_ = false;          // The dialogue ends after what is being said.
  bool lost_ = false;             // The connection is of no use any more.
  bool starting_tls_ = false;     // TLS follows the OK to STARTTLS.
  bool client_named_ = false;     // Its ID was logged.
  bool bad_message_end_ = false;  // The APPEND went on after its message.
  std::string end_reason_ = "logout";
  std::uint32_t bad_commands_ = 0;
  std::uint32_t login_failures_ = 0;
  std::uint64_t commands_ = 0;
};

}  // namespace imap
