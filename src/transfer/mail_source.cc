#include "transfer/mail_source.h"

#include <algorithm>
#include <string_view>

namespace transfer {

namespace {

constexpr std::size_t kKeywordBytesMax = 128;  // As the store has it.
constexpr std::string_view kSystemFlags[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"};

bool IsSystemFlag(std::string_view flag) {
  return std::ranges::find(kSystemFlags, flag) != std::end(kSystemFlags);
}

bool IsKeyword(std::string_view flag) {
  return !flag.empty() && flag.size() <= kKeywordBytesMax && std::ranges::all_of(flag, [](char c) {
    return c > 0x20 && c < 0x7f && !std::string_view("(){%*\"\\]").contains(c);
  });
}

}  // namespace

std::vector<std::string> LeaveOutForeignFlags(std::vector<SourceMail>* mails) {
  std::vector<std::string> foreign;
  const auto is_foreign = [&](const std::string& flag) {
    if (IsSystemFlag(flag) || IsKeyword(flag)) return false;
    const bool is_new = !flag.starts_with('\\') && std::ranges::find(foreign, flag) == foreign.end();
    if (is_new && foreign.size() < kForeignKeywordsMax) foreign.push_back(flag);
    return true;
  };
  for (SourceMail& mail : *mails) std::erase_if(mail.flags, is_foreign);
  return foreign;
}

}  // namespace transfer
