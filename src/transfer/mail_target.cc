#include "transfer/mail_target.h"

#include <algorithm>

namespace transfer {

std::string WithLineFeeds(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool is_end = bytes[i] == '\r' && i + 1 < bytes.size() && bytes[i + 1] == '\n';
    if (!is_end) out.push_back(bytes[i]);
  }
  return out;
}

std::vector<std::string> KeywordsOf(const std::vector<TargetMail>& mails) {
  std::vector<std::string> keywords;
  for (const TargetMail& mail : mails) {
    for (const std::string& flag : mail.flags) {
      if (!flag.starts_with('\\') && std::ranges::find(keywords, flag) == keywords.end()) keywords.push_back(flag);
    }
  }
  return keywords;
}

}  // namespace transfer
