#include "mail/seven_bit.h"

#include <algorithm>
#include <utility>

#include "mail/ascii.h"

namespace mail {
namespace {

using Place = EntityWalk::Place;

constexpr std::uint64_t kLineBytesMax = 998;  // RFC 5321 §4.5.3.1.6, without CRLF.

// What is said to be in its own bytes (RFC 2045 §6.2).
bool IsIdentity(std::string_view encoding) {
  return encoding == "7bit" || encoding == "8bit" || encoding == "binary";
}

bool SaysMoreThan7Bit(std::string_view encoding) {
  return encoding == "8bit" || encoding == "binary";
}

// RFC 2046 §5.2.2, §5.2.3: these may not be encoded.
bool IsForbiddenToEncode(const EntityWalk::Entity& entity) {
  return entity.type == "message" && (entity.subtype == "partial" || entity.subtype == "external-body");
}

// The field's name, where a field begins here.
std::string_view FieldName(const LinePiece& piece) {
  std::string_view name = piece.text.substr(0, piece.text.find(':'));
  if (name.size() == piece.text.size()) return {};
  while (!name.empty() && IsBlank(name.back())) name.remove_suffix(1);
  return name;
}

std::string_view NameOf(Recoding recoding) {
  switch (recoding) {
    case Recoding::kQuotedPrintable:
    case Recoding::kMend:
      return "quoted-printable";
    case Recoding::kBase64:
      return "base64";
    case Recoding::kNone:
    case Recoding::kLabel:
      break;
  }
  return "7bit";
}

bool Encodes(Recoding recoding) {
  return recoding == Recoding::kQuotedPrintable || recoding == Recoding::kBase64;
}

}  // namespace

// ---- the survey ----

void SevenBitSurvey::Add(std::string_view bytes) {
  cutter_.Add(bytes, [this](const LinePiece& piece) { Take(piece); });
}

SevenBitPlan SevenBitSurvey::Finish() {
  cutter_.Finish([this](const LinePiece& piece) { Take(piece); });
  EndBody();
  return std::move(plan_);
}

void SevenBitSurvey::Take(const LinePiece& piece) {
  const Place place = walk_.Take(piece);
  if (place == Place::kBody) {
    if (!in_body_) body_of_ = walk_.entity();
    in_body_ = true;
    Count(piece);
    return;
  }
  EndBody();
  const EntityWalk::Entity& entity = walk_.entity();
  if (place == Place::kHeaderEnd && entity.has_parts && !entity.is_signed &&
      SaysMoreThan7Bit(entity.transfer_encoding)) {
    Set(entity.index, Recoding::kLabel);
  }
  if (IsAscii(piece.text)) return;
  if (place == Place::kHeader) plan_.header_8bit = true;
  if (place == Place::kHeader) return;
  plan_.body_8bit = true;
  if (place == Place::kDelimiter) plan_.obstacle = "the boundary of its parts is not ASCII";
  if (entity.is_signed) plan_.obstacle = "a part with 8-bit bytes is signed";
}

void SevenBitSurvey::Count(const LinePiece& piece) {
  if (piece.begins_line) census_.line_bytes = 0;
  census_.line_bytes += piece.text.size();
  census_.line_bytes_max = std::max(census_.line_bytes_max, census_.line_bytes);
  census_.bytes += piece.text.size() + piece.line_end.size();
  for (const char c : piece.text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) ++census_.high_bytes;
    if ((byte < ' ' && c != '\t') || c == '=' || byte >= 0x7f) ++census_.escapes;
    if (c == '\0') census_.has_nul = true;
  }
}

void SevenBitSurvey::EndBody() {
  if (!in_body_) return;
  if (census_.high_bytes > 0) plan_.body_8bit = true;
  Set(body_of_.index, Choose());
  in_body_ = false;
  census_ = {};
}

Recoding SevenBitSurvey::Choose() {
  const std::string_view encoding = body_of_.transfer_encoding;
  const bool is_8bit = census_.high_bytes > 0;
  if (body_of_.is_signed) {
    if (is_8bit) plan_.obstacle = "a part with 8-bit bytes is signed";
    return Recoding::kNone;
  }
  if (!IsIdentity(encoding)) {
    if (is_8bit && encoding == "quoted-printable") return Recoding::kMend;
    if (is_8bit) plan_.obstacle = "a part with 8-bit bytes says that it is encoded";
    return Recoding::kNone;
  }
  const bool is_unfit = is_8bit || census_.has_nul || census_.line_bytes_max > kLineBytesMax;
  if (is_unfit && !IsForbiddenToEncode(body_of_)) {
    // Quoted-printable makes three bytes of one that it escapes, base64 makes 78 of each 57.
    const std::uint64_t quoted = census_.bytes + 2 * census_.escapes;
    return quoted * 57 > census_.bytes * 78 ? Recoding::kBase64 : Recoding::kQuotedPrintable;
  }
  if (is_8bit) plan_.obstacle = "a part with 8-bit bytes may not be encoded";
  return SaysMoreThan7Bit(encoding) && !is_8bit ? Recoding::kLabel : Recoding::kNone;
}

