// What every Connection promises (net/connection.h), run on plain TCP, TLS over TCP, and memory.
#include <filesystem>
#include <optional>

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "async/testing.h"
#include "base/random.h"
#include "net/connector.h"
#include "net/memory_connection.h"
#include "net/network.h"
#include "net/self_signed.h"

namespace net {
namespace {

using namespace std::chrono_literals;
using async::RunTask;
using async::Task;
using base::Errc;
using base::Result;

enum class Kind { kTcp, kTls12, kTls13, kMemory };

struct ReadToEndResult {
  std::string text;
  Errc ended_by = Errc::kIo;
};

Task<ReadToEndResult> ReadToEnd(Connection* connection) {
  ReadToEndResult result;
  std::string piece(7'000, '\0');
  for (;;) {
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) {
      result.ended_by = size.error().code();
      co_return result;
    }
    result.text.append(piece, 0, *size);
  }
}

Task<std::string> ReadExactly(Connection* connection, std::size_t size) {
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const auto n = co_await connection->Read(std::span(text).subspan(done));
    if (!n.has_value()) co_return text.substr(0, done) + " then " + n.error().message();
    done += *n;
  }
  co_return text;
}

Task<Result<>> WriteText(Connection* connection, std::string text) {
  co_return co_await connection->Write(text);
}

Task<Result<std::size_t>> ReadSome(Connection* connection) {
  char piece[100];
  co_return co_await connection->Read(piece);
}

template <class T>
Task<void> Store(Task<T> task, std::optional<T>* into) {
  into->emplace(co_await std::move(task));
}

Task<void> SendThenShutdown(Connection* connection, std::string text) {
  base::Ignore(co_await connection->Write(text));  // The reader compares what arrived.
  co_await connection->Shutdown();
}

Task<void> ReadForever(Connection* connection, bool* returned) {
  base::Ignore(co_await ReadSome(connection));  // Only whether it returns at all is of interest.
  *returned = true;
}

std::string RandomText(std::size_t size) {
  base::Random random(size);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.Next());
  return text;
}

class ConnectionContract : public testing::TestWithParam<Kind> {
 protected:
  ConnectionContract() : sweep_(context_.get_executor(), &clock_), group_(context_.get_executor(), "test") {
    char name[] = "/tmp/posthorn-net-XXXXXX";
    dir_ = ::mkdtemp(name);
    if (GetParam() == Kind::kMemory) {
      auto pair = MemoryConnection::MakePair(context_.get_executor(), &sweep_);
      server_ = std::move(pair.server);
      client_ = std::move(pair.client);
    } else {
      ConnectOverTcp();
    }
    if (GetParam() == Kind::kTls12 || GetParam() == Kind::kTls13) StartTls();
  }

  ~ConnectionContract() override {
    RunTask(context_, group_.Stop());
    std::filesystem::remove_all(dir_);
  }

