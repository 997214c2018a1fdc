// SEARCH keys (RFC 3501 §6.4.4): a recursive descent whose depth and number of keys are limited.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "imap/proto/argument_parsers.h"
#include "imap/proto/date_time.h"
#include "mail/charset.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using Kind = SearchKey::Kind;

// A key that is a flag or its absence.
struct FlagKey {
  std::string_view name;
  SystemFlag flag;
  bool present;
};
constexpr std::array<FlagKey, 10> kFlagKeys = {{
    {"ANSWERED", kAnswered, true},
    {"UNANSWERED", kAnswered, false},
    {"DELETED", kDeleted, true},
    {"UNDELETED", kDeleted, false},
    {"DRAFT", kDraft, true},
    {"UNDRAFT", kDraft, false},
    {"FLAGGED", kFlagged, true},
    {"UNFLAGGED", kFlagged, false},
    {"SEEN", kSeen, true},
    {"UNSEEN", kSeen, false},
}};

// Keys with one argument and nothing special about them.
struct ArgumentKey {
  std::string_view name;
  Kind kind;
};
constexpr std::array<ArgumentKey, 6> kDateKeys = {{
    {"BEFORE", Kind::kBefore},
    {"ON", Kind::kOn},
    {"SINCE", Kind::kSince},
    {"SENTBEFORE", Kind::kSentBefore},
    {"SENTON", Kind::kSentOn},
    {"SENTSINCE", Kind::kSentSince},
}};
constexpr std::array<ArgumentKey, 2> kSizeKeys = {{{"LARGER", Kind::kLarger}, {"SMALLER", Kind::kSmaller}}};
constexpr std::array<ArgumentKey, 2> kContentKeys = {{{"BODY", Kind::kBody}, {"TEXT", Kind::kText}}};
constexpr std::array<std::string_view, 5> kHeaderKeys = {"BCC", "CC", "FROM", "SUBJECT", "TO"};

template <class Table>
std::optional<Kind> FindKind(const Table& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &ArgumentKey::name);
  if (found == table.end()) return std::nullopt;
  return found->kind;
}

SearchKey Not(SearchKey key) {
  SearchKey negation{.kind = Kind::kNot};
  negation.children.push_back(std::move(key));
  return negation;
}

class SearchParser {
 public:
  SearchParser(Lexer& in, const ParseLimits& limits) : in_(in), limits_(limits) {}

  // One key and those after it, to the end or to ")".
  Result<SearchKey> Keys(std::size_t depth);

 private:
  Result<SearchKey> Key(std::size_t depth);
  Result<SearchKey> SetKey();
  Result<SearchKey> NamedKey(const std::string& name, std::size_t depth);
  Result<std::optional<SearchKey>> WithoutArgument(const std::string& name) const;
  Result<SearchKey> WithArgument(const std::string& name);
  Result<SearchKey> Or(std::size_t depth);
  Result<SearchKey> Keyword(bool present);
  Result<SearchKey> Header();
  Result<SearchKey> Date(Kind kind);
  Result<SearchKey> Modseq();

  Lexer& in_;
  const ParseLimits& limits_;
  std::size_t keys_ = 0;
  std::size_t texts_ = 0;
  std::size_t headers_ = 0;
};

Result<SearchKey> SearchParser::Keys(std::size_t depth) {
  SearchKey all{.kind = Kind::kAnd};
  do {
    if (in_.AtEnd() && !all.children.empty()) break;  // A space at the end of the command.
    ASSIGN_OR_RETURN(SearchKey key, Key(depth));
    all.children.push_back(std::move(key));
  } while (in_.Take(' '));
  return all;
}

Result<SearchKey> SearchParser::Key(std::size_t depth) {
  if (depth > limits_.search_depth_max) return Error(Errc::kInvalid, "the SEARCH is nested too deeply");
  if (++keys_ > limits_.search_keys_max) {
    return Error(Errc::kInvalid, fmt::format("a SEARCH may have at most {} keys", limits_.search_keys_max));
  }
  if (in_.Take('(')) {
    ASSIGN_OR_RETURN(SearchKey keys, Keys(depth + 1));
    RETURN_IF_ERROR(in_.Expect(')'));
    return keys;
  }
  const char next = in_.Peek();
  if ((next >= '0' && next <= '9') || next == '*') return SetKey();
  ASSIGN_OR_RETURN(const std::string name, in_.Word());
  return NamedKey(name, depth);
}

Result<SearchKey> SearchParser::SetKey() {
  ASSIGN_OR_RETURN(const std::string_view text, in_.SetText());
  SearchKey key{.kind = Kind::kSequence};
  ASSIGN_OR_RETURN(key.set, SequenceSet::Parse(text, limits_.set_ranges_max));
  return key;
}

Result<SearchKey> SearchParser::NamedKey(const std::string& name, std::size_t depth) {
  ASSIGN_OR_RETURN(std::optional<SearchKey> plain, WithoutArgument(name));
  if (plain.has_value()) return *std::move(plain);
  if (name == "NOT") {
    RETURN_IF_ERROR(in_.Space());
    ASSIGN_OR_RETURN(SearchKey key, Key(depth + 1));
    return Not(std::move(key));
  }
  if (name == "OR") return Or(depth + 1);
  return WithArgument(name);
}

