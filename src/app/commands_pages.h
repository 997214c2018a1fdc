// Reading the node's answers: members of objects, and lists that come in pages.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "admin/control_client.h"
#include "base/result.h"

namespace app {

// Members of an answer; empty, zero or false where the node (of another version) sends none.
std::string TextOf(const boost::json::object& object, std::string_view name);
std::uint64_t NumberOf(const boost::json::object& object, std::string_view name);
bool FlagOf(const boost::json::object& object, std::string_view name);
boost::json::object ObjectOf(const boost::json::object& object, std::string_view name);
// The members of a list that are objects.
std::vector<boost::json::object> RowsOf(const boost::json::object& object, std::string_view name);

struct PagedCommand {
  std::string_view command;  // "queue.list".
  std::string_view rows;     // The member that holds a page's rows.
  std::uint32_t page_size = 100;
  boost::json::object arguments{};  // Beside "after" and "limit".
  std::uint64_t rows_max = 0;       // Enough; 0: all.
};

// Hands `visit` each row of all pages. Errors: those of the calls.
base::Result<> ForEachRow(admin::ControlClient* node, const PagedCommand& command,
                          const std::function<void(const boost::json::object&)>& visit);

}  // namespace app
