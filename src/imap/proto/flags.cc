#include "imap/proto/flags.h"

#include <algorithm>
#include <array>

namespace imap {
namespace {

struct SystemFlagName {
  std::string_view name;
  SystemFlag flag;
};
constexpr std::array<SystemFlagName, 5> kSystemFlagNames = {{
    {"\\Answered", kAnswered},
    {"\\Flagged", kFlagged},
    {"\\Deleted", kDeleted},
    {"\\Seen", kSeen},
    {"\\Draft", kDraft},
}};

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, ToLowerAscii, ToLowerAscii);
}

base::Result<> FlagSet::Add(std::string_view name) {
  if (!name.starts_with('\\')) {
    if (!HasKeyword(name)) keywords.emplace_back(name);
    return {};
  }
  for (const SystemFlagName& known : kSystemFlagNames) {
    if (EqualsIgnoreCase(known.name, name)) {
      system |= known.flag;
      return {};
    }
  }
  if (EqualsIgnoreCase(name, "\\Recent")) return {};
  return base::Error(base::Errc::kInvalid, "unknown system flag " + std::string(name));
}

bool FlagSet::HasKeyword(std::string_view keyword) const {
  return std::ranges::any_of(keywords, [&](const std::string& own) { return EqualsIgnoreCase(own, keyword); });
}

void AppendFlags(std::string& out, const FlagSet& flags, bool recent) {
  out.push_back('(');
  const auto add = [&out](std::string_view name) {
    if (out.back() != '(') out.push_back(' ');
    out.append(name);
  };
  for (const SystemFlagName& known : kSystemFlagNames) {
    if ((flags.system & known.flag) != 0) add(known.name);
  }
  for (const std::string& keyword : flags.keywords) add(keyword);
  if (recent) add("\\Recent");
  out.push_back(')');
}

}  // namespace imap
