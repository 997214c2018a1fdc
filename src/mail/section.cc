#include "mail/section.h"

#include <algorithm>

#include "mail/ascii.h"
#include "mail/header.h"

namespace mail {
namespace {

enum class Keep { kListed, kOthers };

// The fields that are (or are not) in the list, and the empty line.
std::string SelectFields(std::string_view header, const std::vector<std::string>& fields, Keep keep);

}  // namespace

std::optional<SectionBytes> FindSection(std::string_view message, const MimePart& root, const Section& section) {
  const MimePart* part = FindPart(root, section.path);
  if (part == nullptr) return std::nullopt;
  const bool is_root = section.path.empty();
  if (section.kind == SectionKind::kWhole) {
    return SectionBytes{.range = is_root ? Range{.offset = 0, .size = message.size()} : part->body, .built = {}};
  }
  if (section.kind == SectionKind::kMime) {
    if (is_root) return std::nullopt;
    return SectionBytes{.range = part->header, .built = {}};
  }
  // HEADER and TEXT are those of a message: the whole one, or the one that part 1.2 encloses.
  if (!is_root && !part->IsMessage()) return std::nullopt;
  const MimePart& enclosed = is_root ? root : part->children.front();
  if (section.kind == SectionKind::kHeader) return SectionBytes{.range = enclosed.header, .built = {}};
  if (section.kind == SectionKind::kText) return SectionBytes{.range = enclosed.body, .built = {}};
  const Keep keep = section.kind == SectionKind::kHeaderFields ? Keep::kListed : Keep::kOthers;
  const std::string_view header = message.substr(enclosed.header.offset, enclosed.header.size);
  return SectionBytes{.range = {}, .built = SelectFields(header, section.fields, keep)};
}

const MimePart* FindPart(const MimePart& root, const std::vector<std::uint32_t>& path) {
  const MimePart* part = &root;
  bool is_root = true;
  for (const std::uint32_t number : path) {
    // RFC 3501 §6.4.5: the numbers below a message/rfc822 part count the parts of the enclosed message.
    const MimePart* container = part;
    if (!is_root && part->IsMessage()) {
      container = &part->children.front();
    } else if (!is_root && !part->IsMultipart()) {
      return nullptr;
    }
    is_root = false;
    if (!container->IsMultipart()) {
      // A message that is not multipart has one part, its body.
      if (number != 1) return nullptr;
      part = container;
    } else {
      if (number == 0 || number > container->children.size()) return nullptr;
      part = &container->children[number - 1];
    }
  }
  return part;
}

namespace {

std::string SelectFields(std::string_view header, const std::vector<std::string>& fields, Keep keep) {
  std::vector<std::string> names;
  names.reserve(fields.size());
  for (const std::string& field : fields) names.push_back(LowerAscii(field));
  std::ranges::sort(names);

  std::string text;
  HeaderReader reader(header);
  while (const auto field = reader.Next()) {
    const bool is_listed = !field->name.empty() && std::ranges::binary_search(names, LowerAscii(field->name));
    if (is_listed != (keep == Keep::kListed)) continue;
    text.append(field->raw);
    if (!field->raw.ends_with('\n')) text.append("\r\n");
  }
  text.append("\r\n");
  return text;
}

}  // namespace
}  // namespace mail
