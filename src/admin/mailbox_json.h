// How mailboxes, flags and origins look in the requests and answers of the mailbox commands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "admin/arguments.h"
#include "base/result.h"
#include "store/types.h"

namespace admin {

// "\\Seen" and keywords. Errors: kInvalid.
boost::json::array ToJson(const store::Flags& flags);
base::Result<store::Flags> ParseFlags(const boost::json::value* flags);

boost::json::object ToJson(const store::Mailbox& mailbox);
boost::json::object ToJson(const store::Message& message);

// 32 hexadecimal digits. Errors: kInvalid.
base::Result<store::Origin> ParseOrigin(std::string_view text);

// The argument "id" that `mailbox.list` and `mailbox.prepare` gave. Errors: kInvalid.
base::Result<store::MailboxId> MailboxIdOf(const Arguments& arguments);

// A whole number of a mail or a request from 0 to `max`; 0 when it is absent. Errors: kInvalid.
base::Result<std::uint64_t> NumberIn(const boost::json::object& members, std::string_view name, std::uint64_t max);

}  // namespace admin
