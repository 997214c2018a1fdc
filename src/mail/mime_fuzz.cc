// Hostile messages through everything that reads them: the scanner, sections, ENVELOPE, header fields, text.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/envelope_fields.h"
#include "mail/header.h"
#include "mail/mime_check.h"
#include "mail/section.h"
#include "mail/text.h"

namespace {

using mail::MimePart;
using mail::SectionKind;

void CheckText(std::string_view message, const MimePart& part) {
  CHECK(mail::IsValidUtf8(mail::DecodePartText(message, part)));
  for (const MimePart& child : part.children) CheckText(message, child);
}

void CheckSections(std::string_view message, const MimePart& root) {
  for (const SectionKind kind : {SectionKind::kWhole, SectionKind::kHeader, SectionKind::kHeaderFields,
                                 SectionKind::kHeaderFieldsNot, SectionKind::kText, SectionKind::kMime}) {
    for (const std::vector<std::uint32_t>& path :
         {std::vector<std::uint32_t>{}, {1}, {2}, {1, 1}, {1, 2}, {2, 1}, {1, 1, 1}, {1, 1, 1, 1}}) {
      const auto found = mail::FindSection(message, root, {.path = path, .kind = kind, .fields = {"subject", "to"}});
      if (found) CHECK(found->In(message).size() <= message.size() + 4);
      if (path.empty()) CHECK(found.has_value() == (kind != SectionKind::kMime));
    }
  }
}

void CheckHeader(std::string_view header) {
  std::size_t size = 0;
  mail::HeaderReader reader(header);
  while (const auto field = reader.Next()) {
    CHECK(field->offset == size);
    size += field->raw.size();
    CHECK(mail::IsValidUtf8(mail::DecodeHeaderText(field->body)));
    mail::ParseDate(field->body);
  }
  CHECK(size <= mail::HeaderSize(header));
  for (const mail::ListedAddress& address : mail::ParseEnvelopeFields(header).to) {
    CHECK(!address.name || mail::IsCleanText(*address.name));
    CHECK(!address.adl || mail::IsCleanText(*address.adl));
    CHECK(!address.mailbox || mail::IsCleanText(*address.mailbox));
    CHECK(!address.host || mail::IsCleanText(*address.host));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const MimePart root = mail::ScanMime(message);
  mail::CheckMime(message, root);
  mail::MimeScan scan(message);
  while (scan.Step(1 + size / 7)) {
  }
  CHECK(mail::DescribeMime(scan.Take()) == mail::DescribeMime(root));
  mail::CheckMime(message, mail::ScanMime(message, {.depth_max = 2, .parts_max = 5, .header_bytes_max = 64}));
  CheckHeader(message.substr(0, root.header.size));
  CheckSections(message, root);
  CheckText(message, root);
  const std::string_view needle = message.substr(0, size / 3);
  CHECK(mail::ContainsText(message, needle) || !mail::IsValidUtf8(message) || !mail::IsValidUtf8(needle));
  return 0;
}
