// For tests: the queued delivery ids that a mailbox partition keeps.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "replog/state_machine.h"
#include "store/keys.h"

namespace store {

// Takes a partition's snapshot, which leaves out what is forgotten, and keeps its queued delivery ids.
class QueuedIdReader final : public replog::SnapshotWriter {
 public:
  struct Id {
    std::uint32_t partition = 0;
    std::uint64_t index = 0;
    std::uint32_t recipient = 0;
    friend auto operator<=>(const Id&, const Id&) = default;
  };
  void Keep(std::size_t) override { CHECK(false); }  // The store writes its pieces anew.
  async::Task<base::Result<>> Write(std::string piece) override {
    base::Decoder in(piece);
    in.U8();
    while (in.remaining() > 0) {
      const std::string_view key = in.Text();
      in.Text();
      if (key.size() != kQueuedIdKeyBytes - 4 || key[0] != static_cast<char>(RowKind::kQueuedId)) continue;
      ids_.insert({KeyU32(key, 1), KeyU64(key, 5), KeyU32(key, 13)});
    }
    co_return base::Result<>();
  }
  const std::set<Id>& ids() const { return ids_; }

 private:
  std::set<Id> ids_;
};

}  // namespace store
