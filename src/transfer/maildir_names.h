// Names of files and folders in a Maildir: flags, mailbox names. Pure functions of hostile bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace transfer {

// How the folders of a Maildir lie: all in one directory as ".Work.2026" (Maildir++, what Courier and Dovecot make by
// default), or as directories in each other (Dovecot's LAYOUT=fs).
enum class MaildirLayout : std::uint8_t { kMaildirPlusPlus, kDirectories };

// "1795358172.M1.vm,S=19:2,S" -> "1795358172.M1.vm,S=19": what stays the same when flags change.
std::string_view MaildirBaseName(std::string_view file_name);

// The flags behind ":2,": IMAP's names of the system flags, "$Forwarded" for P, and keywords by their letters (a is
// keywords[0]). Letters without a meaning are left out.
std::vector<std::string> FlagsOfFileName(std::string_view file_name, const std::vector<std::string>& keywords);
// ":2,DFRST" and letters, in the order of ASCII; keywords without a letter are left out and counted in `lost`.
std::string FlagSuffix(const std::vector<std::string>& flags, const std::vector<std::string>& keywords,
                       std::uint64_t* lost);

// The mailbox of a Maildir++ folder (".Sent.2024" -> "Sent/2024") or of a path below the Maildir ("Sent/2024").
// Errors: kInvalid (no name that a mailbox may have).
base::Result<std::string> MailboxOfFolder(std::string_view folder, MaildirLayout layout);
// The other way round; "" for INBOX. A dot within a level becomes "&AC4-", as Courier has it. Errors: kInvalid (a level
// of the layout with directories that is a directory of every Maildir).
base::Result<std::string> FolderOfMailbox(std::string_view mailbox, MaildirLayout layout);

// One level of a name from modified UTF-7; what is none is taken as it is. Errors: kInvalid.
base::Result<std::string> DecodeLevel(std::string_view level);
std::string EncodeLevel(std::string_view level);

}  // namespace transfer
