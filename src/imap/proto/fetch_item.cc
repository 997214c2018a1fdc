#include "imap/proto/fetch_item.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "imap/proto/argument_parsers.h"
#include "imap/proto/response.h"

namespace imap {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using mail::Section;
using mail::SectionKind;

struct FieldName {
  std::string_view name;
  FetchField field;
};
constexpr std::array<FieldName, 8> kFields = {{
    {"BODY", FetchField::kBody},
    {"BODYSTRUCTURE", FetchField::kBodyStructure},
    {"ENVELOPE", FetchField::kEnvelope},
    {"FLAGS", FetchField::kFlags},
    {"INTERNALDATE", FetchField::kInternalDate},
    {"RFC822.SIZE", FetchField::kRfc822Size},
    {"UID", FetchField::kUid},
    {"MODSEQ", FetchField::kModseq},
}};

struct KindName {
  std::string_view name;
  SectionKind kind;
};
// Longer names first: TakeText() takes a prefix.
constexpr std::array<KindName, 5> kKinds = {{
    {"HEADER.FIELDS.NOT", SectionKind::kHeaderFieldsNot},
    {"HEADER.FIELDS", SectionKind::kHeaderFields},
    {"HEADER", SectionKind::kHeader},
    {"TEXT", SectionKind::kText},
    {"MIME", SectionKind::kMime},
}};

Result<> ParseFieldNames(Lexer& in, const ParseLimits& limits, Section& section) {
  RETURN_IF_ERROR(in.Space());
  RETURN_IF_ERROR(in.Expect('('));
  do {
    ASSIGN_OR_RETURN(std::string field, in.AString());
    if (section.fields.size() == limits.header_fields_max) {
      return Error(Errc::kInvalid, fmt::format("at most {} header fields may be asked for", limits.header_fields_max));
    }
    section.fields.push_back(std::move(field));
  } while (in.Take(' '));
  return in.Expect(')');
}

// What stands between "[" and "]".
Result<> ParseSection(Lexer& in, const ParseLimits& limits, Section& section) {
  while (in.Peek() >= '0' && in.Peek() <= '9') {
    ASSIGN_OR_RETURN(const std::uint32_t number, in.NonZeroNumber());
    if (section.path.size() == limits.section_depth_max) return Error(Errc::kInvalid, "the section is too deep");
    section.path.push_back(number);
    if (!in.Take('.')) return {};
    if (in.Peek() == ']') return Error(Errc::kInvalid, "the section ends with a dot");
  }
  if (in.Peek() == ']') return {};
  const auto found = std::ranges::find_if(kKinds, [&in](const KindName& k) { return in.TakeText(k.name); });
  if (found == kKinds.end()) return Error(Errc::kInvalid, "unknown section; sections are numbers, HEADER, TEXT, MIME");
  section.kind = found->kind;
  if (section.kind == SectionKind::kMime && section.path.empty()) {
    return Error(Errc::kInvalid, "MIME needs a part number before it");
  }
  if (section.kind == SectionKind::kHeaderFields || section.kind == SectionKind::kHeaderFieldsNot) {
    return ParseFieldNames(in, limits, section);
  }
  return {};
}

Result<FetchSection> ParseBodySection(Lexer& in, const ParseLimits& limits, bool peek) {
  FetchSection item{.peek = peek};
  RETURN_IF_ERROR(ParseSection(in, limits, item.section));
  RETURN_IF_ERROR(in.Expect(']'));
  if (in.Take('<')) {
    FetchSection::Partial partial;
    ASSIGN_OR_RETURN(partial.offset, in.Number());
    RETURN_IF_ERROR(in.Expect('.'));
    ASSIGN_OR_RETURN(partial.size, in.NonZeroNumber());
    RETURN_IF_ERROR(in.Expect('>'));
    item.partial = partial;
  }
  return item;
}

// The item's name with its dots: letters, digits and dots.
Result<std::string> ItemName(Lexer& in) {
  std::string name;
  for (char c = in.Peek(); c != '\0' && c != '[' && IsAtomChar(c); c = in.Peek()) {
    name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
    in.Take(c);
  }
  if (name.empty()) return Error(Errc::kInvalid, "a FETCH item is missing");
  return name;
}

Result<FetchItem> ParseItem(Lexer& in, const ParseLimits& limits) {
  ASSIGN_OR_RETURN(const std::string name, ItemName(in));
  if ((name == "BODY" || name == "BODY.PEEK") && in.Take('[')) {
    ASSIGN_OR_RETURN(FetchSection section, ParseBodySection(in, limits, name == "BODY.PEEK"));
    return FetchItem(std::move(section));
  }
  const auto field = std::ranges::find(kFields, name, &FieldName::name);
  if (field != kFields.end()) return FetchItem(field->field);
  if (name == "RFC822") return FetchItem(FetchSection{.label = name});
  if (name == "RFC822.HEADER")
    return FetchItem(FetchSection{.section = {.kind = SectionKind::kHeader}, .peek = true, .label = name});
  if (name == "RFC822.TEXT") return FetchItem(FetchSection{.section = {.kind = SectionKind::kText}, .label = name});
  return Error(Errc::kInvalid, "unknown FETCH item " + name);
}

// RFC 3501 §6.4.5: the macros stand alone, never in a list.
std::vector<FetchItem> Macro(Lexer& in) {
  std::vector<FetchItem> items = {FetchField::kFlags, FetchField::kInternalDate, FetchField::kRfc822Size};
  if (in.TakeText("FAST")) return items;
  items.emplace_back(FetchField::kEnvelope);
  if (in.TakeText("ALL")) return items;
  items.emplace_back(FetchField::kBody);
  if (in.TakeText("FULL")) return items;
  return {};
}

}  // namespace

Result<std::vector<FetchItem>> ParseFetchItems(Lexer& in, const ParseLimits& limits) {
  std::vector<FetchItem> items = Macro(in);
  if (!items.empty()) return items;
  if (!in.Take('(')) {
    ASSIGN_OR_RETURN(FetchItem item, ParseItem(in, limits));
    items.push_back(std::move(item));
    return items;
  }
  do {
    if (items.size() == limits.fetch_items_max) {
      return Error(Errc::kInvalid, fmt::format("a FETCH may have at most {} items", limits.fetch_items_max));
    }
    ASSIGN_OR_RETURN(FetchItem item, ParseItem(in, limits));
    items.push_back(std::move(item));
  } while (in.Take(' '));
  RETURN_IF_ERROR(in.Expect(')'));
  return items;
}

std::string SectionLabel(const FetchSection& item) {
  if (!item.label.empty()) return item.label;
  const Section& section = item.section;
  std::string out = "BODY[";
  for (const std::uint32_t number : section.path) {
    if (out.back() != '[') out.push_back('.');
    fmt::format_to(std::back_inserter(out), "{}", number);
  }
  if (section.kind != SectionKind::kWhole) {
    if (!section.path.empty()) out.push_back('.');
    out.append(std::ranges::find(kKinds, section.kind, &KindName::kind)->name);
  }
  if (!section.fields.empty()) {
    out.append(" (");
    for (const std::string& field : section.fields) {
      if (out.back() != '(') out.push_back(' ');
      AppendAString(out, field);
    }
    out.push_back(')');
  }
  out.push_back(']');
  if (item.partial.has_value()) fmt::format_to(std::back_inserter(out), "<{}>", item.partial->offset);
  return out;
}

}  // namespace imap
