// For tests of the session: a node with a real store and queue on a simulated disk, and clients over memory
// connections.
//
//   smtp::TestBed bed;
//   smtp::TestClient& client = bed.Connect();
//   EXPECT_EQ(client.Ask("EHLO client.test"), "250-mx.example.test\n...");
#pragma once

#include <algorithm>
#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "async/deadline.h"
#include "async/task_group.h"
#include "auth/authenticator.h"
#include "auth/testing.h"
#include "base/base64.h"
#include "mail/header.h"
#include "net/memory_connection.h"
#include "smtp/server/session.h"
#include "store/inbox_testing.h"

namespace smtp {

inline constexpr std::string_view kAlice = "alice@example.test";
inline constexpr std::string_view kBob = "bob@example.test";      // In another mailbox partition than alice.
inline constexpr std::string_view kCarol = "carol@example.test";  // In alice's.
inline constexpr std::string_view kClosed = "<closed>";
// alice's password is "posthorn".
inline const std::string kAlicePlain = base::EncodeBase64(std::string_view("\0alice@example.test\0posthorn", 28));

inline Settings TestSettings() {
  Settings settings;
  settings.hostname = "mx.example.test";
  settings.message_bytes_max = 1u << 20;
  return settings;
}

inline routing::Sources TestAddresses() {
  return {.domains = {"example.test", "xn--exmple-cua.test"}, .postmaster = std::string(kAlice), .limits = {}};
}

struct TestBedOptions {
  Settings settings = TestSettings();
  routing::Sources addresses = TestAddresses();
  net::MemoryOptions connection{.client = {.ip = "192.0.2.7", .port = 4711, .is_loopback = false}};
  bool tls = false;  // STARTTLS is offered.
  store::TestNodeOptions node{};
  bool scram_keys = false;  // alice has them.
  // What the servers of relay domains say of recipients; of others they take mail. Empty: nobody asks.
  std::map<std::string, RecipientAnswer, std::less<>> recipient_answers{};
};

// Thread: the test's. Borrows the answers.
class ScriptedCheck final : public RecipientCheck {
 public:
  explicit ScriptedCheck(const std::map<std::string, RecipientAnswer, std::less<>>* answers) : answers_(answers) {}
  async::Task<RecipientAnswer> Ask(std::string address) override {
    const auto found = answers_->find(address);
    if (found != answers_->end()) co_return found->second;
    co_return RecipientAnswer{.verdict = RecipientAnswer::Verdict::kTaken, .words = "2.1.5 yes"};
  }

 private:
  const std::map<std::string, RecipientAnswer, std::less<>>* answers_;
};

// One client's end of a memory connection.
class TestClient {
 public:
  TestClient(asio::io_context* context, std::unique_ptr<net::Connection> connection)
      : context_(context), connection_(std::move(connection)) {}

  // False: the server has closed.
  bool Send(std::string bytes) {
    return async::RunTask(*context_, SendText(connection_.get(), std::move(bytes))).has_value();
  }
  // The next line without its CRLF, or "<closed>"; "<silence>" when none comes for ten seconds.
  std::string ReadLine(std::chrono::milliseconds wait = std::chrono::seconds(10)) {
    auto line = async::RunTask(*context_, async::WithDeadline(ReadLineTask(this), wait));
    return line.has_value() ? *std::move(line) : "<silence>";
  }
  // The next reply; its lines joined with '\n'.
  std::string ReadReply() {
    std::string reply;
    for (;;) {
      const std::string line = ReadLine();
      reply += line;
      if (line.size() < 4 || line[3] != '-') return reply;
      reply += '\n';
    }
  }
  std::string Ask(std::string_view line) {
    Send(std::string(line) + "\r\n");
    return ReadReply();
  }
  // EHLO, MAIL, RCPT and DATA, up to the 354.
  void BeginData(const std::vector<std::string_view>& recipients, std::string_view sender = "sender@remote.test") {
    CHECK(Ask("EHLO client.remote.test").starts_with("250"));
    CHECK(Ask(fmt::format("MAIL FROM:<{}>", sender)).starts_with("250"));
    for (const std::string_view recipient : recipients) {
      CHECK(Ask(fmt::format("RCPT TO:<{}>", recipient)).starts_with("250"));
    }
    CHECK(Ask("DATA").starts_with("354"));
  }
  // The whole of a mail; `bytes` are dot-stuffed already and end in CRLF. The answer to the final dot.
  std::string SendMail(const std::vector<std::string_view>& recipients, std::string bytes) {
    BeginData(recipients);
    Send(std::move(bytes) + ".\r\n");
    return ReadReply();
  }
  void HangUp() { connection_->Close(); }
  net::Connection& connection() { return *connection_; }

 private:
  static async::Task<base::Result<>> SendText(net::Connection* connection, std::string text) {
    co_return co_await connection->Write(text);
  }
  static async::Task<std::string> ReadLineTask(TestClient* self) {
    std::string piece(4096, '\0');
    for (;;) {
      const std::size_t end = self->received_.find("\r\n");
      if (end != std::string::npos) {
        std::string line = self->received_.substr(0, end);
        self->received_.erase(0, end + 2);
        co_return line;
      }
      const auto size = co_await self->connection_->Read(piece);
      if (!size.has_value()) co_return std::exchange(self->received_, {}) + std::string(kClosed);
      self->received_.append(piece, 0, *size);
    }
  }

