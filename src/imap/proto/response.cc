#include "imap/proto/response.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "imap/proto/date_time.h"
#include "imap/proto/lexer.h"
#include "imap/proto/mailbox_name.h"

namespace imap {
namespace {

constexpr std::size_t kQuotedBytesMax = 1024;  // Longer ones go as literals: some clients read quoted strings by line.

bool FitsQuoted(std::string_view text) {
  return text.size() <= kQuotedBytesMax && std::ranges::all_of(text, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < 0x80 && byte != '\r' && byte != '\n' && byte != '\0';
         });
}

void AppendQuoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

std::string_view ToString(Condition condition) {
  switch (condition) {
    case Condition::kOk:
      return "OK";
    case Condition::kNo:
      return "NO";
    case Condition::kBad:
      return "BAD";
    case Condition::kBye:
      return "BYE";
  }
  return "BAD";
}

}  // namespace

void AppendString(std::string& out, std::string_view text) {
  if (FitsQuoted(text)) return AppendQuoted(out, text);
  const auto nuls = static_cast<std::size_t>(std::ranges::count(text, '\0'));
  AppendLiteralMark(out, text.size() - nuls);
  std::ranges::copy_if(text, std::back_inserter(out), [](char c) { return c != '\0'; });
}

void AppendNString(std::string& out, std::string_view text) {
  if (text.empty()) {
    out.append("NIL");
  } else {
    AppendString(out, text);
  }
}

void AppendAString(std::string& out, std::string_view text) {
  const bool atom = !text.empty() && std::ranges::all_of(text, IsAtomChar);
  // An atom NIL would be read as no string at all.
  if (atom && !EqualsIgnoreCase(text, "NIL")) {
    out.append(text);
  } else {
    AppendString(out, text);
  }
}

void AppendMailbox(std::string& out, std::string_view name) {
  AppendAString(out, EncodeMailboxName(name));
}

void AppendLiteralMark(std::string& out, std::uint64_t size_bytes) {
  fmt::format_to(std::back_inserter(out), "{{{}}}\r\n", size_bytes);
}

std::string CodeUidValidity(std::uint32_t uid_validity) {
  return fmt::format("UIDVALIDITY {}", uid_validity);
}

std::string CodeUidNext(std::uint32_t uid_next) {
  return fmt::format("UIDNEXT {}", uid_next);
}

std::string CodeHighestModseq(std::uint64_t modseq) {
  return fmt::format("HIGHESTMODSEQ {}", modseq);
}

std::string CodeModified(std::span<const std::uint32_t> numbers) {
  return "MODIFIED " + FormatNumbers(numbers);
}

std::string CodeUnseen(std::uint32_t sequence) {
  return fmt::format("UNSEEN {}", sequence);
}

std::string CodePermanentFlags(const FlagSet& flags, bool new_keywords) {
  std::string out = "PERMANENTFLAGS ";
  AppendFlags(out, flags, false);
  if (!new_keywords) return out;
  out.pop_back();
  out.append(out.ends_with('(') ? "\\*)" : " \\*)");
  return out;
}

std::string CodeAppendUid(std::uint32_t uid_validity, std::uint32_t uid) {
  return fmt::format("APPENDUID {} {}", uid_validity, uid);
}

std::string CodeCopyUid(std::uint32_t uid_validity, std::span<const std::uint32_t> from,
                        std::span<const std::uint32_t> to) {
  return fmt::format("COPYUID {} {} {}", uid_validity, FormatNumbers(from), FormatNumbers(to));
}

std::string StatusLine(std::string_view tag, Condition condition, std::string_view code, std::string_view text) {
  std::string out = fmt::format("{} {} ", tag, ToString(condition));
  if (!code.empty()) fmt::format_to(std::back_inserter(out), "[{}] ", code);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(byte < 0x20 || byte == 0x7f ? ' ' : byte >= 0x80 ? '?' : c);
  }
  out.append("\r\n");
  return out;
}

std::string ContinuationLine(std::string_view text) {
  return fmt::format("+ {}\r\n", text);
}

std::string CapabilityLine(std::string_view capabilities) {
  return fmt::format("* CAPABILITY {}\r\n", capabilities);
}

std::string CountLine(std::uint32_t number, std::string_view what) {
  return fmt::format("* {} {}\r\n", number, what);
}

