#include "mail/entity_walk.h"

#include <algorithm>

#include "mail/ascii.h"

namespace mail {
namespace {

constexpr std::size_t kContentFieldsBytesMax = 64u << 10;

bool IsEncoded(const MimePart& part) {
  return part.transfer_encoding == "base64" || part.transfer_encoding == "quoted-printable";
}

// message/global may be encoded like any part (RFC 6532 §3.7), so it counts as one; message/rfc822 may not.
bool EnclosesMessage(const MimePart& part) {
  return part.type == "message" && part.subtype == "rfc822" && !IsEncoded(part);
}

std::string FindBoundary(const MimePart& part) {
  const auto found = std::ranges::find(part.parameters, "boundary", &Parameters::value_type::first);
  if (!part.IsMultipart() || found == part.parameters.end()) return {};
  std::string boundary = found->second;
  while (!boundary.empty() && IsSpace(boundary.back())) boundary.pop_back();
  return boundary;
}

}  // namespace

LinePiece LineCutter::MakePiece(std::string_view bytes) {
  LinePiece piece{.text = bytes, .line_end = {}, .begins_line = at_line_start_};
  at_line_start_ = bytes.ends_with('\n');
  if (at_line_start_) {
    const std::size_t end = bytes.size() - (bytes.ends_with("\r\n") ? 2 : 1);
    piece.text = bytes.substr(0, end);
    piece.line_end = bytes.substr(end);
  }
  return piece;
}

EntityWalk::EntityWalk(const MimeLimits& limits) : limits_(limits) {
  Open(DefaultType::kTextPlain, true, false);
  entity_.is_root = true;
}

EntityWalk::Place EntityWalk::Take(const LinePiece& piece) {
  // The rest of a long line stands where its beginning stood.
  if (!piece.begins_line) {
    if (place_ == Place::kHeader) TakeHeaderLine(piece);
    return place_;
  }
  place_ = PlaceOf(piece);
  return place_;
}

EntityWalk::Place EntityWalk::PlaceOf(const LinePiece& piece) {
  if (piece.text.starts_with("--") && TakeDelimiter(piece.text)) return Place::kDelimiter;
  if (phase_ == Phase::kEnclosed) Open(DefaultType::kTextPlain, true, entity_.is_signed);
  if (phase_ == Phase::kFiller) return Place::kFiller;
  if (phase_ == Phase::kBody) return Place::kBody;
  if (piece.text.empty()) {
    EndHeader();
    return Place::kHeaderEnd;
  }
  TakeHeaderLine(piece);
  return Place::kHeader;
}

// RFC 2046 §5.1.1; what may stand after a boundary is as in mail/mime.cc.
bool EntityWalk::TakeDelimiter(std::string_view text) {
  if (entities_ >= limits_.parts_max) return false;
  text.remove_prefix(2);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  for (std::size_t level = multiparts_.size(); level-- > 0;) {
    const std::string_view boundary = multiparts_[level].boundary;
    const bool is_closing = text.size() == boundary.size() + 2 && text.ends_with("--") && text.starts_with(boundary);
    if (!is_closing && text != boundary) continue;
    if (is_closing) {
      multiparts_.erase(multiparts_.begin() + static_cast<std::ptrdiff_t>(level), multiparts_.end());
      phase_ = Phase::kFiller;
    } else {
      multiparts_.erase(multiparts_.begin() + static_cast<std::ptrdiff_t>(level) + 1, multiparts_.end());
      depth_ = multiparts_[level].depth;
      Open(multiparts_[level].default_type, false, multiparts_[level].signs);
    }
    return true;
  }
  return false;
}

void EntityWalk::Open(DefaultType default_type, bool is_message, bool is_signed) {
  entity_ = {.index = entities_++, .is_message = is_message, .is_signed = is_signed};
  default_type_ = default_type;
  phase_ = Phase::kHeader;
  content_fields_.clear();
  in_content_field_ = false;
  ++depth_;
}

// Keeps the fields that say what the entity is.
void EntityWalk::TakeHeaderLine(const LinePiece& piece) {
  const bool begins_field = piece.begins_line && !IsBlank(piece.text.front());
  if (begins_field) in_content_field_ = StartsWithIgnoreCase(piece.text, "content-");
  const std::size_t size = piece.text.size() + piece.line_end.size();
  if (!in_content_field_ || content_fields_.size() + size > kContentFieldsBytesMax) return;
  content_fields_ += piece.text;
  content_fields_ += piece.line_end;
}

void EntityWalk::EndHeader() {
  MimePart part;
  ReadContentFields(content_fields_, default_type_, limits_, part);
  entity_.type = part.type;
  entity_.subtype = part.subtype;
  entity_.transfer_encoding = part.transfer_encoding;
  phase_ = Phase::kBody;
  if (depth_ > limits_.depth_max || entities_ >= limits_.parts_max) return;
  const bool signs = entity_.is_signed || (part.IsMultipart() && part.subtype == "signed");
  if (std::string boundary = FindBoundary(part); !boundary.empty()) {
    const auto default_type = part.subtype == "digest" ? DefaultType::kMessage : DefaultType::kTextPlain;
    multiparts_.push_back(
        {.boundary = std::move(boundary), .default_type = default_type, .signs = signs, .depth = depth_});
    phase_ = Phase::kFiller;
  } else if (EnclosesMessage(part)) {
    phase_ = Phase::kEnclosed;
  }
  entity_.has_parts = phase_ != Phase::kBody;
}

}  // namespace mail
