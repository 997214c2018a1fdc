// What stands beside a rescued mail, as JSON. docs/cli.md, "The files of a rescue".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "mail/envelope.h"
#include "queue/entry.h"
#include "salvage/log_records.h"
#include "store/salvaged_index.h"

namespace salvage {

// Any bytes as UTF-8.
boost::json::string JsonText(std::string_view bytes);
// RFC 3339 in UTC.
boost::json::string JsonTime(base::WallTime time);

// What SMTP said of the mail, as far as it is known, and where the mail is.
boost::json::object DescribeMailboxMail(const store::SalvagedMessage& message, bool place_is_certain);
boost::json::object DescribeQueuedMail(replog::PartitionId partition, const queue::SavedMail& mail);
// A mail of which only its log entry is left; `meta` is the entry's, empty: not even that.
boost::json::object DescribeEntry(const EntryPlace& entry, std::string_view meta);
// Parts of a mail whose entry is gone.
boost::json::object DescribeParts(replog::BodyId body);

// The prefix that the entry gives the mail ("Return-Path: ..."); empty without one.
std::string PrefixOfEntry(const EntryPlace& entry, std::string_view meta);

// Adds what the mail's own first bytes tell: its id, which stands in the first Received field.
void AddOwnWords(boost::json::object* description, std::string_view head_of_mail);

}  // namespace salvage
