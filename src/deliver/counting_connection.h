// CountingConnection: a connection that tells how much the other side has said.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "net/connection.h"

namespace deliver {

// Whether a mail that failed over a connection was seen by the other side at all follows from whether it answered: the
// session above does not say, and between two mails a server may close at any moment.
//
// Thread, errors: as the connection that it owns. The count may outlive it.
class CountingConnection final : public net::Connection {
 public:
  // Bytes read, without those of TLS. Owned by the connection and by whoever watches it.
  using Count = std::shared_ptr<std::uint64_t>;

  explicit CountingConnection(std::unique_ptr<net::Connection> inner) : inner_(std::move(inner)) {}
  const Count& count() const { return count_; }

  async::Task<base::Result<std::size_t>> Read(std::span<char> into) override {
    base::Result<std::size_t> read = co_await inner_->Read(into);
    if (read.has_value()) *count_ += *read;
    co_return read;
  }
  async::Task<base::Result<>> Write(std::string_view text) override { return inner_->Write(text); }
  std::size_t TryWrite(std::string_view text) override { return inner_->TryWrite(text); }
  async::Task<base::Result<>> StartTls(net::TlsContext* context) override { return inner_->StartTls(context); }
  void AcknowledgeAtOnce() override { inner_->AcknowledgeAtOnce(); }
  void SetDeadline(std::chrono::seconds from_now) override { inner_->SetDeadline(from_now); }
  void Close() override { inner_->Close(); }
  async::Task<void> Shutdown() override { return inner_->Shutdown(); }
  const net::TlsFacts& tls() const override { return inner_->tls(); }
  const net::PeerAddress& peer() const override { return inner_->peer(); }

 private:
  std::unique_ptr<net::Connection> inner_;
  Count count_ = std::make_shared<std::uint64_t>(0);
};

}  // namespace deliver
