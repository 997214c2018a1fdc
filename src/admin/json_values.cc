#include "admin/json_values.h"

#include <chrono>

#include <fmt/chrono.h>

#include "mail/charset.h"

namespace admin {

boost::json::string JsonText(std::string_view bytes) {
  return boost::json::string(mail::ToUtf8(bytes, ""));
}

boost::json::string JsonTime(base::WallTime time) {
  return boost::json::string(fmt::format("{:%FT%TZ}", std::chrono::floor<std::chrono::seconds>(time)));
}

}  // namespace admin
