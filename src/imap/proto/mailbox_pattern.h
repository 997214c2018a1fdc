// The patterns of LIST and LSUB (RFC 3501 §6.3.8).
#pragma once

#include <string_view>

namespace imap {

// Whether `name` matches `pattern`, both UTF-8: '*' stands for anything, '%' for anything without the hierarchy
// delimiter. "INBOX" as a whole or as the first level is matched without regard to case.
// Time: pattern size times name size, whatever the pattern.
bool MatchesPattern(std::string_view pattern, std::string_view name);

}  // namespace imap
