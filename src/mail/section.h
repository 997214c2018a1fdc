// Sections of a message as IMAP's FETCH BODY[...] names them (RFC 3501 §6.4.5). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/mime.h"

namespace mail {

enum class SectionKind {
  kWhole,            // BODY[] or BODY[1.2].
  kHeader,           // BODY[HEADER], of the message or of the enclosed message 1.2.
  kHeaderFields,     // BODY[HEADER.FIELDS (...)].
  kHeaderFieldsNot,  // BODY[HEADER.FIELDS.NOT (...)].
  kText,             // BODY[TEXT].
  kMime,             // BODY[1.2.MIME]: needs a path.
};

struct Section {
  std::vector<std::uint32_t> path{};  // Part numbers, from 1.
  SectionKind kind = SectionKind::kWhole;
  std::vector<std::string> fields{};  // Of kHeaderFields and kHeaderFieldsNot, in any case.
};

// The bytes of a section: a range of the message, or a text built from it.
struct SectionBytes {
  Range range;
  std::optional<std::string> built;  // When set, the range does not count.

  std::string_view In(std::string_view message) const {
    return built ? std::string_view(*built) : message.substr(range.offset, range.size);
  }
};

// Resolves a section against ScanMime's result for the same message. Nothing when the message has no such part, or the
// part no such section: FETCH answers NIL then.
std::optional<SectionBytes> FindSection(std::string_view message, const MimePart& root, const Section& section);

// The part at a path; the root for an empty path. Null when there is none.
const MimePart* FindPart(const MimePart& root, const std::vector<std::uint32_t>& path);

}  // namespace mail
