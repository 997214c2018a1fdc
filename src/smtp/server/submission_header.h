// SubmissionHeader: the header of a mail that one of our users sends, held back until it is whole, then mended (RFC
// 6409 §8). Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address.h"

namespace smtp {

// What a mail gets that has none of its own.
struct MissingFields {
  std::string date;        // As mail::FormatDate has it.
  std::string message_id;  // With its angle brackets.
};

// Fed a mail from its first byte, however it is cut, with CRLF line ends. Memory: the header, and the piece of the body
// that came with its end.
class SubmissionHeader {
 public:
  // A mail to a thousand recipients names them all in its header.
  static constexpr std::size_t kBytesMax = 256u << 10;

  explicit SubmissionHeader(MissingFields missing) : missing_(std::move(missing)) {}

  void Add(std::string_view bytes);
  // The empty line has come: Mend() now. A mail without one is all header: Mend() at its end.
  bool is_whole() const { return is_whole_; }
  // The header is longer than kBytesMax; nothing more is taken.
  bool is_too_long() const { return header_bytes_ > kBytesMax; }

  // All bytes so far, with what was missing before them, and without Bcc and Resent-Bcc (RFC 5322 §3.6.3). Once.
  std::string Mend();

  // Whom the mail says it is from, in all From fields; after Mend().
  const std::vector<mail::Address>& authors() const { return authors_; }
  // There is a From field, and it names addresses only.
  bool names_authors() const { return names_authors_ && !authors_.empty(); }

 private:
  void ReadAuthors(std::string_view body);

  MissingFields missing_;
  std::string bytes_;
  std::size_t header_bytes_ = 0;  // Of `bytes_`, as far as the header has come.
  bool is_whole_ = false;
  bool names_authors_ = true;
  std::vector<mail::Address> authors_;
};

}  // namespace smtp
