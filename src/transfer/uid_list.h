// UidList: what mail servers keep beside a Maildir so that clients find their mail again: UIDs, UIDVALIDITY, UIDLs.
// Pure functions of hostile bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace transfer {

// Whether POP3 can say it (RFC 1939 §7): one to 70 characters from 0x21 to 0x7E.
bool IsUidl(std::string_view text);

struct UidList {
  struct Entry {
    std::uint32_t uid = 0;
    std::string uidl;  // Dovecot's field P: the UIDL when it does not come out of the UID. Empty: it does.
  };
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 0;                      // At least one more than any UID here.
  std::unordered_map<std::string, Entry> by_name;  // File name without its flags (MaildirBaseName).
  std::vector<std::string> faults;                 // Lines that could not be read: "line 7: ..."; at most kFaultsMax.
};
inline constexpr std::size_t kFaultsMax = 100;

// dovecot-uidlist, version 3 ("3 V<uidvalidity> N<next> G<guid>", then "<uid> <fields> :<name>") and version 1, which
// is also Courier's courierimapuiddb ("1 <uidvalidity> <next>", then "<uid> <name>"). A last line without an end was
// being written and is left out. Errors: kInvalid (the first line says nothing that is known).
base::Result<UidList> ParseUidList(std::string_view text);

// As a dovecot-uidlist of version 3 line by line: the first one, and one a mail.
std::string FormatUidListHead(std::uint32_t uid_validity, std::uint32_t uid_next, std::string_view guid);
std::string FormatUidListLine(std::uint32_t uid, std::string_view uidl, std::string_view name);

// courierpop3dsizelist: file name without its flags -> the UIDL that Courier's POP3 server gives it. What cannot be
// read is left out.
std::unordered_map<std::string, std::string> ParseCourierUidls(std::string_view text);

// dovecot-keywords ("<number> <keyword>"): position 0 is the flag letter a. Empty where there is none.
std::vector<std::string> ParseKeywordList(std::string_view text);

// Subscribed names with their levels parted by '/': Dovecot's subscriptions (both versions) and courierimapsubscribed.
// Names as they stand there, in modified UTF-7; `separator` parts levels where the file does not.
std::vector<std::string> ParseSubscriptions(std::string_view text, char separator);

}  // namespace transfer
