// For tests of outgoing mail: a queue on a simulated disk, a DNS and servers as the test says, simulated time.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "async/task_group.h"
#include "deliver/remote_courier.h"
#include "net/deadline_sweep.h"
#include "net/dns_rdata.h"
#include "net/memory_connection.h"
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
      : server_(server), connection_(std::move(connection)) {
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
      const std::string line = co_await HearLine();
      if (line.empty()) co_return;
      goes_on = co_await Serve(line);
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
      const std::string line = co_await HearLine();
      if (line.empty() && ended_) co_return false;
      if (line == ".") break;
      mail_.text += (line.starts_with('.') ? line.substr(1) : line) + "\r\n";
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
    while (last_ == "HANG") {
      const bool more = co_await Fill();
      if (!more) co_return false;
    }
    if (last_ != "CUT") base::Ignore(co_await connection_->Write(last_ + "\r\n"));
    const bool cuts = cuts_after || last_ == "CUT";
    if (cuts) connection_->Close();
    co_return !cuts;
  }
  // An empty line at the end too, and then `ended_`.
  async::Task<std::string> HearLine() {
    std::size_t end = input_.find("\r\n");
    while (end == std::string::npos && !ended_) {
      const bool more = co_await Fill();
      ended_ = !more;
      end = input_.find("\r\n");
    }
    if (end == std::string::npos) co_return std::string();
    std::string line = input_.substr(0, end);
    input_.erase(0, end + 2);
    co_return line;
  }
  async::Task<bool> Fill() {
    std::string piece(4096, '\0');
    const auto size = co_await connection_->Read(piece);
    if (size.has_value()) input_.append(piece, 0, *size);
    co_return size.has_value();
  }

  FakeServer* server_;
  std::unique_ptr<net::Connection> connection_;
  FakeServer::Mail mail_;
  std::string input_;
  std::string last_;
  bool ended_ = false;
};

// Answers at once with what the test put in.
class FakeResolver final : public net::Resolver {
 public:
  void AddMx(const std::string& domain, std::uint16_t preference, const std::string& host) {
    records_[{domain, net::DnsType::kMx}].push_back(net::EncodeMx({preference, host}));
  }
  void AddIp(const std::string& host, const std::string& ip) {
    const net::DnsType type = ip.find(':') == std::string::npos ? net::DnsType::kA : net::DnsType::kAaaa;
    records_[{host, type}].push_back(net::EncodeIp(ip));
  }
  async::Task<base::Result<net::DnsAnswer>> LookUp(std::string name, net::DnsType type) override {
    questions += 1;
    if (fails) co_return base::Error(base::Errc::kTimeout, "no answer within 5 s");
    const auto found = records_.find({name, type});
    if (found != records_.end()) {
      co_return net::DnsAnswer{.kind = net::DnsAnswer::Kind::kRecords, .records = found->second};
    }
    const bool exists = std::ranges::any_of(records_, [&](const auto& entry) { return entry.first.first == name; });
    co_return net::DnsAnswer{.kind = exists ? net::DnsAnswer::Kind::kNoRecords : net::DnsAnswer::Kind::kNoName};
  }

  int questions = 0;
  bool fails = false;

 private:
  std::map<std::pair<std::string, net::DnsType>, std::vector<std::string>> records_;
};

// Members in the order of their lives.
class RemoteBed {
 public:
  explicit RemoteBed(queue::MailQueueOptions queue_options = {.retry = {.jitter_percent = 0}},
                     RemoteCourierOptions options = {})
      : rig(&clock, std::nullopt, WithLanes(std::move(queue_options)), {},
            [this](const std::string& recipient) { return table.DestinationOf(recipient); }),
        sweep_(rig.context.get_executor(), &clock),
        servers_(rig.context.get_executor(), "servers"),
        dial(Dialer()),
        courier(rig.context.get_executor(),
                {.queue = rig.queue.get(), .resolver = &resolver, .clock = &clock, .table = &table, .dial = dial},
                std::move(options)) {}
  ~RemoteBed() {
    Run(courier.Stop());
    Run(servers_.Stop());
    rig.Shut(false);
  }

  // A domain whose one mail host is a server at `ip`.
  FakeServer& AddDomain(const std::string& domain, const std::string& ip) {
    resolver.AddMx(domain, 10, "mx." + domain);
    resolver.AddIp("mx." + domain, ip);
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

  // Runs a task to its end; where it waits for nobody else, time passes a second at a time.
  template <class T>
  T Run(async::Task<T> task) {
    std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
    async::TaskGroup group(rig.context.get_executor(), "test");
    group.Spawn(Keep(std::move(task), &value));
    for (Settle(); !value.has_value(); Settle()) Pass();
    async::RunTask(rig.context, group.Join());
    if constexpr (!std::is_void_v<T>) return *std::move(value);
  }
  // Everybody does what can be done without waiting.
  void Settle() {
    rig.context.restart();
    rig.context.poll();
  }
  void Pass(std::chrono::seconds time = std::chrono::seconds(1)) {
    clock.Advance(time);
    sweep_.Tick();
  }

  base::SimClock clock;
  NextHopTable table;
  FakeResolver resolver;
  queue::QueueRig rig;
  std::vector<std::string> dialled;

 private:
  template <class T, class V>
  static async::Task<void> Keep(async::Task<T> task, std::optional<V>* value) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      value->emplace(true);
    } else {
      value->emplace(co_await std::move(task));
    }
  }
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
  net::DeadlineSweep sweep_;
  async::TaskGroup servers_;

 public:
  Dial dial;
  RemoteCourier courier;
};

}  // namespace deliver
