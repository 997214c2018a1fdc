// For tests of sessions: a node with a real store on a simulated disk, and clients over memory connections.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "async/deadline.h"
#include "async/task_group.h"
#include "auth/authenticator.h"
#include "auth/testing.h"
#include "imap/server/session.h"
#include "net/memory_connection.h"
#include "store/testing.h"

namespace imap {

inline constexpr std::string_view kTestAddress = "alice@example.test";
inline constexpr std::string_view kSimple =
    "Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nFrom: Terry <terry@example.test>\r\nTo: alice@example.test\r\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello Alice\r\n";

struct TestBedOptions {
  Settings settings{.plaintext_auth_on_loopback = true};
  net::MemoryOptions connection{};
  bool tls = false;                // STARTTLS is offered.
  bool special_mailboxes = false;  // The store makes them, but for alice's account, which is older.
  bool scram_keys = false;         // alice has them.
};

// One client's end, and the session at the other.
class TestClient {
 public:
  TestClient(asio::io_context* context, std::unique_ptr<net::MemoryConnection> connection)
      : context_(context), connection_(std::move(connection)) {}

  void Send(std::string text) {
    const auto sent = async::RunTask(*context_, SendText(connection_.get(), std::move(text)));
    CHECK(sent.has_value());
  }
  // Everything up to and with the first line that begins with `begin`; the end of the connection is "<closed>".
  std::string ReadLineBeginning(std::string begin) {
    return async::RunTask(*context_, ReadUntil(this, std::move(begin)));
  }
  // Sends "t1 command" and returns all up to the tagged reply, whose tag reads "t".
  std::string Do(std::string_view command) {
    const std::string tag = fmt::format("t{}", ++tags_);
    Send(fmt::format("{} {}\r\n", tag, command));
    std::string answer = ReadLineBeginning(tag + " ");
    const std::size_t at = answer.rfind(tag + " ");
    if (at != std::string::npos) answer.replace(at, tag.size(), "t");
    return answer;
  }
  std::string LogIn() { return Do("LOGIN alice@example.test posthorn"); }
  // APPEND with a non-synchronising literal.
  std::string Append(std::string_view mailbox, std::string_view message, std::string_view arguments = "") {
    return Do(fmt::format("APPEND {} {}{{{}+}}\r\n{}", mailbox, arguments, message.size(), message));
  }
  std::string ReadToEnd() { return ReadLineBeginning("\n"); }

  net::MemoryConnection& connection() { return *connection_; }

 private:
  static async::Task<base::Result<>> SendText(net::Connection* connection, std::string text) {
    co_return co_await connection->Write(text);
  }
  // Takes `received_` up to the end of the first line that begins with `begin`; nothing when it has not come yet.
  std::optional<std::string> TakeThrough(std::string_view begin) {
    std::size_t at = 0;
    while (at < received_.size()) {
      const std::size_t end = received_.find('\n', at);
      if (end == std::string::npos) return std::nullopt;
      if (std::string_view(received_).substr(at).starts_with(begin)) {
        std::string taken = received_.substr(0, end + 1);
        received_.erase(0, end + 1);
        return taken;
      }
      at = end + 1;
    }
    return std::nullopt;
  }
  static async::Task<std::string> ReadUntil(TestClient* self, std::string begin) {
    std::string piece(64 << 10, '\0');
    for (;;) {
      if (auto taken = self->TakeThrough(begin)) co_return *std::move(taken);
      const auto size = co_await self->connection_->Read(piece);
      if (!size.has_value()) co_return std::exchange(self->received_, {}) + "<closed>";
      self->received_.append(piece, 0, *size);
    }
  }

  asio::io_context* context_;
  std::unique_ptr<net::MemoryConnection> connection_;
  std::string received_;
  int tags_ = 0;
};

// The node, its account alice, and the sessions of the test.
class TestBed {
 public:
  explicit TestBed(TestBedOptions options = {})
      : options_(std::move(options)),
        sweep_(node_.executor(), &node_.clock()),
        authenticator_(&directory_, &node_.clock(), {.failures_free = 100, .delay_min = std::chrono::milliseconds(0)}),
        sessions_(std::make_unique<async::TaskGroup>(node_.executor(), "test sessions")) {
    directory_.Add(std::string(kTestAddress), "posthorn", options_.scram_keys);
    account_ = node_.AddAccount(std::string(kTestAddress)).id;
    if (options_.special_mailboxes) {
      node_.options().store.special_mailboxes = true;
      node_.Restart();
    }
    services_ = {.store = &node_.store(),
                 .log = &node_.log(),
                 .authenticator = &authenticator_,
                 .tls = options_.tls ? tls_.get() : nullptr,
                 .clock = &node_.clock(),
                 .recent = &recent_};
  }
  ~TestBed() { Stop(); }

  store::TestNode& node() { return node_; }
  auth::MapDirectory& directory() { return directory_; }
  store::AccountId account() const { return account_; }

  // A client whose greeting has not been read yet.
  TestClient& ConnectRaw() {
    auto pair = net::MemoryConnection::MakePair(node_.executor(), &sweep_, options_.connection);
    sessions_->Spawn(RunSession(std::move(pair.server), &options_.settings, &services_));
    return clients_.emplace_back(&node_.context(), std::move(pair.client));
  }
  TestClient& Connect() {
    TestClient& client = ConnectRaw();
    client.ReadLineBeginning("* OK");
    return client;
  }
  TestClient& ConnectAndSelect(std::string_view mailbox = "INBOX") {
    TestClient& client = Connect();
    CHECK(client.LogIn().find("t OK") != std::string::npos);
    CHECK(client.Do(fmt::format("SELECT {}", mailbox)).find("t OK") != std::string::npos);
    return client;
  }
  // Time passes, and the sweep sees it.
  void Advance(std::chrono::seconds by) {
    node_.clock().Advance(by);
    sweep_.Tick();
  }
  // Cancels all sessions and waits for their end.
  void Stop() { node_.Run(sessions_->Stop()); }
  std::size_t sessions() const { return sessions_->size(); }

 private:
  static async::Task<void> RunSession(std::unique_ptr<net::Connection> connection, const Settings* settings,
                                      const Services* services) {
    Session session(std::move(connection), settings, services);
    co_await session.Run();
  }

  TestBedOptions options_;
  store::TestNode node_;
  net::DeadlineSweep sweep_;
  auth::MapDirectory directory_;
  auth::Authenticator authenticator_;
  RecentTracker recent_;
  std::unique_ptr<net::TlsContext> tls_ = net::TlsContext::ForClient();  // Memory connections look at none.
  store::AccountId account_;
  Services services_;
  std::unique_ptr<async::TaskGroup> sessions_;
  std::list<TestClient> clients_;
};

}  // namespace imap
