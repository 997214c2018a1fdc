// LIST and LSUB (RFC 3501 §6.3.8) with selection and return options (RFC 5258, RFC 6154 §3).
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "imap/proto/argument_parsers.h"
#include "imap/proto/mailbox_name.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;

struct OptionName {
  std::string_view name;
  std::uint8_t option;
};
// REMOTE asks for what lies on other servers too: there is none.
constexpr std::array<OptionName, 4> kSelections = {{
    {"SUBSCRIBED", List::kSubscribed},
    {"SPECIAL-USE", List::kSpecialUse},
    {"RECURSIVEMATCH", List::kRecursiveMatch},
    {"REMOTE", 0},
}};
// CHILDREN and SPECIAL-USE are told in any case.
constexpr std::array<OptionName, 3> kReturns = {{
    {"SUBSCRIBED", List::kSubscribed},
    {"CHILDREN", 0},
    {"SPECIAL-USE", List::kSpecialUse},
}};

// "(SUBSCRIBED REMOTE)", behind its parenthesis.
template <class Table>
Result<std::uint8_t> ParseOptions(Lexer& in, const Table& known, std::string_view what) {
  std::uint8_t options = 0;
  if (in.Take(')')) return options;
  do {
    ASSIGN_OR_RETURN(const std::string name, in.Word());
    const auto found = std::ranges::find(known, name, &OptionName::name);
    if (found == known.end()) {
      return Error(Errc::kInvalid, fmt::format("unknown LIST {} option {}", what, name.substr(0, 40)));
    }
    options |= found->option;
  } while (in.Take(' '));
  RETURN_IF_ERROR(in.Expect(')'));
  return options;
}

Result<std::string> ParsePattern(Lexer& in) {
  ASSIGN_OR_RETURN(const std::string pattern, in.ListPattern());
  return DecodeMailboxName(pattern);
}

Result<> ParsePatterns(Lexer& in, const ParseLimits& limits, List* list) {
  if (!in.Take('(')) {
    ASSIGN_OR_RETURN(list->patterns.emplace_back(), ParsePattern(in));
    return {};
  }
  list->extended = true;
  do {
    if (list->patterns.size() == limits.list_patterns_max) {
      return Error(Errc::kInvalid, fmt::format("at most {} patterns may be listed at once", limits.list_patterns_max));
    }
    ASSIGN_OR_RETURN(list->patterns.emplace_back(), ParsePattern(in));
  } while (in.Take(' '));
  return in.Expect(')');
}

Result<> ParseReturn(Lexer& in, List* list) {
  if (!in.TakeText(" RETURN")) return {};
  list->extended = true;
  RETURN_IF_ERROR(in.Space());
  RETURN_IF_ERROR(in.Expect('('));
  ASSIGN_OR_RETURN(list->returns, ParseOptions(in, kReturns, "return"));
  return {};
}

}  // namespace

Result<Command> ParseList(Lexer& in, const ParseLimits& limits) {
  List list;
  RETURN_IF_ERROR(in.Space());
  if (in.Take('(')) {
    list.extended = true;
    ASSIGN_OR_RETURN(list.selection, ParseOptions(in, kSelections, "selection"));
    // RFC 5258 §3: it says how another one is to be understood.
    if (list.selection == List::kRecursiveMatch) {
      return Error(Errc::kInvalid, "RECURSIVEMATCH stands beside another selection option");
    }
    RETURN_IF_ERROR(in.Space());
  }
  ASSIGN_OR_RETURN(const std::string reference, in.AString());
  ASSIGN_OR_RETURN(list.reference, DecodeMailboxName(reference));
  RETURN_IF_ERROR(in.Space());
  RETURN_IF_ERROR(ParsePatterns(in, limits, &list));
  RETURN_IF_ERROR(ParseReturn(in, &list));
  return Command(std::move(list));
}

Result<Command> ParseLsub(Lexer& in, const ParseLimits&) {
  List list{.lsub = true};
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(const std::string reference, in.AString());
  ASSIGN_OR_RETURN(list.reference, DecodeMailboxName(reference));
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(list.patterns.emplace_back(), ParsePattern(in));
  return Command(std::move(list));
}

}  // namespace imap
