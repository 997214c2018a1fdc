// The parameters of MAIL and RCPT (RFC 5321 §4.1.2 "esmtp-param"). Pure.
#pragma once

#include <optional>
#include <string_view>

#include "smtp/proto/command.h"

namespace smtp {

// Reads " SIZE=... BODY=..." into `mail_from`. Returns the reply when something is wrong: 501 for a bad value, 555 for
// a parameter that we did not offer (RFC 5321 §4.1.1.11).
std::optional<BadCommand> ParseMailParameters(std::string_view text, MailFrom& mail_from);

// The same for RCPT: NOTIFY and ORCPT (RFC 3461).
std::optional<BadCommand> ParseRcptParameters(std::string_view text, RcptTo& rcpt);

}  // namespace smtp
