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
  // One large response must not cost an idle session its memory for hours.
  if (buffer_.capacity() > 2 * kFlushBytes) buffer_.shrink_to_fit();
}

async::Task<void> Output::FlushIfLarge() {
  if (IsLarge()) co_await Flush();
}

}  // namespace imap
