// The text of tables: logical lines, as aliases(5) and postmap(1) have them, and lists of targets. Pure functions of
// hostile bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace routing {

// Reads logical lines: a line that begins with white space continues the one before it; empty lines, and lines whose
// first character that is no white space is '#', are no lines at all.
class LogicalLines {
 public:
  struct Line {
    std::uint32_t number = 0;  // Of its first line, from 1.
    std::string text;          // Joined by one space each, trimmed; empty when there is a problem.
    std::string problem;       // Why it cannot be read; empty: it can.
  };
  // `text` outlives this.
  LogicalLines(std::string_view text, std::size_t line_bytes_max) : text_(text), line_bytes_max_(line_bytes_max) {}

  // False: there are no more.
  bool Next(Line* line);

 private:
  // The next line that is neither empty nor a remark; false: there is none.
  bool NextPhysical();
  void Append(Line* line) const;

  std::string_view text_;
  std::size_t line_bytes_max_;
  std::size_t position_ = 0;
  std::uint32_t number_ = 0;
  bool has_pending_ = false;  // `pending_` is read and belongs to no logical line yet.
  std::string_view pending_;
};

// Where an entry leads. Stored as one byte: the letters are those of FlatTable's values.
enum class TargetKind : char {
  kAddress = 'a',  // Looked up again.
  kFinal = 'f',    // "\name": a mailbox, not looked up again.
  kDomain = 'd',   // "@domain": the same local part there.
  kInclude = 'i',  // ":include:/path": the lines of a file.
};

struct Target {
  TargetKind kind = TargetKind::kAddress;
  std::string text;  // An address in the form of Address::ToString(), a domain, or a path.

  friend bool operator==(const Target&, const Target&) = default;
};

// What may stand in a list of targets.
struct TargetRules {
  std::string_view default_domain;  // Of names without one; empty: they are refused.
  bool domains = false;             // "@domain".
  bool includes = false;            // ":include:/path".
  std::size_t targets_max = 10'000;
};

// "a, b@example.org, \c". Errors: kInvalid, a sentence that says which target is wrong and what is allowed.
base::Result<std::vector<Target>> ParseTargets(std::string_view text, const TargetRules& rules);

// The targets of a table's value, as PackTargets made it. Packed ones hold no includes.
std::string PackTargets(const std::vector<Target>& targets);
// Calls `visit(kind, text)` for each.
template <class Visit>
void ForEachPacked(std::string_view packed, Visit visit) {
  while (!packed.empty()) {
    const std::size_t end = packed.find('\n');
    visit(static_cast<TargetKind>(packed.front()), packed.substr(1, end - 1));
    packed.remove_prefix(end + 1);
  }
}

// "name: targets" of aliases(5), its name without quotes. Errors: kInvalid.
struct AliasLine {
  std::string name;
  std::string_view targets;
};
base::Result<AliasLine> SplitAlias(std::string_view line);

// "key  value" of virtual(5); the value may be empty. The key ends at the first white space outside of quotes.
struct TwoColumns {
  std::string_view key;
  std::string_view value;
};
TwoColumns SplitColumns(std::string_view line);

// A text of a table in a sentence: short, and safe for a terminal.
std::string Quoted(std::string_view text);

}  // namespace routing
