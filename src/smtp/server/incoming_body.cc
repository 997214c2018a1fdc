#include "smtp/server/incoming_body.h"

#include <algorithm>

namespace smtp {
namespace {

constexpr std::size_t kScratchBytes = 16u << 10;
// One read at most: what a client pipelined behind its mail has to fit into the session's input.
constexpr std::size_t kReadBytesMax = 64u << 10;

}  // namespace

IncomingBody::IncomingBody(replog::BodyWriter writer, Options options)
    : writer_(std::move(writer)), options_(std::move(options)), scanner_(options_.framing) {
  if (options_.normalize_line_ends) normalizer_.emplace();
  if (options_.digest != nullptr) options_.digest->Begin();
  if (options_.submission) {
    submission_.emplace(*std::move(options_.submission));
    holds_header_ = true;
  }
}

async::Task<base::Result<>> IncomingBody::WriteTrace(std::string_view header) {
  trace_bytes_ += header.size();
  return writer_.Write(header);
}

std::span<char> IncomingBody::Space() {
  if (uses_scratch()) {
    scratch_.resize(kScratchBytes);
    return scratch_;
  }
  if (!writer_.TryReserve()) return {};
  const std::span<char> space = writer_.Space();
  return space.first(std::min(space.size(), kReadBytesMax));
}

async::Task<void> IncomingBody::Reserve() {
  const auto reserved = co_await writer_.Reserve();
  if (!reserved) Refuse(RefusalOf(reserved.error()));
}

DataScanner::Step IncomingBody::TakeAtOnce(std::size_t bytes) {
  const std::span<char> space = refusal_ ? std::span<char>(scratch_) : writer_.Space();
  const DataScanner::Step step = scanner_.Scan(space.first(bytes));
  Count(step, {space.data(), step.kept});
  if (!refusal_) {
    header_.Add({space.data(), step.kept});
    writer_.Commit(step.kept);
    if (received_bytes_ > options_.bytes_max) Refuse({552, "5.3.4 The mail is larger than this server accepts"});
  }
  return step;
}

async::Task<DataScanner::Step> IncomingBody::Take(std::size_t bytes) {
  if (CanTakeAtOnce()) co_return TakeAtOnce(bytes);
  const DataScanner::Step step = scanner_.Scan(std::span(scratch_).first(bytes));
  Count(step, {scratch_.data(), step.kept});
  if (received_bytes_ > options_.bytes_max) Refuse({552, "5.3.4 The mail is larger than this server accepts"});
  if (refusal_) co_return step;
  std::string_view kept(scratch_.data(), step.kept);
  std::string normalized;
  if (normalizer_) {
    if (step.cr_before) normalizer_->Append("\r", normalized);
    normalizer_->Append(kept, normalized);
    kept = normalized;
  }
  header_.Add(kept);
  const auto written = co_await WriteOrHold(kept);
  if (!written) Refuse(RefusalOf(written.error()));
  co_return step;
}

// The bytes stay until the answer is there.
async::Task<base::Result<>> IncomingBody::WriteOrHold(std::string_view bytes) {
  if (!holds_header_) co_return co_await writer_.Write(bytes);
  submission_->Add(bytes);
  if (submission_->is_too_long()) Refuse({552, "5.3.4 The header is longer than this server accepts"});
  if (refusal_ || !submission_->is_whole()) co_return base::Result<>();
  holds_header_ = false;
  const std::string mended = submission_->Mend();
  co_return co_await writer_.Write(mended);
}

void IncomingBody::Count(const DataScanner::Step& step, std::string_view kept) {
  received_bytes_ += kept.size() + (step.cr_before ? 1 : 0);
  if (refusal_ || options_.digest == nullptr) return;
  if (step.cr_before) options_.digest->Update("\r");
  options_.digest->Update(kept);
}

void IncomingBody::Refuse(Refusal refusal) {
  if (!refusal_) refusal_ = std::move(refusal);
}

async::Task<base::Result<replog::Body>> IncomingBody::Finish() {
  std::string end;
  if (normalizer_) {
    normalizer_->Finish(end);
  } else if (!scanner_.at_line_start()) {
    end = "\r\n";
  }
  if (!end.empty()) CO_RETURN_IF_ERROR(co_await WriteOrHold(end));
  if (holds_header_) {
    // All of the mail is header.
    holds_header_ = false;
    const std::string mended = submission_->Mend();
    CO_RETURN_IF_ERROR(co_await writer_.Write(mended));
  }
  co_return co_await writer_.Finish();
}

Refusal RefusalOf(const base::Error& error) {
  switch (error.code()) {
    case base::Errc::kNoSpace:
      return {452, "4.3.1 Insufficient system storage, try again later"};
    case base::Errc::kDenied:  // By the mailbox's quota.
      return {452, "4.2.2 The mailbox is full, try again later"};
    case base::Errc::kBusy:
      return {451, "4.3.2 The system is busy, try again later"};
    default:
      return {451, "4.3.0 The mail could not be stored, try again later"};
  }
}

}  // namespace smtp
