// The queue page's script and style: queue_page.js and queue_page.css beside this file, put into the program by the
// build (src/CMakeLists.txt).
#pragma once

#include <string_view>

namespace admin {

extern const std::string_view kQueueScript;
extern const std::string_view kQueueStyle;

}  // namespace admin
