#include "replog/read_all.h"

#include <optional>

#include "async/task_group.h"

namespace replog {
namespace {

using Slot = std::optional<base::Result<mffs::Record>>;

async::Task<void> ReadOne(mffs::Volume* volume, mffs::Location place, Slot* slot) {
  slot->emplace(co_await volume->Read(place));
}

}  // namespace

async::Task<std::vector<base::Result<mffs::Record>>> ReadAll(Context* context, std::vector<mffs::Location> places) {
  std::vector<Slot> slots(places.size());
  async::TaskGroup group(context->executor, "log reads");
  for (std::size_t i = 0; i < places.size(); ++i) group.Spawn(ReadOne(context->volume, places[i], &slots[i]));
  co_await group.Join();
  std::vector<base::Result<mffs::Record>> records;
  records.reserve(slots.size());
  for (Slot& slot : slots) records.push_back(*std::move(slot));
  co_return records;
}

}  // namespace replog
