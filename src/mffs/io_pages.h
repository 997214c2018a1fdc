// Memory for reads and writes of a device, aligned to a sector.
#pragma once

#include <cstddef>

namespace mffs {

// Null when there is none. Any thread, and another one may give it back. Its contents are anything.
//
// In builds with AddressSanitizer the thread that gives large pieces back keeps some of them, poisoned: the sanitizer
// maps each such piece anew and unmaps it again, and half the time of a fuzzer that opens volumes went into pages that
// the kernel cleared. What is used after it was given back, or behind its end, is found as before.
std::byte* TakePages(std::size_t bytes);
void GiveBackPages(std::byte* pages, std::size_t bytes);

}  // namespace mffs