  void ConnectOverTcp() {
    asio::basic_socket_acceptor<asio::ip::tcp, async::Executor> acceptor(
        context_.get_executor(), asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    client_ =
        RunTask(context_, Connect({.ip = "127.0.0.1", .port = acceptor.local_endpoint().port()}, &sweep_)).value();
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int fd = ::accept(acceptor.native_handle(), reinterpret_cast<sockaddr*>(&address), &size);
    ASSERT_GE(fd, 0);
    TcpSocket socket(context_.get_executor());
    socket.assign(asio::ip::tcp::v4(), fd);
    server_ = std::make_unique<TcpConnection>(std::move(socket), ToPeerAddress(address), &sweep_);
  }

  void StartTls() {
    auto context = TlsContext::Load(MakeSelfSigned(dir_, "mx.example.test").value());
    ASSERT_TRUE(context.has_value()) << context.error().message();
    server_tls_ = *std::move(context);
    client_tls_ = TlsContext::ForClient(GetParam() == Kind::kTls12 ? TlsVersion::kTls12 : TlsVersion::kNewest);
    std::optional<Result<>> client_done;
    group_.Spawn(Store(client_->StartTls(client_tls_.get()), &client_done));
    const auto server_done = RunTask(context_, server_->StartTls(server_tls_.get()));
    RunTask(context_, group_.Join());
    ASSERT_TRUE(server_done.has_value()) << server_done.error().message();
    ASSERT_TRUE(client_done->has_value()) << client_done->error().message();
  }

  // Lets all tasks go as far as they can without waiting.
  void Settle() {
    context_.restart();
    context_.poll();
  }

  void PassTime(std::chrono::seconds by) {
    clock_.Advance(by);
    sweep_.Tick();
  }

  // Writes without waiting until the peer's buffers are full.
  void FillUp(Connection* connection) {
    const std::string text(64 * 1024, 'x');
    for (int empty = 0; empty < 3;) empty = connection->TryWrite(text) == 0 ? empty + 1 : 0;
  }

  asio::io_context context_;
  base::SimClock clock_;
  DeadlineSweep sweep_;
  std::string dir_;
  std::unique_ptr<TlsContext> server_tls_;
  std::unique_ptr<TlsContext> client_tls_;
  std::unique_ptr<Connection> server_;
  std::unique_ptr<Connection> client_;
  async::TaskGroup group_;
};

TEST_P(ConnectionContract, CarriesBytesBothWaysAtOnce) {
  const std::string up = RandomText(3'000'000);
  const std::string down = RandomText(2'000'000);
  std::optional<Result<>> sent_up, sent_down;
  std::optional<std::string> got_up, got_down;
  group_.Spawn(Store(WriteText(client_.get(), up), &sent_up));
  group_.Spawn(Store(WriteText(server_.get(), down), &sent_down));
  group_.Spawn(Store(ReadExactly(server_.get(), up.size()), &got_up));
  group_.Spawn(Store(ReadExactly(client_.get(), down.size()), &got_down));
  RunTask(context_, group_.Join());
  EXPECT_TRUE(sent_up->has_value());
  EXPECT_TRUE(sent_down->has_value());
  EXPECT_TRUE(*got_up == up);
  EXPECT_TRUE(*got_down == down);
}

TEST_P(ConnectionContract, ReadsInPiecesAsSmallAsAsked) {
  EXPECT_EQ(client_->TryWrite("hello"), 5u);
  char piece[2];
  EXPECT_EQ(RunTask(context_, server_->Read(piece)).value(), 2u);
  EXPECT_EQ(std::string_view(piece, 2), "he");
  EXPECT_EQ(RunTask(context_, ReadExactly(server_.get(), 3)), "llo");
}

TEST_P(ConnectionContract, WhatWasWrittenBeforeAShutdownArrivesAndThenTheEnd) {
  const std::string text = RandomText(1'000'000);
  group_.Spawn(SendThenShutdown(server_.get(), text));
  const auto got = RunTask(context_, ReadToEnd(client_.get()));
  EXPECT_TRUE(got.text == text);
  EXPECT_EQ(got.ended_by, Errc::kClosed);
}

TEST_P(ConnectionContract, ShutdownWithSomethingUnreadEndsAfterTwoSeconds) {
  EXPECT_GT(client_->TryWrite("QUIT\r\nmore"), 0u);
  group_.Spawn(SendThenShutdown(server_.get(), "221 bye\r\n"));
  Settle();
  EXPECT_EQ(RunTask(context_, ReadToEnd(client_.get())).text, "221 bye\r\n");
  PassTime(4s);
  RunTask(context_, group_.Join());
  EXPECT_EQ(RunTask(context_, ReadSome(server_.get())).error().code(), Errc::kClosed);
}

TEST_P(ConnectionContract, CloseEndsTheOperationUnderWayAndAllLaterOnes) {
  std::optional<Result<std::size_t>> read;
  group_.Spawn(Store(ReadSome(server_.get()), &read));
  Settle();
  EXPECT_FALSE(read.has_value());
  server_->Close();
  server_->Close();
  RunTask(context_, group_.Join());
  EXPECT_EQ(read->error().code(), Errc::kClosed);
  EXPECT_EQ(RunTask(context_, ReadSome(server_.get())).error().code(), Errc::kClosed);
  EXPECT_EQ(RunTask(context_, WriteText(server_.get(), "x")).error().code(), Errc::kClosed);
  EXPECT_EQ(server_->TryWrite("x"), 0u);
  RunTask(context_, server_->Shutdown());
}

TEST_P(ConnectionContract, AVanishedPeerIsClosed) {
  client_->Close();
  EXPECT_EQ(RunTask(context_, ReadSome(server_.get())).error().code(), Errc::kClosed);
  Result<> written;
  for (int i = 0; i < 1'000 && written.has_value(); ++i) {
    written = RunTask(context_, WriteText(server_.get(), std::string(10'000, 'x')));
  }
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().code(), Errc::kClosed);
  EXPECT_EQ(server_->TryWrite("x"), 0u);
}

TEST_P(ConnectionContract, ADeadlineEndsTheReadUnderWayAndLaterOnesUntilSetAnew) {
  std::optional<Result<std::size_t>> read;
  server_->SetDeadline(10s);
  group_.Spawn(Store(ReadSome(server_.get()), &read));
  Settle();
  PassTime(9s);
  Settle();
  EXPECT_FALSE(read.has_value());
  PassTime(2s);
  RunTask(context_, group_.Join());
  EXPECT_EQ(read->error().code(), Errc::kTimeout);
  EXPECT_EQ(client_->TryWrite("late"), 4u);
  EXPECT_EQ(RunTask(context_, ReadSome(server_.get())).error().code(), Errc::kTimeout);
  EXPECT_EQ(server_->TryWrite("x"), 0u);
  server_->SetDeadline(10s);
  EXPECT_EQ(RunTask(context_, ReadExactly(server_.get(), 4)), "late");
}

TEST_P(ConnectionContract, APeerThatStopsReadingMeetsTheDeadline) {
  FillUp(server_.get());
  std::optional<Result<>> written;
  server_->SetDeadline(10s);
  std::string more_than_fits;
  more_than_fits.resize(20'000'000, 'x');
  group_.Spawn(Store(WriteText(server_.get(), std::move(more_than_fits)), &written));
  Settle();
  EXPECT_FALSE(written.has_value());
  PassTime(11s);
  RunTask(context_, group_.Join());
  EXPECT_EQ(written->error().code(), Errc::kTimeout);
}

TEST_P(ConnectionContract, WhatTryWriteTookArrivesInOrderBeforeWhatWriteAdds) {
  const std::string text = RandomText(30'000'000);
  std::size_t taken = 0;
  for (int empty = 0; empty < 3;) {
    const std::size_t n = server_->TryWrite(std::string_view(text).substr(taken));
    taken += n;
    empty = n == 0 ? empty + 1 : 0;
  }
  ASSERT_GT(taken, 0u);
  ASSERT_LT(taken, text.size());
  std::optional<Result<>> rest;
  group_.Spawn(Store(WriteText(server_.get(), text.substr(taken)), &rest));
  EXPECT_TRUE(RunTask(context_, ReadExactly(client_.get(), text.size())) == text);
  RunTask(context_, group_.Join());
  EXPECT_TRUE(rest->has_value());
}

TEST_P(ConnectionContract, WhatTryWriteTookArrivesWhileTheWriterOnlyReads) {
  std::size_t taken = 0;
  const std::string text(100'000, 'y');
  for (int empty = 0; empty < 3;) {
    const std::size_t n = server_->TryWrite(text);
    taken += n;
    empty = n == 0 ? empty + 1 : 0;
  }
  std::optional<Result<std::size_t>> read;
  group_.Spawn(Store(ReadSome(server_.get()), &read));
  Settle();
  EXPECT_EQ(RunTask(context_, ReadExactly(client_.get(), taken)).size(), taken);
  EXPECT_EQ(client_->TryWrite("next"), 4u);
  RunTask(context_, group_.Join());
  EXPECT_EQ(read->value(), 4u);
}

TEST_P(ConnectionContract, CancellationUnwindsTheTask) {
  bool returned = false;
  group_.Spawn(ReadForever(server_.get(), &returned));
  Settle();
  RunTask(context_, group_.Stop());
  EXPECT_FALSE(returned);
}

TEST_P(ConnectionContract, TellsWhoThePeerIsAndWhatTlsItHas) {
  EXPECT_EQ(server_->peer().ip, "127.0.0.1");
  EXPECT_TRUE(server_->peer().is_loopback);
  EXPECT_NE(server_->peer().port, 0);
  const bool is_tls = GetParam() == Kind::kTls12 || GetParam() == Kind::kTls13;
  EXPECT_EQ(server_->is_tls(), is_tls);
  EXPECT_EQ(server_->tls().cipher.empty(), !is_tls);
  if (is_tls) EXPECT_EQ(server_->tls().version, GetParam() == Kind::kTls12 ? "TLSv1.2" : "TLSv1.3");
}

// What StartTls promises beyond a handshake that goes well; for connections that begin without TLS.
class StartTlsContract : public ConnectionContract {};

TEST_P(StartTlsContract, PlaintextWhereTheHandshakeBelongsFailsIt) {
  server_tls_ = TlsContext::Load(MakeSelfSigned(dir_, "mx.example.test").value()).value();
  ASSERT_EQ(client_->TryWrite("MAIL FROM:<injected@example.test>\r\n"), 35u);
  const auto done = RunTask(context_, server_->StartTls(server_tls_.get()));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code(), Errc::kIo);
  EXPECT_EQ(RunTask(context_, ReadSome(server_.get())).error().code(), Errc::kClosed);
}

TEST_P(StartTlsContract, AHandshakeThatNeverComesMeetsTheDeadline) {
  server_tls_ = TlsContext::Load(MakeSelfSigned(dir_, "mx.example.test").value()).value();
  std::optional<Result<>> done;
  server_->SetDeadline(10s);
  group_.Spawn(Store(server_->StartTls(server_tls_.get()), &done));
  Settle();
  EXPECT_FALSE(done.has_value());
  PassTime(11s);
  RunTask(context_, group_.Join());
  EXPECT_EQ(done->error().code(), Errc::kTimeout);
}

std::string KindName(const testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::kTcp:
      return "Tcp";
    case Kind::kTls12:
      return "Tls12";
    case Kind::kTls13:
      return "Tls13";
    case Kind::kMemory:
      return "Memory";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(All, ConnectionContract,
                         testing::Values(Kind::kTcp, Kind::kTls12, Kind::kTls13, Kind::kMemory), KindName);
INSTANTIATE_TEST_SUITE_P(All, StartTlsContract, testing::Values(Kind::kTcp, Kind::kMemory), KindName);

}  // namespace
}  // namespace net
