// For tests of outgoing mail: a queue on a simulated disk, a DNS and servers as the test says, simulated time.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/task_group.h"
#include "deliver/remote_courier.h"
#include "net/deadline_sweep.h"
#include "net/dialogue_testing.h"
#include "net/memory_connection.h"
#include "net/resolver_testing.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace deliver {

// What servers have done and do: one for each address.
struct FakeServer {
  struct Mail {
    std::string sender;                   // The whole command.
    std::vector<std::string> recipients;  // Those that were accepted.
    std::string text;
  };
  // Asked with each line of the client ("" for the greeting, "." for the end of a mail). An answer without CRLF; empty:
  // the usual one. "CUT" closes the connection, "HANG" says nothing any more, "CUT after ..." answers first.
  std::function<std::string(const std::string& line)> answer = [](const std::string&) { return ""; };
  std::string extensions = "250 mx.test";
  bool is_lmtp = false;

  int connections = 0;
  int open_now = 0;
  int open_max = 0;
  int quits = 0;
  std::vector<Mail> mails;
};

// One connection's dialogue. The server outlives it.
class FakeDialogue {
 public:
  FakeDialogue(FakeServer* server, std::unique_ptr<net::Connection> connection)
      : server_(server), client_(std::move(connection)) {
    server_->connections += 1;
    server_->open_max = std::max(server_->open_max, ++server_->open_now);
  }
  ~FakeDialogue() { server_->open_now -= 1; }
  FakeDialogue(const FakeDialogue&) = delete;
  FakeDialogue& operator=(const FakeDialogue&) = delete;

  // Until the client or the script ends it.
  async::Task<void> Play() {
    bool goes_on = co_await Answer("", "220 mx.test");
    while (goes_on) {
      std::optional<std::string> line = co_await client_.HearLine();
      if (!line.has_value()) co_return;
      goes_on = co_await Serve(*std::move(line));
    }
  }

 private:
  async::Task<bool> Serve(std::string line) {
    if (line.starts_with("EHLO") || line.starts_with("LHLO")) co_return co_await Answer(line, server_->extensions);
    if (line.starts_with("MAIL")) {
      mail_ = {.sender = line, .recipients = {}, .text = {}};
      co_return co_await Answer(line, "250 2.1.0 ok");
    }
    if (line.starts_with("RCPT")) {
      const bool goes_on = co_await Answer(line, "250 2.1.5 ok");
      if (last_.starts_with("250")) mail_.recipients.push_back(line.substr(9, line.find('>') - 9));
      co_return goes_on;
    }
    if (line == "DATA") {
      const bool goes_on = co_await Answer(line, mail_.recipients.empty() ? "554 5.5.1 no recipients" : "354 go on");
      if (!goes_on || !last_.starts_with("354")) co_return goes_on;
      co_return co_await TakeMail();
    }
    if (line == "QUIT") {
      server_->quits += 1;
      co_await Answer(line, "221 2.0.0 bye");
      co_return false;
    }
    co_return co_await Answer(line, "250 2.0.0 ok");
  }
  async::Task<bool> TakeMail() {
    for (;;) {
      const std::optional<std::string> line = co_await client_.HearLine();
      if (!line.has_value()) co_return false;
      if (*line == ".") break;
      mail_.text += (line->starts_with('.') ? line->substr(1) : *line) + "\r\n";
    }
    const std::size_t answers = server_->is_lmtp ? mail_.recipients.size() : 1;
    for (std::size_t i = 0; i < answers; ++i) {
      const bool goes_on = co_await Answer(".", "250 2.0.0 taken");
      if (!goes_on) co_return false;
    }
    if (last_.starts_with("250")) server_->mails.push_back(std::exchange(mail_, {}));
    co_return true;
  }
  async::Task<bool> Answer(std::string line, std::string usual) {
    last_ = server_->answer(line);
    if (last_.empty()) last_ = std::move(usual);
    const bool cuts_after = last_.starts_with("CUT after ");
    if (cuts_after) last_ = last_.substr(10);
    if (last_ == "HANG") {
      co_await client_.HearOut();
      co_return false;
    }
    if (last_ != "CUT") base::Ignore(co_await client_.connection().Write(last_ + "\r\n"));
    const bool cuts = cuts_after || last_ == "CUT";
    if (cuts) client_.connection().Close();
    co_return !cuts;
  }

  FakeServer* server_;
  net::LineListener client_;
  FakeServer::Mail mail_;
  std::string last_;
};

