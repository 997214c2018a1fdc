// For tests of the client session: a server that plays a script, over a connection in memory.
//
//   ClientBed bed;
//   bed.Serve({"S: 220 mx.test", "C: EHLO client.test", "S: 250 mx.test"});
//   auto session = bed.Open();
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "async/notifier.h"
#include "async/task_group.h"
#include "async/testing.h"
#include "net/dialogue_testing.h"
#include "net/memory_connection.h"
#include "smtp/client/client_session.h"

namespace smtp {

using Script = std::vector<std::string>;

// Keeps what each write of the client was, and says who the server is.
class RecordingConnection final : public net::Connection {
 public:
  RecordingConnection(std::unique_ptr<net::Connection> inner, net::PeerAddress peer, std::vector<std::string>* writes)
      : inner_(std::move(inner)), peer_(std::move(peer)), writes_(writes) {}

  async::Task<base::Result<std::size_t>> Read(std::span<char> into) override { return inner_->Read(into); }
  async::Task<base::Result<>> Write(std::string_view text) override {
    writes_->back() += text;  // The rest of what TryWrite() was given.
    return inner_->Write(text);
  }
  std::size_t TryWrite(std::string_view text) override {
    const std::size_t sent = inner_->TryWrite(text);
    writes_->emplace_back(text.substr(0, sent));
    return sent;
  }
  async::Task<base::Result<>> StartTls(net::TlsContext* context) override { return inner_->StartTls(context); }
  void SetDeadline(std::chrono::seconds from_now) override { inner_->SetDeadline(from_now); }
  void Close() override { inner_->Close(); }
  async::Task<void> Shutdown() override { return inner_->Shutdown(); }
  const net::TlsFacts& tls() const override { return inner_->tls(); }
  const net::PeerAddress& peer() const override { return peer_; }

 private:
  std::unique_ptr<net::Connection> inner_;
  net::PeerAddress peer_;
  std::vector<std::string>* writes_;
};

// Plays the server's side. A step is one of
//
//   S: text   says the line            S. text   the same without CRLF
//   C: text   hears exactly this line  Data      hears a mail up to its final dot, which is kept
//   Tls       the handshake            Close     hangs up
//   Stall     says nothing any more    Deaf      does not even read any more
//   Bytes N   hears N bytes of a mail, whatever they are
class ScriptedServer {
 public:
  ScriptedServer(std::unique_ptr<net::Connection> connection, Script script)
      : client_(std::move(connection)), script_(std::move(script)) {}

  async::Task<void> Play() {
    for (const std::string& step : script_) {
      const bool goes_on = co_await Do(&step);
      if (!goes_on) co_return;
    }
    for (;;) {
      const std::optional<std::string> line = co_await client_.HearLine();
      if (!line.has_value()) co_return;
      // A client that gives up says goodbye.
      if (problem.empty() && *line != "QUIT") problem = "nobody expected " + *line;
    }
  }

  std::string problem;             // What the client said in place of what the script has.
  std::vector<std::string> mails;  // As they came, dots and all, without the final one.

 private:
  async::Task<bool> Do(const std::string* step) {
    const std::string_view text = std::string_view(*step).substr(std::min<std::size_t>(step->size(), 3));
    if (step->starts_with("S:") || step->starts_with("S."))
      co_return co_await Say(std::string(text) + (step->starts_with("S:") ? "\r\n" : ""));
    if (step->starts_with("C:")) co_return co_await Expect(std::string(text));
    if (*step == "Data") co_return co_await HearMail();
    if (step->starts_with("Bytes ")) co_return co_await client_.HearBytes(std::stoul(step->substr(6)));
    if (*step == "Tls") {
      client_.Forget();
      const base::Result<> done = co_await client_.connection().StartTls(nullptr);
      co_return done.has_value();
    }
    if (*step == "Close") client_.connection().Close();
    if (*step == "Deaf") co_await async::Notifier(co_await asio::this_coro::executor).Wait();
    if (*step == "Stall") co_await client_.HearOut();
    co_return false;
  }
  async::Task<bool> Say(std::string text) {
    const base::Result<> written = co_await client_.connection().Write(text);
    co_return written.has_value();
  }
  async::Task<bool> Expect(std::string text) {
    const std::optional<std::string> line = co_await client_.HearLine();
    if (line == text) co_return true;
    problem = fmt::format("{} instead of {}", line.value_or("<closed>"), text);
    client_.connection().Close();
    co_return false;
  }
  async::Task<bool> HearMail() {
    std::string mail;
    for (;;) {
      const std::optional<std::string> line = co_await client_.HearLine();
      if (!line.has_value()) co_return false;
      if (*line == ".") break;
      mail += *line + "\r\n";
    }
    mails.push_back(std::move(mail));
    co_return true;
  }

  net::LineListener client_;
  Script script_;
};

// A mail in memory, which can fail at an offset.
class TextBytes final : public MailBytes {
 public:
  explicit TextBytes(std::string text) : text_(std::move(text)) {}
  std::uint64_t size_bytes() const override { return text_.size(); }
  async::Task<base::Result<std::string>> Read(std::uint64_t offset, std::uint64_t size) override {
    reads += 1;
    if (offset + size > fails_from) co_return base::Error(base::Errc::kCorrupt, "block 7 has a wrong checksum");
    co_return text_.substr(offset, size);
  }

