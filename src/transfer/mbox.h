// mbox: many mails in one file, each behind a line that begins with "From ". Pure functions of hostile bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace transfer {

// How lines of mails that begin with "From " are told from those that part mails.
enum class MboxQuoting : std::uint8_t {
  kMboxrd,  // ">From ", ">>From ", ...: one '>' more than the mail has.
  kMboxo,   // Only ">From ": what the mail had as ">From " cannot be told from it.
  kNone,    // As it stands.
};

// Where a mail lies in the file.
struct MboxPlace {
  std::uint64_t offset = 0;  // Behind its From line.
  std::uint64_t size_bytes = 0;
  std::uint64_t line = 0;  // Of its From line, from 1.
  std::int64_t date_us = 0;
};

// Finds the mails of a file that is fed in pieces, however it is cut. A From line stands at the beginning of the file
// or behind an empty line, and has a date: others are text that was not quoted. The empty line in front belongs to
// neither mail.
class MboxScanner {
 public:
  void Add(std::string_view piece);
  void Finish();
  // What was found since the last call; the last mail only after Finish().
  std::vector<MboxPlace> Take();
  // Whether the file began with something else than a From line.
  bool has_rubbish() const { return has_rubbish_; }

 private:
  void EndLine();
  void EndMail(std::uint64_t at);

  static constexpr std::size_t kLineKept = 512;  // A From line is shorter.
  std::string line_;                             // The beginning of the line at work.
  std::uint64_t line_bytes_ = 0;                 // Of the line at work, its end included.
  std::uint64_t line_count_ = 1;
  std::uint64_t offset_ = 0;       // Of the line at work.
  std::uint64_t blank_bytes_ = 0;  // Of the empty line before it; 0: that one is not empty.
  bool is_first_ = true;
  bool has_rubbish_ = false;
  std::optional<MboxPlace> open_;
  std::vector<MboxPlace> found_;
};

// "From sender Tue Nov 14 22:13:20 2023", with a time zone or without: microseconds since 1970. Empty: no From line.
std::optional<std::int64_t> DateOfFromLine(std::string_view line);
std::string FormatFromLine(std::int64_t date_us);

// A mail as it stands in an mbox, taken apart.
struct MboxMail {
  std::string bytes;  // Without the header fields below, its lines unquoted.
  std::vector<std::string> flags;
  std::uint32_t uid = 0;           // X-UID; 0: none.
  std::string uidl;                // X-UIDL, what qpopper's clients know it by; empty: none that POP3 can say.
  std::uint32_t uid_validity = 0;  // X-IMAPbase or X-IMAP, in the first mail; 0: none.
  std::uint32_t uid_last = 0;
  bool is_pseudo = false;  // X-IMAP: no mail, but where c-client keeps the UIDVALIDITY.
};
MboxMail ParseMboxMail(std::string_view text, MboxQuoting quoting);

// What goes with a mail into an mbox (mboxrd).
struct MboxFields {
  std::vector<std::string> flags;
  std::uint32_t uid = 0;
  std::string uidl;  // Empty: none.
  std::string base;  // The value of X-IMAPbase, in the first mail.
};
// From line, mail with LF, empty line.
std::string FormatMboxMail(std::string_view bytes_with_lf, std::int64_t date_us, const MboxFields& fields);

}  // namespace transfer
