#include "smtp/server/submission_header.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "mail/address_list.h"
#include "mail/ascii.h"
#include "mail/header.h"

namespace smtp {
namespace {

constexpr std::size_t kAuthorsMax = 100;
constexpr std::string_view kEmptyLine = "\r\n\r\n";

}  // namespace

void SubmissionHeader::Add(std::string_view bytes) {
  // The empty line may have begun in the piece before; a mail without any field begins with it.
  const std::size_t from = bytes_.size() < kEmptyLine.size() ? 0 : bytes_.size() - kEmptyLine.size() + 1;
  bytes_.append(bytes);
  const std::size_t end = bytes_.starts_with("\r\n") ? 0 : bytes_.find(kEmptyLine, from);
  is_whole_ = end != std::string::npos;
  header_bytes_ = std::min(end, bytes_.size());
}

std::string SubmissionHeader::Mend() {
  const std::string bytes = std::exchange(bytes_, {});
  bool has_date = false;
  bool has_message_id = false;
  std::string fields;
  fields.reserve(bytes.size() + 200);
  mail::HeaderReader reader(bytes);
  while (const auto field = reader.Next()) {
    if (mail::EqualsIgnoreCase(field->name, "Bcc") || mail::EqualsIgnoreCase(field->name, "Resent-Bcc")) continue;
    has_date = has_date || mail::EqualsIgnoreCase(field->name, "Date");
    has_message_id = has_message_id || mail::EqualsIgnoreCase(field->name, "Message-ID");
    if (mail::EqualsIgnoreCase(field->name, "From")) ReadAuthors(field->body);
    fields.append(field->raw);
  }
  std::string mended;
  if (!has_date) mended += fmt::format("Date: {}\r\n", missing_.date);
  if (!has_message_id) mended += fmt::format("Message-ID: {}\r\n", missing_.message_id);
  mended.append(fields).append(bytes, reader.position());
  return mended;
}

void SubmissionHeader::ReadAuthors(std::string_view body) {
  for (const mail::ListedAddress& listed : mail::ParseAddressList(body, kAuthorsMax + 1)) {
    if (listed.IsGroupStart() || listed.IsGroupEnd()) continue;
    auto domain = mail::CanonicalDomain(listed.host.value_or(""), {.utf8 = true});
    if (!domain || !listed.mailbox || authors_.size() >= kAuthorsMax) {
      names_authors_ = false;
      return;
    }
    authors_.push_back({.local = *listed.mailbox, .domain = *std::move(domain)});
  }
}

}  // namespace smtp
