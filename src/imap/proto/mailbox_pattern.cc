#include "imap/proto/mailbox_pattern.h"

#include <string>
#include <vector>

#include "imap/proto/flags.h"
#include "imap/proto/mailbox_name.h"

namespace imap {
namespace {

constexpr std::string_view kInbox = "INBOX";

// How many bytes of the name mean the same in any case: the first level where that is INBOX (RFC 3501 §5.1).
std::size_t InboxBytes(std::string_view name) {
  const std::string_view level = name.substr(0, name.find(kHierarchyDelimiter));
  return EqualsIgnoreCase(level, kInbox) ? level.size() : 0;
}

}  // namespace

bool MatchesPattern(std::string_view pattern, std::string_view name) {
  const std::size_t inbox_bytes = InboxBytes(name);
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
        const bool folds = i <= inbox_bytes;
        reach[i] = before && (p == c || (folds && ToLowerAscii(p) == ToLowerAscii(c)));
      }
      before = old;
    }
  }
  return reach[name.size()];
}

}  // namespace imap
