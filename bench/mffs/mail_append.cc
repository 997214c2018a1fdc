#include "mail_append.h"

#include <algorithm>
#include <utility>

namespace bench {
namespace {

// As in replog, which hands over a large mail in buffers of this size.
constexpr std::size_t kPartBytes = std::size_t{256} << 10;

}  // namespace

async::Task<base::Result<>> MailAppend::Append(MailId id, std::uint8_t type, MailToStore mail) {
  CO_RETURN_IF_ERROR(volume_->Admit(mail.stream, mail.bytes.size()));
  const std::size_t records = std::max<std::size_t>(1, (mail.bytes.size() + kPartBytes - 1) / kPartBytes);
  requests_.resize(std::max(requests_.size(), records));
  stored_.assign(records, {});
  left_ = records;
  error_.reset();
  ended_.emplace();
  for (std::size_t i = 0; i < records; ++i) {
    const bool is_last = i + 1 == records;
    const mffs::RecordKey key{
        .type = is_last ? type : kPartType, .partition = id.writer, .epoch = i, .index = id.number};
    AppendRecord(i, key, {mail.bytes.substr(i * kPartBytes, kPartBytes), mail.stream});
  }
  co_await ended_->Wait();
  if (error_.has_value()) co_return *std::exchange(error_, std::nullopt);
  co_return base::Result<>();
}

void MailAppend::AppendRecord(std::size_t index, mffs::RecordKey key, MailToStore body) {
  mffs::AppendRequest& request = requests_[index];
  request.stream = body.stream;
  request.key = key;
  request.head = {head_.data(), head_.size()};
  request.body = {body.bytes, {}, {}};
  request.done = [this, index](base::Result<mffs::Location> location) { OnDone(index, std::move(location)); };
  stored_[index].key = key;
  volume_->Append(&request);
}

void MailAppend::OnDone(std::size_t index, base::Result<mffs::Location> location) {
  if (location.has_value()) {
    stored_[index].location = *location;
  } else if (!error_.has_value()) {
    error_ = std::move(location).error();
  }
  if (--left_ == 0) ended_->Set(true);
}

}  // namespace bench
