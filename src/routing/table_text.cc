#include "routing/table_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "mail/address.h"
#include "mail/ascii.h"

namespace routing {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr std::size_t kShownBytesMax = 60;
constexpr std::string_view kInclude = ":include:";

bool IsControl(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

Error Invalid(std::string sentence) {
  return Error(Errc::kInvalid, std::move(sentence));
}

// Where the next `wanted` byte stands outside of quotes; npos: nowhere.
std::size_t FindUnquoted(std::string_view text, auto wanted) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && wanted(text[i])) {
      return i;
    }
  }
  return std::string_view::npos;
}

// "text" in quotes as a whole, without them; nothing when it is not.
std::string Unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"') return {};
  std::string inner;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1 == text.size() ? inner : std::string();
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    inner.push_back(text[i]);
  }
  return {};
}

Result<std::string> CanonicalTarget(std::string_view text, std::string_view default_domain) {
  // RFC 5321 allows an empty local part in quotes; in a table it is a slip.
  if (text.starts_with("\"\"")) return Invalid(fmt::format("{} has no name", Quoted(text)));
  const mail::AddressSyntax syntax{.utf8 = true};
  auto address = mail::Address::Parse(text, syntax);
  if (address) return address->ToString();
  const bool is_bare = FindUnquoted(text, [](char c) { return c == '@'; }) == std::string_view::npos;
  if (!is_bare) return Invalid(fmt::format("{}: {}", Quoted(text), address.error().message()));
  if (default_domain.empty()) return Invalid(fmt::format("{} has no domain; write name@domain", Quoted(text)));
  address = mail::Address::Parse(fmt::format("{}@{}", text, default_domain), syntax);
  if (!address) {
    return Invalid(fmt::format("{}: {}; targets are separated by commas, and a remark has a line of its own",
                               Quoted(text), address.error().message()));
  }
  return address->ToString();
}

Result<Target> ParseInclude(std::string_view path, const TargetRules& rules) {
  if (!rules.includes) return Invalid("an :include: may stand in an alias only, not in an included or another file");
  std::string unquoted = Unquote(path);
  if (unquoted.empty()) unquoted = path;
  if (!unquoted.starts_with('/')) return Invalid("an :include: needs a path that begins with /");
  return Target{TargetKind::kInclude, std::move(unquoted)};
}

Result<Target> ParseTarget(std::string_view text, const TargetRules& rules) {
  const std::string unquoted = Unquote(text);
  const std::string_view inner = unquoted.empty() ? text : unquoted;
  if (inner.starts_with('|')) {
    return Invalid(fmt::format("{} is a command, and Posthorn runs none; name an address", Quoted(text)));
  }
  if (inner.starts_with('/')) {
    return Invalid(fmt::format("{} is a file, and mail goes to mailboxes only; name an address", Quoted(text)));
  }
  if (mail::StartsWithIgnoreCase(inner, kInclude))
    return ParseInclude(mail::Trim(inner.substr(kInclude.size())), rules);
  if (text.starts_with('\\')) {
    ASSIGN_OR_RETURN(std::string address, CanonicalTarget(text.substr(1), rules.default_domain));
    return Target{TargetKind::kFinal, std::move(address)};
  }
  if (text.starts_with('@')) {
    if (!rules.domains) return Invalid(fmt::format("{} is a domain; name an address", Quoted(text)));
    auto domain = mail::CanonicalDomain(text.substr(1), {.utf8 = true});
    if (!domain) return Invalid(fmt::format("{}: {}", Quoted(text), domain.error().message()));
    return Target{TargetKind::kDomain, *std::move(domain)};
  }
  // A quoted name of aliases(5) is a local part in SMTP's notation too.
  ASSIGN_OR_RETURN(std::string address, CanonicalTarget(text, rules.default_domain));
  return Target{TargetKind::kAddress, std::move(address)};
}

}  // namespace