void SevenBitSurvey::Set(std::size_t part, Recoding recoding) {
  if (recoding == Recoding::kNone) return;
  if (plan_.parts.size() <= part) plan_.parts.resize(part + 1, Recoding::kNone);
  plan_.parts[part] = recoding;
}

// ---- the writer ----

std::string SevenBitWriter::Convert(std::string_view bytes) {
  std::string out;
  cutter_.Add(bytes, [&](const LinePiece& piece) { Take(piece, out); });
  return out;
}

std::string SevenBitWriter::Finish() {
  std::string out;
  cutter_.Finish([&](const LinePiece& piece) { Take(piece, out); });
  // No delimiter follows: the last line end is the body's.
  if (in_body_ && recoding_ == Recoding::kBase64) base64_.Append(held_line_end_, out);
  held_line_end_.clear();
  EndBody(out);
  return out;
}

void SevenBitWriter::Take(const LinePiece& piece, std::string& out) {
  const Place place = walk_.Take(piece);
  if (place == Place::kBody) return TakeBody(piece, out);
  EndBody(out);
  if (place == Place::kHeader) return TakeHeader(piece, out);
  if (place == Place::kHeaderEnd) EndHeader(out);
  // By an empty line or a delimiter: a header ends.
  drops_field_ = has_encoding_ = has_mime_version_ = false;
  const std::size_t begin = out.size();
  out += piece.text;
  out += piece.line_end;
  if (place != Place::kFiller) return;
  for (std::size_t i = begin; i < out.size(); ++i) {
    if (IsHighByte(out[i])) out[i] = '?';
  }
}

void SevenBitWriter::TakeHeader(const LinePiece& piece, std::string& out) {
  const Recoding recoding = plan_->Of(walk_.entity().index);
  if (piece.begins_line && !IsBlank(piece.text.front())) {
    const std::string_view name = FieldName(piece);
    if (EqualsIgnoreCase(name, "MIME-Version")) has_mime_version_ = true;
    drops_field_ = recoding != Recoding::kNone && EqualsIgnoreCase(name, "Content-Transfer-Encoding");
    if (drops_field_ && !std::exchange(has_encoding_, true)) {
      out += "Content-Transfer-Encoding: ";
      out += NameOf(recoding);
      out += "\r\n";
    }
  }
  if (drops_field_) return;
  out += piece.text;
  out += piece.line_end;
}

void SevenBitWriter::EndHeader(std::string& out) {
  const EntityWalk::Entity& entity = walk_.entity();
  const Recoding recoding = plan_->Of(entity.index);
  // Without it the encoding of a part means nothing (RFC 2045 §4).
  const bool needs_version =
      entity.is_root ? std::ranges::any_of(plan_->parts, Encodes) : entity.is_message && Encodes(recoding);
  if (needs_version && !has_mime_version_) out += "MIME-Version: 1.0\r\n";
  if (Encodes(recoding) && !has_encoding_) {
    out += "Content-Transfer-Encoding: ";
    out += NameOf(recoding);
    out += "\r\n";
  }
}

void SevenBitWriter::TakeBody(const LinePiece& piece, std::string& out) {
  if (!std::exchange(in_body_, true)) recoding_ = plan_->Of(walk_.entity().index);
  switch (recoding_) {
    case Recoding::kNone:
    case Recoding::kLabel:
      out += piece.text;
      out += piece.line_end;
      break;
    case Recoding::kQuotedPrintable:
      quoted_printable_.Append(piece.text, piece.line_end, out);
      break;
    case Recoding::kMend:
      mender_.Append(piece.text, piece.line_end, out);
      break;
    case Recoding::kBase64:
      base64_.Append(held_line_end_, out);
      base64_.Append(piece.text, out);
      held_line_end_ = piece.line_end;
      break;
  }
}

void SevenBitWriter::EndBody(std::string& out) {
  if (!std::exchange(in_body_, false)) return;
  quoted_printable_.Finish(out);
  base64_.Finish(out);
  held_line_end_.clear();
  quoted_printable_ = {};
  mender_ = {};
}

}  // namespace mail
