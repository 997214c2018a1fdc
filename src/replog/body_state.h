// Body::State, for the files that make and consume bodies.
#pragma once

#include <memory>

#include "replog/body.h"
#include "replog/open_bodies.h"

namespace replog {

// A small mail has its bytes in `buffer`, one in parts has `open`. Abandons the parts unless an entry adopted them.
struct Body::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  // An entry names the parts from now on.
  std::shared_ptr<OpenBody> TakeParts() { return std::move(open); }
  // The bytes of a small mail are on the disk now.
  mffs::Buffer TakeBuffer() { return std::move(buffer); }

  std::uint64_t size_bytes = 0;
  mffs::Buffer buffer;  // Of a mail in parts: its first bytes.
  std::shared_ptr<OpenBody> open;
  std::weak_ptr<OpenBodies> registry;
};

}  // namespace replog
