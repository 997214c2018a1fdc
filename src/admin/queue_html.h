// The queue page as its first answer has it: without a script. queue_page.js makes the same of the same data.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "admin/queue_view.h"

namespace admin {

// `data` is what /queue.json answers for the view.
std::string QueueHtml(const boost::json::object& data, const QueueView& view);

// Text in an element or in an attribute with quotes. Control characters become U+FFFD.
std::string EscapeHtml(std::string_view text);

}  // namespace admin
