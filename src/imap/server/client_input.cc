#include "imap/server/client_input.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace imap {

async::Task<base::Result<ReadEvent>> ClientInput::Next() {
  for (;;) {
    std::string_view input = std::string_view(bytes_).substr(begin_, end_ - begin_);
    ReadEvent event = reader_.Next(input);
    begin_ = end_ - input.size();
    if (!std::holds_alternative<NeedBytes>(event)) co_return event;
    CO_RETURN_IF_ERROR(co_await Fill());
  }
}

async::Task<base::Result<>> ClientInput::Fill() {
  std::chrono::seconds timeout = reader_.AtCommandStart() ? timeouts_.idle : timeouts_.transfer;
  if (end_of_time_.has_value()) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(*end_of_time_ - clock_->SteadyNow());
    if (left <= std::chrono::seconds(0)) co_return base::Error(base::Errc::kTimeout, "the time to log in is over");
    timeout = std::min(timeout, left);
  }
  const std::size_t wanted = reader_.InAppend() ? kTransferBytes : kIdleBytes;
  if (bytes_.size() != wanted) {
    bytes_.resize(wanted);
    bytes_.shrink_to_fit();
  }
  begin_ = end_ = 0;
  connection_->SetDeadline(timeout);
  // Many clients write a literal and the line end after it in two pieces: each such command would take 40 ms.
  if (!reader_.AtCommandStart()) connection_->AcknowledgeAtOnce();
  ASSIGN_OR_CO_RETURN(end_, co_await connection_->Read(std::span(bytes_)));
  co_return base::Result<>();
}

void ClientInput::Clear() {
  begin_ = end_ = 0;
  reader_.Restart();
}

}  // namespace imap
