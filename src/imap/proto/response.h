// What the server says (RFC 3501 §7), as text ready to be sent.
//
// The Append... calls add to a buffer the caller sends; the others return whole lines with their CRLF. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "imap/proto/command.h"

namespace imap {

// A quoted string where the text allows it, else a literal. NUL, which no string of IMAP can carry, is left out.
void AppendString(std::string& out, std::string_view text);
// NIL for an empty text.
void AppendNString(std::string& out, std::string_view text);
// Without quotes where the text is made of atom characters.
void AppendAString(std::string& out, std::string_view text);
// A mailbox name (UTF-8) in its wire form.
void AppendMailbox(std::string& out, std::string_view name);
// "{123}\r\n"; the bytes follow.
void AppendLiteralMark(std::string& out, std::uint64_t size_bytes);

// Response codes, without their brackets (RFC 3501 §7.1, RFC 4315 §3, RFC 5530).
inline constexpr std::string_view kCodeAlert = "ALERT";
inline constexpr std::string_view kCodeAlreadyExists = "ALREADYEXISTS";
inline constexpr std::string_view kCodeAuthenticationFailed = "AUTHENTICATIONFAILED";
inline constexpr std::string_view kCodeBadCharset = "BADCHARSET (US-ASCII UTF-8)";
inline constexpr std::string_view kCodeCannot = "CANNOT";
inline constexpr std::string_view kCodeExpungeIssued = "EXPUNGEISSUED";
inline constexpr std::string_view kCodeCorruption = "CORRUPTION";
inline constexpr std::string_view kCodeLimit = "LIMIT";
inline constexpr std::string_view kCodeNonExistent = "NONEXISTENT";
inline constexpr std::string_view kCodeNoPermission = "NOPERM";
inline constexpr std::string_view kCodeOverQuota = "OVERQUOTA";
inline constexpr std::string_view kCodePrivacyRequired = "PRIVACYREQUIRED";
inline constexpr std::string_view kCodeReadOnly = "READ-ONLY";
inline constexpr std::string_view kCodeReadWrite = "READ-WRITE";
inline constexpr std::string_view kCodeServerBug = "SERVERBUG";
inline constexpr std::string_view kCodeTryCreate = "TRYCREATE";
inline constexpr std::string_view kCodeUnavailable = "UNAVAILABLE";
std::string CodeUidValidity(std::uint32_t uid_validity);
std::string CodeUidNext(std::uint32_t uid_next);
std::string CodeHighestModseq(std::uint64_t modseq);
// What a conditional STORE left as it is: numbers or UIDs, as the command had them.
std::string CodeModified(std::span<const std::uint32_t> numbers);
std::string CodeUnseen(std::uint32_t sequence);
// `new_keywords`: \* is added, clients may make keywords.
std::string CodePermanentFlags(const FlagSet& flags, bool new_keywords);
std::string CodeAppendUid(std::uint32_t uid_validity, std::uint32_t uid);
// The two lists correspond by position.
std::string CodeCopyUid(std::uint32_t uid_validity, std::span<const std::uint32_t> from,
                        std::span<const std::uint32_t> to);

enum class Condition { kOk, kNo, kBad, kBye };
// "a1 NO [TRYCREATE] there is no such mailbox": `tag` is "*" for an untagged one, `code` may be empty. Control
// characters in `text` become spaces, bytes past ASCII '?'.
std::string StatusLine(std::string_view tag, Condition condition, std::string_view code, std::string_view text);

// "+ text".
std::string ContinuationLine(std::string_view text);
std::string CapabilityLine(std::string_view capabilities);
// "* 5 EXISTS".
std::string CountLine(std::uint32_t number, std::string_view what);
std::string FlagsLine(const FlagSet& flags);
// `attributes` stands in the parentheses: "\HasNoChildren". A null delimiter ('\0') is NIL. `extended` follows the
// name:
// "("CHILDINFO" ("SUBSCRIBED"))".
std::string ListLine(bool lsub, std::string_view attributes, char delimiter, std::string_view mailbox,
                     std::string_view extended = {});

struct MailboxCounts {
  std::uint32_t messages = 0;
  std::uint32_t recent = 0;
  std::uint32_t uid_next = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t unseen = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t highest_modseq = 0;
  std::uint64_t deleted = 0;
  std::uint64_t deleted_bytes = 0;
};
std::string MailboxStatusLine(std::string_view mailbox, std::span<const StatusItem> items, const MailboxCounts& counts);

// A limit of a quota root (RFC 9208 §5).
struct QuotaResource {
  std::string_view name;  // "STORAGE", counted in 1,024 bytes, or "MESSAGE".
  std::uint64_t used = 0;
  std::uint64_t limit = 0;
};
std::string QuotaLine(std::string_view root, std::span<const QuotaResource> resources);
// The roots of a mailbox: one or none.
std::string QuotaRootLine(std::string_view mailbox, std::span<const std::string_view> roots);

// Builds one "* 5 FETCH (...)" in a buffer, item after item. The content of a section may be sent apart: Name(),
// AppendLiteralMark(), then so many bytes, then the next item.
class FetchLine {
 public:
  FetchLine(std::string& out, std::uint32_t sequence);

  void Uid(std::uint32_t uid);
  void Flags(const FlagSet& flags, bool recent);
  void Modseq(std::uint64_t modseq);
  void InternalDate(std::chrono::sys_seconds date);
  void Size(std::uint64_t size_bytes);
  // The item's name and a space; the caller appends the value to the buffer ("ENVELOPE", "BODY[TEXT]").
  void Name(std::string_view name);
  void End();

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace imap
