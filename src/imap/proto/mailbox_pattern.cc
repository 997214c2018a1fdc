#include "imap/proto/mailbox_pattern.h"

#include <string>
#include <vector>

#include "imap/proto/flags.h"
#include "imap/proto/mailbox_name.h"

namespace imap {
namespace {

constexpr std::string_view kInbox = "INBOX";

// The first level in upper case when it spells INBOX.
std::string FoldInbox(std::string_view text) {
  std::string folded(text);
  const std::string_view level = text.substr(0, text.find(kHierarchyDelimiter));
  if (EqualsIgnoreCase(level, kInbox)) folded.replace(0, kInbox.size(), kInbox);
  return folded;
}

}  // namespace

bool MatchesPattern(std::string_view raw_pattern, std::string_view raw_name) {
  const std::string pattern = FoldInbox(raw_pattern);
  const std::string name = FoldInbox(raw_name);
  // reach[i]: the pattern so far can end after i bytes of the name. Row by row instead of by backtracking, so that
  // "*a*a*a*a*b" costs no more than any other pattern.
  std::vector<bool> reach(name.size() + 1, false);
  reach[0] = true;
  for (const char p : pattern) {
    const bool wildcard = p == '*' || p == '%';
    bool before = reach[0];  // The old reach[i - 1].
    if (!wildcard) reach[0] = false;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      const char c = name[i - 1];
      const bool old = reach[i];
      if (wildcard) {
        reach[i] = old || (reach[i - 1] && (p == '*' || c != kHierarchyDelimiter));
      } else {
        reach[i] = before && p == c;
      }
      before = old;
    }
  }
  return reach[name.size()];
}

}  // namespace imap
