// The structure of a message (RFC 5322, RFC 2045-2049) by byte offset, for IMAP's sections and body structure.
//
// A pure function of hostile bytes: depth, parts and header sizes are limited, and what is malformed becomes a plain
// part instead of an error. GMime is used for text (charsets, encoded words), never for offsets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mail {

// A range of bytes of the message.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Names in lower case, in order, each once; RFC 2231 undone. Values are valid UTF-8 without CR, LF and NUL.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// One MIME entity. The offsets count from the first byte of the whole message.
struct MimePart {
  Range header;                  // The header fields with the empty line after them.
  Range body;                    // For the root: everything after the header.
  std::uint64_t body_lines = 0;  // Lines of the body as it is stored (RFC 3501 BODYSTRUCTURE).

  std::string type = "text";      // Lower case.
  std::string subtype = "plain";  // Lower case.
  Parameters parameters;
  std::string content_id;  // As written, with the angle brackets; empty when absent. The same for the next three.
  std::string description;
  std::string transfer_encoding = "7bit";  // Lower case.
  std::string md5;
  std::string disposition;  // Lower case; empty when absent.
  Parameters disposition_parameters;
  std::vector<std::string> languages;
  std::string location;

  // multipart/*: its parts, at least one. message/rfc822 (and message/global): exactly one child, the enclosed message.
  // All other types: none. Where the bytes do not allow that (no boundary, too deep, an encoded message), the type is
  // text/plain in place of multipart, and application/octet-stream in place of message.
  std::vector<MimePart> children;

  bool IsMultipart() const { return type == "multipart"; }
  bool IsMessage() const {
    return type == "message" && (subtype == "rfc822" || subtype == "global") && !children.empty();
  }
};

struct MimeLimits {
  std::uint32_t depth_max = 50;
  std::uint32_t parts_max = 10'000;           // Past it the rest of a multipart is one part's body.
  std::uint32_t parameters_max = 256;         // Of one field, continuations included.
  std::uint32_t header_bytes_max = 1u << 20;  // Of one entity; what follows counts as body.
};

// Scans a whole message. Never fails: a message that is no message is one text/plain part.
MimePart ScanMime(std::string_view message, const MimeLimits& limits = {});

// The same step by step, for a caller that must not compute for long in one go. Borrows the message.
class MimeScan {
 public:
  explicit MimeScan(std::string_view message, const MimeLimits& limits = {});
  ~MimeScan();
  MimeScan(const MimeScan&) = delete;
  MimeScan& operator=(const MimeScan&) = delete;

  // Scans about `bytes` more: whole lines, at least one. False: the end was reached before.
  bool Step(std::size_t bytes);
  // Once, after Step() has said false.
  MimePart Take();

 private:
  class Scanner;
  std::unique_ptr<Scanner> scanner_;
};

}  // namespace mail
