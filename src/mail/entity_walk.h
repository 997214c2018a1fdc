// EntityWalk: where in the MIME structure of a message each of its lines stands, for a message that comes in pieces.
//
// The rules are those of mail/mime.h, which needs the whole message in memory and gives offsets. This one forgets what
// it has passed: a message of any size takes a few KiB. Pure, of hostile bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/content_fields.h"
#include "mail/mime.h"

namespace mail {

// A line, or a part of one that is very long.
struct LinePiece {
  std::string_view text;      // Without the line end.
  std::string_view line_end;  // CRLF or LF; empty: the line goes on, or the message ends.
  bool begins_line = true;
};

// Cuts a message that comes in any pieces into lines. The cuts are the same however the message was cut.
class LineCutter {
 public:
  static constexpr std::size_t kPieceBytesMax = 8u << 10;

  // Calls take(LinePiece) for each piece of a line that is complete.
  template <class Take>
  void Add(std::string_view bytes, Take take) {
    while (!bytes.empty()) {
      const std::string_view line = bytes.substr(0, kPieceBytesMax - held_.size());
      const std::size_t line_feed = line.find('\n');
      const bool is_whole = line_feed != std::string_view::npos;
      const std::string_view part = is_whole ? line.substr(0, line_feed + 1) : line;
      bytes.remove_prefix(part.size());
      if (is_whole && held_.empty()) {
        take(MakePiece(part));
        continue;
      }
      held_ += part;
      if (!is_whole && held_.size() < kPieceBytesMax) continue;
      // A CR may belong to the LF that follows.
      const std::size_t kept = !is_whole && held_.ends_with('\r') ? 1 : 0;
      take(MakePiece(std::string_view(held_).substr(0, held_.size() - kept)));
      held_.erase(0, held_.size() - kept);
    }
  }
  // The last line, where it has no end. Once.
  template <class Take>
  void Finish(Take take) {
    if (!held_.empty()) take(MakePiece(held_));
    held_.clear();
  }

 private:
  LinePiece MakePiece(std::string_view bytes);

  std::string held_;
  bool at_line_start_ = true;
};

class EntityWalk {
 public:
  // Of an entity, known from the end of its header on; before that only index and the three flags count.
  struct Entity {
    std::size_t index = 0;    // From 0, in the order of their headers.
    bool is_root = false;     // The message itself.
    bool is_message = false;  // The message, or one enclosed in it.
    bool is_signed = false;   // Inside a multipart/signed: not a byte may change (RFC 1847 §2.1).
    bool has_parts = false;   // Multipart, or encloses a message.
    std::string type;
    std::string subtype;
    std::string transfer_encoding;
  };
  enum class Place : std::uint8_t {
    kHeader,
    kHeaderEnd,  // The empty line.
    kBody,       // Of an entity without parts.
    kDelimiter,
    kFiller,  // Before the first and after the last delimiter of a multipart: for nobody's eyes.
  };

  explicit EntityWalk(const MimeLimits& limits = {});

  // Where this piece of a line stands. Pieces come in order.
  Place Take(const LinePiece& piece);
  // Whose the last piece was; of what is around parts, the multipart or the part before it.
  const Entity& entity() const { return entity_; }

 private:
  enum class Phase : std::uint8_t { kHeader, kFiller, kBody, kEnclosed };
  // An open multipart.
  struct Multipart {
    std::string boundary;
    DefaultType default_type;
    bool signs;         // It, or one around it.
    std::size_t depth;  // Of its entity.
  };

  Place PlaceOf(const LinePiece& piece);
  bool TakeDelimiter(std::string_view text);
  void Open(DefaultType default_type, bool is_message, bool is_signed);
  void TakeHeaderLine(const LinePiece& piece);
  void EndHeader();

  MimeLimits limits_;
  std::vector<Multipart> multiparts_;  // The innermost last.
  std::size_t depth_ = 0;              // Of entity_; the root's is 1.
  std::size_t entities_ = 0;
  Phase phase_ = Phase::kHeader;
  Place place_ = Place::kHeader;
  Entity entity_;
  DefaultType default_type_ = DefaultType::kTextPlain;
  std::string content_fields_;  // Of the header that is being read.
  bool in_content_field_ = false;
};

}  // namespace mail
