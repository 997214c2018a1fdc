#include "imap/server/output.h"

namespace imap {

async::Task<void> Output::Flush() {
  if (buffer_.empty() || failed_) {
    buffer_.clear();
    co_return;
  }
  const std::size_t sent = connection_->TryWrite(buffer_);
  if (sent < buffer_.size()) {
    connection_->SetDeadline(timeout_);
    const auto written = co_await connection_->Write(std::string_view(buffer_).substr(sent));
    failed_ = !written.has_value();
  }
  buffer_.clear();
}

async::Task<void> Output::FlushIfLarge() {
  if (IsLarge()) co_await Flush();
}

void Output::Release() {
  constexpr std::size_t kKeptBytes = 4u << 10;
  if (buffer_.empty() && buffer_.capacity() > kKeptBytes) buffer_.shrink_to_fit();
}

}  // namespace imap