  asio::io_context* context_;
  std::unique_ptr<net::Connection> connection_;
  std::string received_;
};

// The node, its accounts, and the sessions of the test. Nobody serves the queue: what is in it stays.
class TestBed {
 public:
  explicit TestBed(TestBedOptions options = {})
      : options_(std::move(options)),
        node_(WithQueue(options_.node, &queue_)),
        sweep_(node_.executor(), &node_.clock()),
        authenticator_(&directory_, &node_.clock(), {.failures_free = 100, .delay_min = std::chrono::milliseconds(0)}),
        sessions_(std::make_unique<async::TaskGroup>(node_.executor(), "test sessions")) {
    directory_.Add(std::string(kAlice), "posthorn", options_.scram_keys);
    for (const std::string_view address : {kAlice, kBob, kCarol}) {
      accounts_.emplace_back(address, node_.AddAccount(std::string(address)).id);
    }
    CHECK(node_.store().PartitionOf(kAlice) != node_.store().PartitionOf(kBob));
    CHECK(node_.store().PartitionOf(kAlice) == node_.store().PartitionOf(kCarol));
    services_ = {.addresses = *routing::AddressBook::Load(options_.addresses),
                 .store = &node_.store(),
                 .queue = queue_,
                 .log = &node_.log(),
                 .judge = &judge_,
                 .recipient_check = options_.recipient_answers.empty() ? nullptr : &check_,
                 .authenticator = &authenticator_,
                 .submission_limit = &submission_limit_,
                 .tls = options_.tls ? tls_.get() : nullptr,
                 .clock = &node_.clock(),
                 .random = &random_,
                 .metrics = {}};
  }
  ~TestBed() { Stop(); }

  store::TestNode& node() { return node_; }
  queue::MailQueue& queue() { return *queue_; }
  auth::MapDirectory& directory() { return directory_; }
  Services& services() { return services_; }
  net::DeadlineSweep& sweep() { return sweep_; }

  // A client whose greeting has not been read yet.
  TestClient& ConnectRaw() {
    auto pair = net::MemoryConnection::MakePair(node_.executor(), &sweep_, options_.connection);
    return Serve(std::move(pair.server), std::move(pair.client));
  }
  TestClient& Connect() {
    TestClient& client = ConnectRaw();
    CHECK(client.ReadReply().starts_with("220 "));
    return client;
  }
  TestClient& Serve(std::unique_ptr<net::Connection> server, std::unique_ptr<net::Connection> client) {
    sessions_->Spawn(RunSession(std::move(server), &options_.settings, &services_));
    return clients_.emplace_back(&node_.context(), std::move(client));
  }

  // Time passes, and the sweep sees it.
  void Advance(std::chrono::seconds by) {
    node_.clock().Advance(by);
    sweep_.Tick();
  }
  std::size_t sessions() const { return sessions_->size(); }
  // Waits for the end of sessions whose clients have left.
  void Join() { node_.Run(sessions_->Join()); }
  // Cancels all sessions and waits for their end.
  void Stop() { node_.Run(sessions_->Stop()); }

  // All mails of an account's INBOX, with their prefix, by UID.
  std::vector<std::string> Mails(std::string_view address) {
    return store::MailsOfInbox(node_, std::ranges::find(accounts_, address, &Named::first)->second);
  }
  // The bytes behind our own trace: what the client sent.
  static std::string OwnBytes(std::string_view mail) {
    mail::HeaderReader reader(mail);
    while (const auto field = reader.Next()) {
      if (field->name == "Received") return std::string(mail.substr(reader.position()));
    }
    return "<no Received field>";
  }
  std::vector<queue::QueuedMail> Queued() { return queue_->List({}, 1000); }

 private:
  using Named = std::pair<std::string, store::AccountId>;

  static store::TestNodeOptions WithQueue(store::TestNodeOptions options, queue::MailQueue** queue) {
    options.make_queue = [queue](async::Executor executor, replog::Log* log, const base::Clock* clock) {
      auto made = std::make_unique<queue::MailQueue>(
          executor, log, clock, [](const std::string& to) { return to.substr(to.rfind('@') + 1); },
          queue::MailQueueOptions{});
      *queue = made.get();
      return made;
    };
    return options;
  }
  static async::Task<void> RunSession(std::unique_ptr<net::Connection> connection, const Settings* settings,
                                      const Services* services) {
    Session session(std::move(connection), settings, services);
    co_await session.Run();
  }

  TestBedOptions options_;
  queue::MailQueue* queue_ = nullptr;  // The node's.
  store::TestNode node_;
  net::DeadlineSweep sweep_;
  auth::MapDirectory directory_;
  auth::Authenticator authenticator_;
  SubmissionLimit submission_limit_;
  ImpartialJudge judge_;
  ScriptedCheck check_{&options_.recipient_answers};
  base::Random random_{7};
  std::unique_ptr<net::TlsContext> tls_ = net::TlsContext::ForClient();  // Memory connections look at none.
  std::vector<Named> accounts_;
  Services services_;
  std::unique_ptr<async::TaskGroup> sessions_;
  std::list<TestClient> clients_;
};

}  // namespace smtp
