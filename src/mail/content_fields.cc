#include "mail/content_fields.h"

#include <algorithm>
#include <array>
#include <optional>

#include "mail/ascii.h"
#include "mail/header.h"
#include "mail/lexer.h"
#include "mail/parameters.h"

namespace mail {
namespace {

enum Field { kType, kEncoding, kId, kDescription, kMd5, kDisposition, kLanguage, kLocation, kFieldCount };

constexpr std::string_view kPrefix = "content-";
constexpr std::array<std::string_view, kFieldCount> kNames = {"type", "transfer-encoding", "id",       "description",
                                                              "md5",  "disposition",       "language", "location"};
using Bodies = std::array<std::optional<std::string_view>, kFieldCount>;

Bodies FindContentFields(std::string_view header);
void ReadType(std::string_view body, std::size_t parameters_max, MimePart& part);
void ReadDisposition(std::string_view body, std::size_t parameters_max, MimePart& part);
std::vector<std::string> ReadLanguages(std::string_view body);

}  // namespace

void ReadContentFields(std::string_view header, DefaultType default_type, const MimeLimits& limits, MimePart& part) {
  const Bodies bodies = FindContentFields(header);
  if (bodies[kType]) {
    ReadType(*bodies[kType], limits.parameters_max, part);
  } else if (default_type == DefaultType::kMessage) {
    part.type = "message";
    part.subtype = "rfc822";
  }
  if (bodies[kEncoding]) {
    std::string encoding = ParseParameterized(*bodies[kEncoding], 0).value;
    if (IsMimeToken(encoding)) part.transfer_encoding = std::move(encoding);
  }
  if (bodies[kId]) part.content_id = Unfold(*bodies[kId]);
  if (bodies[kDescription]) part.description = Unfold(*bodies[kDescription]);
  if (bodies[kMd5]) part.md5 = Unfold(*bodies[kMd5]);
  if (bodies[kDisposition]) ReadDisposition(*bodies[kDisposition], limits.parameters_max, part);
  if (bodies[kLanguage]) part.languages = ReadLanguages(*bodies[kLanguage]);
  if (bodies[kLocation]) part.location = Unfold(*bodies[kLocation]);
}

namespace {

Bodies FindContentFields(std::string_view header) {
  Bodies bodies;
  HeaderReader reader(header);
  while (const auto field = reader.Next()) {
    if (!StartsWithIgnoreCase(field->name, kPrefix)) continue;
    const std::string_view name = field->name.substr(kPrefix.size());
    const auto known = std::ranges::find_if(kNames, [&](std::string_view n) { return EqualsIgnoreCase(n, name); });
    if (known == kNames.end()) continue;
    auto& body = bodies[static_cast<std::size_t>(known - kNames.begin())];
    if (!body) body = field->body;
  }
  return bodies;
}

void ReadType(std::string_view body, std::size_t parameters_max, MimePart& part) {
  ParameterizedValue value = ParseParameterized(body, parameters_max);
  const std::string_view text = value.value;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return;
  const std::string_view type = text.substr(0, slash);
  const std::string_view subtype = text.substr(slash + 1);
  if (!IsMimeToken(type) || !IsMimeToken(subtype)) return;
  part.type = type;
  part.subtype = subtype;
  part.parameters = std::move(value.parameters);
}

void ReadDisposition(std::string_view body, std::size_t parameters_max, MimePart& part) {
  ParameterizedValue value = ParseParameterized(body, parameters_max);
  if (!IsMimeToken(value.value)) return;
  part.disposition = std::move(value.value);
  part.disposition_parameters = std::move(value.parameters);
}

std::vector<std::string> ReadLanguages(std::string_view body) {
  std::vector<std::string> languages;
  Lexer lexer(body);
  while (!lexer.AtEnd()) {
    lexer.SkipSpace();
    const std::string_view tag = lexer.TakeWhile([](char c) { return IsAsciiAlnum(c) || c == '-'; });
    if (!tag.empty()) languages.emplace_back(tag);
    lexer.TakeWhile([](char c) { return c != ','; });
    lexer.Accept(',');
  }
  return languages;
}

}  // namespace
}  // namespace mail
