// SMTP replies (RFC 5321 §4.2) with enhanced status codes (RFC 2034). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace smtp {

// One line: "250 2.0.0 Ok". `text` has its enhanced code in it. Line breaks and control bytes in `text` become spaces.
void AppendReply(std::string& out, int code, std::string_view text);

// Several lines: "250-a", "250 b".
void AppendReply(std::string& out, int code, const std::vector<std::string>& lines);

}  // namespace smtp
