// Sizes and durations for people, on the terminal and in the browser.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace admin {

// "917 B", "4.0 KiB", "1.5 GiB".
std::string ReadableBytes(std::uint64_t bytes);

// The largest unit that fits: "12 s", "5 min", "3 h", "12 d". A negative one is "0 s".
std::string ReadableDuration(std::chrono::seconds duration);

}  // namespace admin
