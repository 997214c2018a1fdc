// What must hold of every result of ScanMime, for tests and the fuzz target.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "mail/mime.h"

namespace mail {

inline bool IsCleanText(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// 1. Header and body touch, and lie inside the parent's body.  2. Parts come in order and do not overlap.
// 3. body_lines is what counting gives.  4. Only multipart and message have children.  5. Texts are clean.
inline void CheckMimePart(std::string_view message, const MimePart& part, std::uint64_t begin, std::uint64_t end) {
  CHECK(part.header.offset >= begin);
  CHECK(part.body.offset == part.header.offset + part.header.size);
  CHECK(part.body.offset + part.body.size <= end);
  const std::string_view body = message.substr(part.body.offset, part.body.size);
  const auto breaks = static_cast<std::uint64_t>(std::ranges::count(body, '\n'));
  CHECK(part.body_lines == breaks + (body.empty() || body.ends_with('\n') ? 0 : 1));
  CHECK(!part.type.empty() && !part.subtype.empty() && !part.transfer_encoding.empty());
  CHECK(part.IsMultipart() == (part.type == "multipart"));
  CHECK(part.children.empty() || part.IsMultipart() || part.IsMessage());
  CHECK(!part.IsMultipart() || !part.children.empty());
  CHECK(part.type != "message" || (part.subtype != "rfc822" && part.subtype != "global") || part.children.size() == 1);
  for (const auto& [name, value] : part.parameters) CHECK(!name.empty() && IsCleanText(name) && IsCleanText(value));
  CHECK(IsCleanText(part.content_id) && IsCleanText(part.description) && IsCleanText(part.location));
  std::uint64_t at = part.body.offset;
  for (const MimePart& child : part.children) {
    CheckMimePart(message, child, at, part.body.offset + part.body.size);
    at = child.body.offset + child.body.size;
  }
}

// Where everything lies, to compare two scans.
inline std::string DescribeMime(const MimePart& part) {
  std::string text = "[" + part.type + "/" + part.subtype;
  for (const std::uint64_t number :
       {part.header.offset, part.header.size, part.body.offset, part.body.size, part.body_lines}) {
    text += " " + std::to_string(number);
  }
  for (const MimePart& child : part.children) text += DescribeMime(child);
  return text + "]";
}

inline void CheckMime(std::string_view message, const MimePart& root) {
  CHECK(root.header.offset == 0);
  CHECK(root.header.size + root.body.size == message.size());
  CheckMimePart(message, root, 0, message.size());
}

}  // namespace mail
