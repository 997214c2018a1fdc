// The mail that warns the owner of a mailbox that is nearly full. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace mail {

struct QuotaWarning {
  std::string address{};  // Whose mailbox it is.
  std::string id{};       // Letters and digits: of its Message-ID.
  base::WallTime now{};
  std::uint64_t percent = 0;
  std::uint64_t bytes_used = 0;
  std::uint64_t bytes_max = 0;  // 0: no limit.
  std::uint64_t mails_used = 0;
  std::uint64_t mails_max = 0;  // 0: no limit.
};

// A mail with all its lines ended by CRLF, in ASCII, but for an address in UTF-8 (RFC 6532). Marked as made by a
// program (RFC 3834 §5), so that no program answers it.
std::string ComposeQuotaWarning(const QuotaWarning& warning);

}  // namespace mail
