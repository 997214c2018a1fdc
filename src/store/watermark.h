// Watermark: which delivery ids of a queue partition can never come again. docs/format/store.md "Watermark"
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace store {

// Every mail of the queue partition with an index under `below` is settled, but those in `except`. Without them one
// mail that stays in the queue for days would keep the ids of all that came after it.
struct Watermark {
  static constexpr std::uint64_t kExceptMax = 16'384;  // Read back.

  std::uint64_t below = 0;
  std::vector<std::uint64_t> except;  // Ascending, each under `below`.

  bool IsSettled(std::uint64_t index) const { return index < below && !std::ranges::binary_search(except, index); }

  void EncodeTo(base::Encoder& out) const {
    out.Varint(below);
    out.Varint(except.size());
    std::uint64_t last = 0;
    for (const std::uint64_t index : except) out.Varint(index - std::exchange(last, index));
  }
  // False: not a watermark.
  bool DecodeFrom(base::Decoder& in) {
    except.clear();
    below = in.Varint();
    const std::uint64_t count = in.Varint();
    if (count > kExceptMax || count > in.remaining()) return false;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t gap = in.Varint();
      if (last >= below || gap >= below - last || (gap == 0 && i > 0)) return false;
      except.push_back(last += gap);
    }
    return in.ok();
  }
  friend bool operator==(const Watermark&, const Watermark&) = default;
};

}  // namespace store
