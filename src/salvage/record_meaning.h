// What a record of the logs says, for people, and which mails it names.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "mffs/segment_survey.h"
#include "queue/mail_queue.h"
#include "replog/types.h"

namespace salvage {

// What a person knows of a mail.
struct MailId {
  std::optional<queue::QueueId> entry{};  // PARTITION-INDEX, both hexadecimal.
  std::string digits;                     // Else 16 hexadecimal digits: the id in its Received field, or of its body.

  static std::optional<MailId> Parse(std::string_view text);
};

// The names under which records know one mail (or several, when the id that was looked for is theirs too).
struct MailNames {
  static constexpr std::size_t kNamesMax = 10'000;
  std::set<std::pair<replog::PartitionId, replog::Index>> entries;  // That bring it, in any partition.
  std::set<replog::BodyId> parts;                                   // Bodies in parts.

  std::size_t size() const { return entries.size() + parts.size(); }
};

// A sentence about the record; never fails. `body` is empty when it cannot be read.
std::string MeaningOf(const mffs::RecordKey& key, std::string_view head, std::string_view body);

// Adds the names of the mail if the record brings it, or a part of it, and the id is one of the mail's.
void AddNames(const mffs::SurveyedRecord& record, const MailId& id, MailNames* names);

// Whether the record brings one of these mails or a part of it.
bool IsOfMail(const mffs::SurveyedRecord& record, const MailNames& names);

// Why the record belongs into the life of these mails although it is none of theirs; nothing: it does not.
std::optional<std::string> NamingOf(const mffs::SurveyedRecord& record, const MailNames& names);

}  // namespace salvage
