#include "app/commands_pages.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace app {

namespace json = boost::json;

std::string TextOf(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::uint64_t NumberOf(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  if (value == nullptr) return 0;
  if (value->is_uint64()) return value->get_uint64();
  return value->is_int64() && value->get_int64() > 0 ? static_cast<std::uint64_t>(value->get_int64()) : 0;
}

bool FlagOf(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

json::object ObjectOf(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : json::object();
}

std::vector<json::object> RowsOf(const json::object& object, std::string_view name) {
  std::vector<json::object> rows;
  const json::value* const list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return rows;
  for (const json::value& row : list->get_array()) {
    if (row.is_object()) rows.push_back(row.get_object());
  }
  return rows;
}

base::Result<> ForEachRow(admin::ControlClient* node, const PagedCommand& command,
                          const std::function<void(const json::object&)>& visit) {
  std::string after;
  std::uint64_t count = 0;
  for (;;) {
    json::object arguments = command.arguments;
    arguments["after"] = after;
    arguments["limit"] = command.page_size;
    ASSIGN_OR_RETURN(const json::object page, node->Call(command.command, std::move(arguments)));
    const json::value* const rows = page.if_contains(command.rows);
    if (rows != nullptr && rows->is_array()) {
      for (const json::value& row : rows->get_array()) {
        if (command.rows_max > 0 && count == command.rows_max) return {};
        count += 1;
        if (row.is_object()) visit(row.get_object());
      }
    }
    std::string next = TextOf(page, "next");
    // A node that sends the same page for ever must not keep us.
    if (next.empty() || next == after) return {};
    after = std::move(next);
  }
}

}  // namespace app
