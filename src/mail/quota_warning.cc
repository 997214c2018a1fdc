#include "mail/quota_warning.h"

#include <string_view>

#include <fmt/format.h>

#include "mail/date.h"

namespace mail {
namespace {

constexpr std::uint64_t kFullPercent = 100;

// "1.5 GB" as mail programs show sizes: in steps of 1024, one digit after the point.
std::string Size(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"bytes", "KB", "MB", "GB", "TB"};
  if (bytes < 1024) return fmt::format("{} {}", bytes, kUnits[0]);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string UsedText(const QuotaWarning& warning) {
  std::string text = "In use:\r\n";
  text += warning.bytes_max == 0 ? fmt::format("  {}\r\n", Size(warning.bytes_used))
                                 : fmt::format("  {} of {}\r\n", Size(warning.bytes_used), Size(warning.bytes_max));
  text += warning.mails_max == 0 ? fmt::format("  {} mails\r\n", warning.mails_used)
                                 : fmt::format("  {} of {} mails\r\n", warning.mails_used, warning.mails_max);
  return text;
}

}  // namespace

std::string ComposeQuotaWarning(const QuotaWarning& warning) {
  const bool is_full = warning.percent >= kFullPercent;
  const std::string domain = warning.address.substr(warning.address.rfind('@') + 1);
  const std::string state = is_full ? "Your mailbox is full" : fmt::format("Your mailbox is {}% full", warning.percent);
  std::string text = fmt::format(
      "From: Mail system <postmaster@{0}>\r\nTo: <{1}>\r\nSubject: {2}\r\nDate: {3}\r\n"
      "Message-ID: <quota-{4}@{0}>\r\nAuto-Submitted: auto-generated\r\nPrecedence: bulk\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
      domain, warning.address, state, FormatDate(warning.now), warning.id);
  text += state + ".\r\n\r\n" + UsedText(warning) + "\r\n";
  text += is_full ? "New mail can no longer be delivered to you, and its senders are told so.\r\n"
                  : "When it is full, new mail can no longer be delivered to you, and its\r\nsenders are told so.\r\n";
  text +=
      "\r\nTo make room, delete mail that you no longer need, large mail first, and then\r\n"
      "empty your trash folder: mail in it counts until it is gone from there too.\r\n\r\n"
      "This mail was written by the mail system. Please ask your administrator if\r\n"
      "you need a larger mailbox.\r\n";
  return text;
}

}  // namespace mail