bool LogicalLines::NextPhysical() {
  while (position_ < text_.size()) {
    const std::size_t newline = text_.find('\n', position_);
    const std::size_t end = newline == std::string_view::npos ? text_.size() : newline;
    pending_ = text_.substr(position_, end - position_);
    position_ = std::min(text_.size(), end + 1);
    number_ += 1;
    if (pending_.ends_with('\r')) pending_.remove_suffix(1);
    const std::string_view trimmed = mail::Trim(pending_);
    if (!trimmed.empty() && !trimmed.starts_with('#')) return true;
  }
  return false;
}

bool LogicalLines::Next(Line* line) {
  if (!has_pending_ && !NextPhysical()) return false;
  has_pending_ = false;
  line->number = number_;
  line->text.clear();
  line->problem.clear();
  if (mail::IsBlank(pending_.front()))
    line->problem = "the line begins with white space, but there is none to continue";
  Append(line);
  while (NextPhysical()) {
    if (!mail::IsBlank(pending_.front())) {
      has_pending_ = true;
      break;
    }
    Append(line);
  }
  if (!line->problem.empty()) line->text.clear();
  return true;
}

void LogicalLines::Append(Line* line) const {
  if (!line->problem.empty()) return;
  const std::string_view piece = mail::Trim(pending_);
  if (std::ranges::any_of(piece, IsControl)) {
    line->problem = "the line has a control character; the file must be text";
  } else if (line->text.size() + piece.size() + 1 > line_bytes_max_) {
    line->problem = fmt::format("the line is longer than {} bytes, with the lines that continue it", line_bytes_max_);
  } else {
    if (!line->text.empty()) line->text.push_back(' ');
    line->text.append(piece);
  }
}

Result<std::vector<Target>> ParseTargets(std::string_view text, const TargetRules& rules) {
  std::vector<Target> targets;
  for (;;) {
    const std::size_t comma = FindUnquoted(text, [](char c) { return c == ','; });
    const std::string_view piece = mail::Trim(text.substr(0, comma));
    // aliases(5) allows a comma at the end, where another line was to follow.
    if (!piece.empty()) {
      if (targets.size() >= rules.targets_max) {
        return Invalid(fmt::format("there are more than {} targets", rules.targets_max));
      }
      ASSIGN_OR_RETURN(Target target, ParseTarget(piece, rules));
      targets.push_back(std::move(target));
    }
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (targets.empty()) return Invalid("there is no target; name at least one address");
  return targets;
}

std::string PackTargets(const std::vector<Target>& targets) {
  std::string packed;
  for (const Target& target : targets) {
    packed.push_back(static_cast<char>(target.kind));
    packed.append(target.text).push_back('\n');
  }
  return packed;
}

Result<AliasLine> SplitAlias(std::string_view line) {
  const std::size_t colon = FindUnquoted(line, [](char c) { return c == ':'; });
  if (colon == std::string_view::npos) return Invalid("there is no colon; write name: target, target");
  const std::string_view name = mail::Trim(line.substr(0, colon));
  AliasLine alias{.name = Unquote(name), .targets = mail::Trim(line.substr(colon + 1))};
  if (alias.name.empty() && std::ranges::any_of(name, mail::IsBlank)) {
    return Invalid(fmt::format("{} has white space, which needs quotes; write name: target, target", Quoted(name)));
  }
  if (alias.name.empty()) alias.name = name;
  if (alias.name.empty() || alias.name == "\"\"") return Invalid("there is no name before the colon");
  return alias;
}

TwoColumns SplitColumns(std::string_view line) {
  const std::size_t blank = FindUnquoted(line, mail::IsBlank);
  if (blank == std::string_view::npos) return {.key = line, .value = {}};
  return {.key = line.substr(0, blank), .value = mail::Trim(line.substr(blank))};
}

std::string Quoted(std::string_view text) {
  std::string shown = "\"";
  for (const char c : text.substr(0, kShownBytesMax)) shown.push_back(IsControl(c) || c == '\t' ? '?' : c);
  shown += text.size() > kShownBytesMax ? "...\"" : "\"";
  return shown;
}

}  // namespace routing
