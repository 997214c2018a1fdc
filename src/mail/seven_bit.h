// Conversion of a mail to 7 bits, for a next hop that does not offer 8BITMIME (RFC 6152 §3, RFC 2045 §6).
//
// Two readings of the mail: the survey sees in which parts 8-bit bytes are, the writer then encodes these, in
// quoted-printable or base64, whichever is shorter, and says so in their headers. All other bytes stay as they are. The
// decoded content of each part is the same after as before. Memory: a few KiB and one byte a part, whatever the mail.
// Pure functions of hostile bytes.
//
// Not touched: header fields with 8-bit bytes (an old fault that no encoding repairs), and what is signed. Lines of
// more than 998 bytes are wrapped where their part can be encoded, since the mail is changed in any case; a mail
// without 8-bit bytes is never converted for its long lines, which would break signatures (DKIM) where nearly every
// server takes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/entity_walk.h"
#include "mail/transfer_encoder.h"

namespace mail {

// What is done to a part.
enum class Recoding : std::uint8_t {
  kNone,
  kLabel,  // Its bytes are 7-bit already, its header does not say so.
  kQuotedPrintable,
  kBase64,
  kMend,  // It is quoted-printable, with stray 8-bit bytes.
};

struct SevenBitPlan {
  bool header_8bit = false;     // Of the message, a part or an enclosed message.
  bool body_8bit = false;       // Anywhere else.
  std::string_view obstacle;    // Why the body cannot be converted; empty: it can.
  std::vector<Recoding> parts;  // By EntityWalk's index; those that it does not reach are kNone.

  Recoding Of(std::size_t part) const { return part < parts.size() ? parts[part] : Recoding::kNone; }
};

// The first reading.
class SevenBitSurvey {
 public:
  void Add(std::string_view bytes);
  SevenBitPlan Finish();

 private:
  // Of the body of one part.
  struct Census {
    std::uint64_t bytes = 0;
    std::uint64_t high_bytes = 0;
    std::uint64_t escapes = 0;  // Bytes that quoted-printable has to escape.
    std::uint64_t line_bytes = 0;
    std::uint64_t line_bytes_max = 0;
    bool has_nul = false;
  };

  void Take(const LinePiece& piece);
  void Count(const LinePiece& piece);
  void EndBody();
  Recoding Choose();
  void Set(std::size_t part, Recoding recoding);

  LineCutter cutter_;
  EntityWalk walk_;
  bool in_body_ = false;
  EntityWalk::Entity body_of_;
  Census census_;
  SevenBitPlan plan_;
};

// The second reading: the same bytes again. Borrows the plan.
class SevenBitWriter {
 public:
  explicit SevenBitWriter(const SevenBitPlan* plan) : plan_(plan) {}

  // The next bytes, converted; what belongs together is held back.
  std::string Convert(std::string_view bytes);
  // The end of the mail, once.
  std::string Finish();

 private:
  void Take(const LinePiece& piece, std::string& out);
  void TakeHeader(const LinePiece& piece, std::string& out);
  void EndHeader(std::string& out);
  void TakeBody(const LinePiece& piece, std::string& out);
  void EndBody(std::string& out);

  const SevenBitPlan* plan_;
  LineCutter cutter_;
  EntityWalk walk_;

  // Of the header that is being read.
  bool drops_field_ = false;
  bool has_encoding_ = false;
  bool has_mime_version_ = false;
  // Of the body that is being read.
  bool in_body_ = false;
  Recoding recoding_ = Recoding::kNone;
  std::string held_line_end_;  // It may belong to the delimiter that follows (RFC 2046 §5.1.1).
  QuotedPrintableEncoder quoted_printable_;
  QuotedPrintableMender mender_;
  Base64Encoder base64_;
};

}  // namespace mail