std::string FlagsLine(const FlagSet& flags) {
  std::string out = "* FLAGS ";
  AppendFlags(out, flags, false);
  out.append("\r\n");
  return out;
}

std::string ListLine(bool lsub, std::string_view attributes, char delimiter, std::string_view mailbox,
                     std::string_view extended) {
  std::string out = fmt::format("* {} ({}) ", lsub ? "LSUB" : "LIST", attributes);
  if (delimiter == '\0') {
    out.append("NIL");
  } else {
    AppendQuoted(out, std::string_view(&delimiter, 1));
  }
  out.push_back(' ');
  if (mailbox.empty()) {
    out.append("\"\"");
  } else {
    AppendMailbox(out, mailbox);
  }
  if (!extended.empty()) fmt::format_to(std::back_inserter(out), " {}", extended);
  out.append("\r\n");
  return out;
}

std::string MailboxStatusLine(std::string_view mailbox, std::span<const StatusItem> items,
                              const MailboxCounts& counts) {
  std::string out = "* STATUS ";
  AppendMailbox(out, mailbox);
  out.append(" (");
  const auto add = [&out](std::string_view name, std::uint64_t value) {
    fmt::format_to(std::back_inserter(out), "{}{} {}", out.ends_with('(') ? "" : " ", name, value);
  };
  for (const StatusItem item : items) {
    switch (item) {
      case StatusItem::kMessages:
        add("MESSAGES", counts.messages);
        break;
      case StatusItem::kRecent:
        add("RECENT", counts.recent);
        break;
      case StatusItem::kUidNext:
        add("UIDNEXT", counts.uid_next);
        break;
      case StatusItem::kUidValidity:
        add("UIDVALIDITY", counts.uid_validity);
        break;
      case StatusItem::kUnseen:
        add("UNSEEN", counts.unseen);
        break;
      case StatusItem::kSize:
        add("SIZE", counts.size_bytes);
        break;
      case StatusItem::kHighestModseq:
        add("HIGHESTMODSEQ", counts.highest_modseq);
        break;
      case StatusItem::kDeleted:
        add("DELETED", counts.deleted);
        break;
      case StatusItem::kDeletedStorage:
        add("DELETED-STORAGE", counts.deleted_bytes);
        break;
    }
  }
  out.append(")\r\n");
  return out;
}

std::string QuotaLine(std::string_view root, std::span<const QuotaResource> resources) {
  std::string out = "* QUOTA ";
  AppendString(out, root);
  out.append(" (");
  for (const QuotaResource& resource : resources) {
    fmt::format_to(std::back_inserter(out), "{}{} {} {}", out.ends_with('(') ? "" : " ", resource.name, resource.used,
                   resource.limit);
  }
  out.append(")\r\n");
  return out;
}

std::string QuotaRootLine(std::string_view mailbox, std::span<const std::string_view> roots) {
  std::string out = "* QUOTAROOT ";
  AppendMailbox(out, mailbox);
  for (const std::string_view root : roots) {
    out.push_back(' ');
    AppendString(out, root);
  }
  out.append("\r\n");
  return out;
}

FetchLine::FetchLine(std::string& out, std::uint32_t sequence) : out_(out) {
  fmt::format_to(std::back_inserter(out_), "* {} FETCH (", sequence);
}

void FetchLine::Name(std::string_view name) {
  if (!first_) out_.push_back(' ');
  first_ = false;
  out_.append(name);
  out_.push_back(' ');
}

void FetchLine::Uid(std::uint32_t uid) {
  Name("UID");
  fmt::format_to(std::back_inserter(out_), "{}", uid);
}

void FetchLine::Flags(const FlagSet& flags, bool recent) {
  Name("FLAGS");
  AppendFlags(out_, flags, recent);
}

void FetchLine::Modseq(std::uint64_t modseq) {
  Name("MODSEQ");
  fmt::format_to(std::back_inserter(out_), "({})", modseq);
}

void FetchLine::InternalDate(std::chrono::sys_seconds date) {
  Name("INTERNALDATE");
  out_.append(FormatDateTime(date));
}

void FetchLine::Size(std::uint64_t size_bytes) {
  Name("RFC822.SIZE");
  fmt::format_to(std::back_inserter(out_), "{}", size_bytes);
}

void FetchLine::End() {
  out_.append(")\r\n");
}

}  // namespace imap
