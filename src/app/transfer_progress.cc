#include "app/transfer_progress.h"

#include <fmt/format.h>

#include "app/commands_text.h"

namespace app {
namespace {

constexpr std::chrono::milliseconds kBetweenRedraws{200};
constexpr std::chrono::seconds kBetweenLines{5};
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

std::string TransferText(const std::string& mailbox, TransferAmount done, TransferAmount total,
                         std::chrono::milliseconds elapsed) {
  const double seconds = static_cast<double>(elapsed.count()) / 1000;
  const auto rate = [seconds](std::uint64_t amount) {
    return seconds > 0 ? static_cast<double>(amount) / seconds : 0.0;
  };
  std::string text = fmt::format("{}: {} of {} mails, {} of {}, {:.0f} mails/s, {}/s", Printable(mailbox), done.mails,
                                 total.mails, ReadableBytes(done.bytes), ReadableBytes(total.bytes), rate(done.mails),
                                 ReadableBytes(static_cast<std::uint64_t>(rate(done.bytes))));
  if (done.bytes > 0 && done.bytes <= total.bytes && seconds > 0) {
    const double left = static_cast<double>(total.bytes - done.bytes) / rate(done.bytes);
    text += fmt::format(", {} left", ReadableDuration(std::chrono::seconds(static_cast<std::int64_t>(left))));
  }
  return text;
}

void TransferProgress::Begin(const std::string& mailbox, TransferAmount total) {
  mailbox_ = mailbox;
  total_ = total;
  done_ = {};
  began_ = clock_->SteadyNow();
  shown_ = began_;
}

void TransferProgress::Add(TransferAmount more) {
  done_.mails += more.mails;
  done_.bytes += more.bytes;
  if (style_ == ProgressBar::Style::kNone) return;
  const base::SteadyTime now = clock_->SteadyNow();
  const bool is_bar = style_ == ProgressBar::Style::kBar;
  if (now - shown_ < (is_bar ? base::SteadyTime::duration(kBetweenRedraws) : kBetweenLines)) return;
  shown_ = now;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
  *out_ << (is_bar ? kClearLine : "") << TransferText(mailbox_, done_, total_, elapsed) << (is_bar ? "" : "\n")
        << std::flush;
  is_on_screen_ = is_bar;
}

void TransferProgress::Finish() {
  if (is_on_screen_) *out_ << kClearLine << std::flush;
  is_on_screen_ = false;
}

}  // namespace app