// Members in the order of their lives.
class RemoteBed {
 public:
  explicit RemoteBed(queue::MailQueueOptions queue_options = {.retry = {.jitter_percent = 0}},
                     RemoteCourierOptions options = {})
      : rig(&clock, std::nullopt, WithLanes(std::move(queue_options)), {},
            [this](const std::string& recipient) { return table.DestinationOf(recipient); }),
        resolver_(rig.context.get_executor(), &dns),
        sweep_(rig.context.get_executor(), &clock),
        time_(&rig.context, &clock, &sweep_),
        servers_(rig.context.get_executor(), "servers"),
        dial(Dialer()),
        courier(rig.context.get_executor(),
                {.queue = rig.queue.get(), .resolver = &resolver_, .clock = &clock, .table = &table, .dial = dial},
                std::move(options)) {}
  ~RemoteBed() {
    Run(courier.Stop());
    Run(servers_.Stop());
    rig.Shut(false);
  }

  // A domain whose one mail host is a server at `ip`.
  FakeServer& AddDomain(const std::string& domain, const std::string& ip) {
    dns.AddMx(domain, 10, "mx." + domain);
    dns.AddIp("mx." + domain, ip);
    return Server(ip);
  }
  FakeServer& Server(const std::string& ip) {
    std::unique_ptr<FakeServer>& server = servers_by_ip_[ip];
    if (server == nullptr) server = std::make_unique<FakeServer>();
    return *server;
  }

  queue::QueueId Add(std::vector<std::string> recipients, std::string text = "Subject: s\r\n\r\nhello\r\n") {
    mail::Envelope envelope = queue::EnvelopeTo(std::move(recipients));
    envelope.id = "mail1";
    const auto id = Run(queue::EnqueueText(rig.queue.get(), std::move(envelope), std::move(text)));
    EXPECT_TRUE(id.has_value()) << id.error().message();
    return *id;
  }
  queue::Claim NextClaim() { return Run(rig.queue->NextClaim(queue::Lane::kRemote)); }
  // The outcomes in the order of the recipients.
  std::vector<queue::RecipientOutcome> Deliver(queue::Claim claim) {
    std::vector<queue::RecipientOutcome> outcomes;
    Run(courier.Deliver(std::move(claim), &outcomes));
    std::ranges::sort(outcomes, {}, &queue::RecipientOutcome::recipient);
    return outcomes;
  }
  std::vector<queue::RecipientOutcome> DeliverNext() {
    queue::Claim claim = NextClaim();
    std::vector<queue::RecipientOutcome> outcomes = Deliver(claim);
    EXPECT_TRUE(Run(rig.queue->Record(std::move(claim), outcomes)).has_value());
    return outcomes;
  }

  net::Resolver& resolver() { return resolver_; }

  // As SimulatedTime has it.
  template <class T>
  T Run(async::Task<T> task) {
    return time_.Run(std::move(task));
  }
  void Settle() { time_.Settle(); }
  void Pass(std::chrono::seconds time = std::chrono::seconds(1)) { time_.Pass(time); }

  base::SimClock clock;
  NextHopTable table;
  net::DnsTable dns;
  queue::QueueRig rig;
  std::vector<std::string> dialled;

 private:
  static async::Task<void> Play(std::unique_ptr<FakeDialogue> dialogue) { co_await dialogue->Play(); }
  static async::Task<base::Result<std::unique_ptr<net::Connection>>> Given(
      base::Result<std::unique_ptr<net::Connection>> connection) {
    co_return connection;
  }
  static queue::MailQueueOptions WithLanes(queue::MailQueueOptions options) {
    options.lane_of = [](const std::string& destination) {
      return IsRemoteDestination(destination) ? queue::Lane::kRemote : queue::Lane::kLocal;
    };
    return options;
  }
  Dial Dialer() {
    return [this](const Endpoint& endpoint) { return Given(Connect(endpoint)); };
  }
  base::Result<std::unique_ptr<net::Connection>> Connect(const Endpoint& endpoint) {
    dialled.push_back(endpoint.ip);
    const auto found = servers_by_ip_.find(endpoint.ip);
    if (found == servers_by_ip_.end()) return base::Error(base::Errc::kClosed, "nobody listens there");
    auto pair = net::MemoryConnection::MakePair(rig.context.get_executor(), &sweep_);
    servers_.Spawn(Play(std::make_unique<FakeDialogue>(found->second.get(), std::move(pair.server))));
    return std::unique_ptr<net::Connection>(std::move(pair.client));
  }

  std::map<std::string, std::unique_ptr<FakeServer>> servers_by_ip_;
  net::ScriptedResolver resolver_;
  net::DeadlineSweep sweep_;
  net::SimulatedTime time_;
  async::TaskGroup servers_;

 public:
  Dial dial;
  RemoteCourier courier;
};

}  // namespace deliver
