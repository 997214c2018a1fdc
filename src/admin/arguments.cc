#include "admin/arguments.h"

#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace admin {

namespace json = boost::json;

base::Result<std::string> Arguments::Text(std::string_view name, std::size_t bytes_max) const {
  if (!members_.contains(name)) {
    return base::Error(base::Errc::kInvalid, fmt::format("the argument \"{}\" is missing; give it as a text", name));
  }
  return OptionalText(name, bytes_max);
}

base::Result<std::string> Arguments::OptionalText(std::string_view name, std::size_t bytes_max) const {
  const json::value* const value = members_.if_contains(name);
  if (value == nullptr) return std::string();
  const json::string* const text = value->if_string();
  if (text == nullptr) {
    return base::Error(base::Errc::kInvalid, fmt::format("the argument \"{}\" must be a text", name));
  }
  if (text->size() > bytes_max || text->find('\0') != json::string::npos) {
    return base::Error(base::Errc::kInvalid,
                       fmt::format("the argument \"{}\" must have at most {} bytes and no NUL", name, bytes_max));
  }
  return std::string(text->begin(), text->end());
}

base::Result<std::uint32_t> Arguments::Count(std::string_view name, std::uint32_t fallback, std::uint32_t max) const {
  const json::value* const value = members_.if_contains(name);
  if (value == nullptr) return fallback;
  // Whole numbers that fit are parsed as int64, whatever their sign.
  const std::int64_t* const number = value->if_int64();
  if (number == nullptr || *number < 1 || *number > std::int64_t{max}) {
    return base::Error(base::Errc::kInvalid,
                       fmt::format("the argument \"{}\" must be a whole number from 1 to {}", name, max));
  }
  return static_cast<std::uint32_t>(*number);
}

base::Result<bool> Arguments::Flag(std::string_view name) const {
  const json::value* const value = members_.if_contains(name);
  if (value == nullptr) return false;
  const bool* const flag = value->if_bool();
  if (flag == nullptr) {
    return base::Error(base::Errc::kInvalid, fmt::format("the argument \"{}\" must be true or false", name));
  }
  return *flag;
}

}  // namespace admin
