// Class: how soon a mail goes. The filter's verdict decides it; it never decides whether the mail lives.
#pragma once

#include <cstdint>
#include <string_view>

namespace mail {

// On disk as one byte (docs/format/replog.md): never renumber.
enum class Class : std::uint8_t {
  kNormal = 0,    // Nothing known against it, nothing for it.
  kKnown = 1,     // A correspondent known to be good: goes first.
  kBulk = 2,      // Newsletters and the like.
  kSuspect = 3,   // Probably spam: waits.
  kHeld = 4,      // Waits until somebody releases it.
  kUnjudged = 5,  // Accepted before its expensive filter steps ran.
};

std::string_view ToString(Class cls);

// Mail that may wait lies apart from mail that goes soon (MFFS.md "Streams").
constexpr bool IsParked(Class cls) {
  return cls == Class::kBulk || cls == Class::kSuspect || cls == Class::kHeld;
}

}  // namespace mail