  std::uint64_t fails_from = ~0ull;
  int reads = 0;

 private:
  std::string text_;
};

// "0 accepted 250 2.0.0 2.0.0 Ok": recipient, fate, code, status, answer; " +dsn" where DSN went along.
inline std::string Describe(const RecipientFate& fate) {
  constexpr std::string_view kNames[] = {"accepted", "again", "refused"};
  return fmt::format("{} {} {} {} {}{}", fate.recipient, kNames[static_cast<std::size_t>(fate.fate)], fate.code,
                     fate.status, fate.answer, fate.dsn_passed_on ? " +dsn" : "");
}

// One client, the servers it meets one after the other, and simulated time.
class ClientBed {
 public:
  explicit ClientBed(net::MemoryOptions options = {})
      : options_(std::move(options)),
        sweep_(context_.get_executor(), &clock_),
        tasks_(std::make_unique<async::TaskGroup>(context_.get_executor(), "scripted servers")) {
    settings.hostname = "client.test";
    settings.tls_context = net::TlsContext::ForClient();  // Memory connections look at none.
  }
  ~ClientBed() { async::RunTask(context_, tasks_->Stop()); }

  void Serve(Script script) {
    auto pair = net::MemoryConnection::MakePair(context_.get_executor(), &sweep_, options_);
    connection_ = std::make_unique<RecordingConnection>(std::move(pair.client), server_address, &writes);
    server_ = std::make_shared<ScriptedServer>(std::move(pair.server), std::move(script));
    servers_.push_back(server_);
    tasks_->Spawn(server_->Play());
  }
  ScriptedServer& server() { return *server_; }

  base::Result<std::unique_ptr<ClientSession>> Open() {
    return Run(ClientSession::Open(std::move(connection_), &settings));
  }
  // With a server whose script goes on after this opening.
  std::unique_ptr<ClientSession> OpenWith(const std::vector<std::string>& extensions, Script rest) {
    const bool is_lmtp = settings.protocol == ClientProtocol::kLmtp;
    Script script = {"S: 220 mx.test", is_lmtp ? "C: LHLO client.test" : "C: EHLO client.test"};
    script.emplace_back(extensions.empty() ? "S: 250 mx.test" : "S: 250-mx.test");
    for (const std::string& extension : extensions) {
      script.push_back((&extension == &extensions.back() ? "S: 250 " : "S: 250-") + extension);
    }
    script.insert(script.end(), rest.begin(), rest.end());
    Serve(std::move(script));
    auto session = Open();
    CHECK(session.has_value());
    writes.clear();
    return *std::move(session);
  }
  // To all recipients of the envelope; their fates, each described, in the order they became known.
  std::vector<std::string> Send(ClientSession* session, const mail::Envelope& envelope, MailBytes* bytes) {
    std::vector<std::uint32_t> recipients(envelope.recipients.size());
    for (std::uint32_t i = 0; i < recipients.size(); ++i) recipients[i] = i;
    fates.clear();
    Run(session->Send(&envelope, std::move(recipients), bytes, &fates));
    std::vector<std::string> described;
    for (const RecipientFate& fate : fates) described.push_back(Describe(fate));
    return described;
  }
  std::vector<std::string> Send(ClientSession* session, const mail::Envelope& envelope, std::string text) {
    TextBytes bytes(std::move(text));
    return Send(session, envelope, &bytes);
  }

  // As SimulatedTime has it.
  template <class T>
  T Run(async::Task<T> task) {
    struct Measure {  // Of a task that ends, whatever it gives.
      ClientBed* bed;
      base::SteadyTime begin;
      ~Measure() { bed->elapsed = std::chrono::duration_cast<std::chrono::seconds>(bed->clock_.SteadyNow() - begin); }
    };
    const Measure measure{this, clock_.SteadyNow()};
    return time_.Run(std::move(task));
  }
  // Runs it until it waits, and cancels it.
  void Cancel(async::Task<void> task) {
    async::TaskGroup group(context_.get_executor(), "test");
    group.Spawn(std::move(task));
    time_.Settle();
    async::RunTask(context_, group.Stop());
  }
  // Lets the servers do what they can do.
  void Settle() { time_.Settle(); }

  ClientSettings settings;
  net::PeerAddress server_address{.ip = "127.0.0.1", .port = 25, .is_loopback = true};
  std::vector<std::string> writes;   // Of all clients since the last opening.
  std::vector<RecipientFate> fates;  // Of the last Send().
  std::chrono::seconds elapsed{0};   // Of the last task.

 private:
  net::MemoryOptions options_;
  asio::io_context context_;
  base::SimClock clock_;
  net::DeadlineSweep sweep_;
  net::SimulatedTime time_{&context_, &clock_, &sweep_};
  std::unique_ptr<async::TaskGroup> tasks_;
  std::unique_ptr<net::Connection> connection_;
  std::shared_ptr<ScriptedServer> server_;
  std::vector<std::shared_ptr<ScriptedServer>> servers_;  // Each outlives its task.
};

}  // namespace smtp