Result<std::optional<SearchKey>> SearchParser::WithoutArgument(const std::string& name) const {
  const auto flag = std::ranges::find(kFlagKeys, name, &FlagKey::name);
  if (flag != kFlagKeys.end()) {
    SearchKey key{.kind = Kind::kFlag, .flag = flag->flag};
    return flag->present ? std::move(key) : Not(std::move(key));
  }
  if (name == "ALL") return SearchKey{.kind = Kind::kAnd};
  if (name == "RECENT") return SearchKey{.kind = Kind::kRecent};
  if (name == "OLD") return Not(SearchKey{.kind = Kind::kRecent});
  if (name == "NEW") {
    SearchKey both{.kind = Kind::kAnd};
    both.children.push_back(SearchKey{.kind = Kind::kRecent});
    both.children.push_back(Not(SearchKey{.kind = Kind::kFlag, .flag = kSeen}));
    return both;
  }
  return std::optional<SearchKey>();
}

Result<SearchKey> SearchParser::WithArgument(const std::string& name) {
  if (name == "KEYWORD" || name == "UNKEYWORD") return Keyword(name == "KEYWORD");
  if (name == "HEADER") return Header();
  if (name == "MODSEQ") return Modseq();
  if (const auto kind = FindKind(kDateKeys, name)) return Date(*kind);
  SearchKey key;
  if (name == "UID") {
    RETURN_IF_ERROR(in_.Space());
    ASSIGN_OR_RETURN(key, SetKey());
    key.kind = Kind::kUid;
  } else if (const auto size = FindKind(kSizeKeys, name)) {
    RETURN_IF_ERROR(in_.Space());
    key.kind = *size;
    ASSIGN_OR_RETURN(key.number, in_.Number());
  } else if (const auto content = FindKind(kContentKeys, name)) {
    RETURN_IF_ERROR(in_.Space());
    key.kind = *content;
    key.text_index = texts_++;
    ASSIGN_OR_RETURN(key.text, in_.AString());
  } else if (std::ranges::find(kHeaderKeys, name) != kHeaderKeys.end()) {
    RETURN_IF_ERROR(in_.Space());
    key.kind = Kind::kHeader;
    key.text_index = headers_++;
    key.field = name;
    ASSIGN_OR_RETURN(key.text, in_.AString());
  } else {
    return Error(Errc::kInvalid, "unknown SEARCH key " + name.substr(0, 40));
  }
  return key;
}

Result<SearchKey> SearchParser::Or(std::size_t depth) {
  SearchKey either{.kind = Kind::kOr};
  for (int i = 0; i < 2; ++i) {
    RETURN_IF_ERROR(in_.Space());
    ASSIGN_OR_RETURN(SearchKey key, Key(depth));
    either.children.push_back(std::move(key));
  }
  return either;
}

Result<SearchKey> SearchParser::Keyword(bool present) {
  RETURN_IF_ERROR(in_.Space());
  ASSIGN_OR_RETURN(const std::string_view keyword, in_.Atom());
  SearchKey key{.kind = Kind::kKeyword, .text = std::string(keyword)};
  return present ? std::move(key) : Not(std::move(key));
}

Result<SearchKey> SearchParser::Header() {
  SearchKey key{.kind = Kind::kHeader, .text_index = headers_++};
  RETURN_IF_ERROR(in_.Space());
  ASSIGN_OR_RETURN(key.field, in_.AString());
  RETURN_IF_ERROR(in_.Space());
  ASSIGN_OR_RETURN(key.text, in_.AString());
  return key;
}

Result<SearchKey> SearchParser::Date(Kind kind) {
  SearchKey key{.kind = kind};
  RETURN_IF_ERROR(in_.Space());
  ASSIGN_OR_RETURN(const std::string text, in_.AString());
  ASSIGN_OR_RETURN(key.date, ParseDate(text));
  return key;
}

// All flags of a message share one MODSEQ, so that the name of a flag and whose flags are meant make no difference.
Result<SearchKey> SearchParser::Modseq() {
  SearchKey key{.kind = Kind::kModseq};
  RETURN_IF_ERROR(in_.Space());
  if (in_.Peek() == '"') {
    RETURN_IF_ERROR(in_.String());
    RETURN_IF_ERROR(in_.Space());
    ASSIGN_OR_RETURN(const std::string type, in_.Word());
    if (type != "PRIV" && type != "SHARED" && type != "ALL")
      return Error(Errc::kInvalid, "priv, shared or all is missing");
    RETURN_IF_ERROR(in_.Space());
  }
  ASSIGN_OR_RETURN(key.modseq, in_.ModSequence());
  return key;
}

Result<std::string> ParseCharset(Lexer& in) {
  RETURN_IF_ERROR(in.Space());
  ASSIGN_OR_RETURN(std::string charset, in.AString());
  RETURN_IF_ERROR(in.Space());
  return charset;
}

SearchCharset CharsetOf(std::string_view name) {
  if (EqualsIgnoreCase(name, "UTF-8")) return SearchCharset::kUtf8;
  if (EqualsIgnoreCase(name, "US-ASCII") || EqualsIgnoreCase(name, "ASCII")) return SearchCharset::kUsAscii;
  return mail::IsKnownCharset(name) ? SearchCharset::kConverted : SearchCharset::kUnknown;
}

// Keywords, dates and names of fields are ASCII in any charset.
void ConvertTexts(std::string_view charset, SearchKey* key) {
  if (key->kind == Kind::kHeader || key->kind == Kind::kBody || key->kind == Kind::kText) {
    key->text = mail::ToUtf8(key->text, charset);
  }
  for (SearchKey& child : key->children) ConvertTexts(charset, &child);
}

}  // namespace

Result<Search> ParseSearch(Lexer& in, const ParseLimits& limits) {
  Search search;
  std::string charset;
  if (in.TakeText("CHARSET")) {
    ASSIGN_OR_RETURN(charset, ParseCharset(in));
    search.charset = CharsetOf(charset);
  }
  ASSIGN_OR_RETURN(search.key, SearchParser(in, limits).Keys(0));
  if (search.charset == SearchCharset::kConverted) ConvertTexts(charset, &search.key);
  return search;
}

}  // namespace imap
