#include "imap/proto/body_structure.h"

#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "imap/proto/response.h"

namespace imap {
namespace {

// NIL for what is absent; what is there but empty is an empty string.
void AppendOptional(std::string& out, const std::optional<std::string>& text) {
  if (text.has_value()) {
    AppendString(out, *text);
  } else {
    out.append("NIL");
  }
}

void AppendAddresses(std::string& out, const std::vector<mail::ListedAddress>& addresses) {
  if (addresses.empty()) {
    out.append("NIL");
    return;
  }
  out.push_back('(');
  for (const mail::ListedAddress& address : addresses) {
    out.push_back('(');
    AppendOptional(out, address.name);
    out.push_back(' ');
    AppendOptional(out, address.adl);
    out.push_back(' ');
    AppendOptional(out, address.mailbox);
    out.push_back(' ');
    AppendOptional(out, address.host);
    out.push_back(')');
  }
  out.push_back(')');
}

void AppendParameters(std::string& out, const mail::Parameters& parameters) {
  if (parameters.empty()) {
    out.append("NIL");
    return;
  }
  out.push_back('(');
  for (const auto& [name, value] : parameters) {
    if (out.back() != '(') out.push_back(' ');
    AppendString(out, name);
    out.push_back(' ');
    AppendString(out, value);
  }
  out.push_back(')');
}

// body-fld-dsp, body-fld-lang and body-fld-loc: the common end of the extension data.
void AppendExtensions(std::string& out, const mail::MimePart& part) {
  if (part.disposition.empty()) {
    out.append(" NIL ");
  } else {
    out.append(" (");
    AppendString(out, part.disposition);
    out.push_back(' ');
    AppendParameters(out, part.disposition_parameters);
    out.append(") ");
  }
  if (part.languages.empty()) {
    out.append("NIL");
  } else {
    out.push_back('(');
    for (const std::string& language : part.languages) {
      if (out.back() != '(') out.push_back(' ');
      AppendString(out, language);
    }
    out.push_back(')');
  }
  out.push_back(' ');
  AppendNString(out, part.location);
}

// body-type-msg is for message/rfc822 alone; a message/rfc822 that was not taken apart (the depth is limited) has no
// envelope to show and is called what it then is: bytes.
bool IsCalledMessage(const mail::MimePart& part) {
  return part.type == "message" && part.subtype == "rfc822";
}
bool IsTakenApart(const mail::MimePart& part) {
  return IsCalledMessage(part) && !part.children.empty();
}

// The part up to where its children stand.
void BeginPart(std::string& out, const mail::MimePart& part, const EnvelopeSource& envelope_of) {
  out.push_back('(');
  if (part.IsMultipart()) return;
  const bool is_bytes = IsCalledMessage(part) && !IsTakenApart(part);
  AppendString(out, is_bytes ? "application" : part.type);
  out.push_back(' ');
  AppendString(out, is_bytes ? "octet-stream" : part.subtype);
  out.push_back(' ');
  AppendParameters(out, part.parameters);
  out.push_back(' ');
  AppendNString(out, part.content_id);
  out.push_back(' ');
  AppendNString(out, part.description);
  out.push_back(' ');
  AppendString(out, part.transfer_encoding);
  fmt::format_to(std::back_inserter(out), " {}", part.body.size);
  if (!IsTakenApart(part)) return;
  out.push_back(' ');
  AppendEnvelope(out, envelope_of(part.children.front()));
  out.push_back(' ');
}

void EndPart(std::string& out, const mail::MimePart& part, bool extended) {
  if (part.IsMultipart()) {
    out.push_back(' ');
    AppendString(out, part.subtype);
  } else if (IsTakenApart(part) || part.type == "text") {
    fmt::format_to(std::back_inserter(out), " {}", part.body_lines);
  }
  if (extended) {
    out.push_back(' ');
    if (part.IsMultipart()) {
      AppendParameters(out, part.parameters);
    } else {
      AppendNString(out, part.md5);
    }
    AppendExtensions(out, part);
  }
  out.push_back(')');
}

// Those that are shown between a part's beginning and its end.
std::size_t ShownChildren(const mail::MimePart& part) {
  return part.IsMultipart() || IsTakenApart(part) ? part.children.size() : 0;
}

}  // namespace

void AppendEnvelope(std::string& out, const mail::EnvelopeFields& envelope) {
  out.push_back('(');
  AppendOptional(out, envelope.date);
  out.push_back(' ');
  AppendOptional(out, envelope.subject);
  for (const auto* list :
       {&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc}) {
    out.push_back(' ');
    AppendAddresses(out, *list);
  }
  out.push_back(' ');
  AppendOptional(out, envelope.in_reply_to);
  out.push_back(' ');
  AppendOptional(out, envelope.message_id);
  out.push_back(')');
}

void AppendBodyStructure(std::string& out, const mail::MimePart& part, bool extended,
                         const EnvelopeSource& envelope_of) {
  BodyStructureWriter writer(&part, extended, envelope_of);
  while (writer.Step(out)) {
  }
}

BodyStructureWriter::BodyStructureWriter(const mail::MimePart* root, bool extended, EnvelopeSource envelope_of)
    : extended_(extended), envelope_of_(std::move(envelope_of)) {
  open_.push_back({.part = root});
}

bool BodyStructureWriter::Step(std::string& out) {
  Open& open = open_.back();
  const mail::MimePart& part = *open.part;
  if (open.children_shown == 0) {
    BeginPart(out, part, envelope_of_);
    // The grammar wants at least one part.
    if (part.IsMultipart() && part.children.empty())
      AppendBodyStructure(out, mail::MimePart(), extended_, envelope_of_);
  }
  if (open.children_shown < ShownChildren(part)) {
    open_.push_back({.part = &part.children[open.children_shown++]});
    return true;
  }
  EndPart(out, part, extended_);
  open_.pop_back();
  return !open_.empty();
}

}  // namespace imap
