// Arguments: the members of a control request, read with their limits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <boost/json/object.hpp>

#include "base/result.h"

namespace admin {

// Who asks, as the kernel says (SO_PEERCRED).
struct Caller {
  std::uint32_t user_id = 0;
  std::uint32_t group_id = 0;
  std::int32_t process_id = 0;
};

// A value: what a client sent beside the name of the command. Every call answers kInvalid with a sentence that names
// the argument and what is allowed.
class Arguments {
 public:
  explicit Arguments(boost::json::object members, Caller caller = {}) : members_(std::move(members)), caller_(caller) {}

  // A text that must be there. May be empty; has no NUL.
  base::Result<std::string> Text(std::string_view name, std::size_t bytes_max) const;
  // The same, empty when it is absent.
  base::Result<std::string> OptionalText(std::string_view name, std::size_t bytes_max) const;
  // A whole number from 1 to `max`, `fallback` when it is absent.
  base::Result<std::uint32_t> Count(std::string_view name, std::uint32_t fallback, std::uint32_t max) const;
  // True or false, false when it is absent.
  base::Result<bool> Flag(std::string_view name) const;

  const boost::json::object& members() const { return members_; }
  const Caller& caller() const { return caller_; }

 private:
  boost::json::object members_;
  Caller caller_;
};

}  // namespace admin
