#include "replog/read_all.h"

#include <utility>

namespace replog {
namespace {

constexpr std::uint64_t kRunBytesMax = 1u << 20;
constexpr std::uint64_t kBatchBytes = 4u << 20;
constexpr std::uint64_t kGapBytesMax = 32u << 10;  // Less time to read than another request takes.

using Slot = std::optional<base::Result<mffs::Record>>;

std::uint64_t EndOf(const mffs::Location& place) {
  return std::uint64_t{place.offset} + place.size;
}

// How many of `places`, from the first on, one read brings.
std::size_t RunLength(std::span<const mffs::Location> places) {
  std::size_t count = 1;
  for (; count < places.size(); ++count) {
    const mffs::Location& last = places[count - 1];
    const mffs::Location& next = places[count];
    const bool is_near = next.segment == last.segment && next.generation == last.generation &&
                         next.offset >= EndOf(last) && next.offset - EndOf(last) <= kGapBytesMax;
    if (!is_near || EndOf(next) - places.front().offset > kRunBytesMax) break;
  }
  return count;
}

// Fills as many slots as there are places.
async::Task<void> ReadNear(mffs::Volume* volume, std::span<const mffs::Location> places, Slot* slots) {
  if (places.size() > 1) {
    const auto bytes = static_cast<std::uint32_t>(EndOf(places.back()) - places.front().offset);
    auto run = co_await volume->ReadRun(places.front(), bytes);
    std::size_t at = 0;
    if (run.has_value()) {
      for (auto& [location, record] : *run) {
        while (at < places.size() && places[at].offset < location.offset) ++at;
        if (at < places.size() && places[at] == location) slots[at].emplace(std::move(record));
      }
    }
  }
  // Alone, or in a run that has damage before it: then this tells what is wrong.
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!slots[i].has_value()) slots[i].emplace(co_await volume->Read(places[i]));
  }
}

void SpawnReads(async::TaskGroup* group, mffs::Volume* volume, std::span<const mffs::Location> places,
                std::vector<Slot>* slots) {
  slots->resize(places.size());
  for (std::size_t at = 0; at < places.size();) {
    const std::size_t count = RunLength(places.subspan(at));
    group->Spawn(ReadNear(volume, places.subspan(at, count), slots->data() + at));
    at += count;
  }
}

ReadRecords TakeAll(std::vector<Slot>* slots) {
  ReadRecords records;
  records.reserve(slots->size());
  for (Slot& slot : *slots) records.push_back(*std::move(slot));
  return records;
}

}  // namespace

async::Task<ReadRecords> ReadAll(Context* context, std::vector<mffs::Location> places) {
  std::vector<Slot> slots;
  async::TaskGroup group(context->executor, "log reads");
  SpawnReads(&group, context->volume, places, &slots);
  co_await group.Join();
  co_return TakeAll(&slots);
}

struct BatchReader::Batch {
  std::vector<Slot> slots;
};

BatchReader::BatchReader(Context* context, std::vector<mffs::Location> places)
    : context_(context), places_(std::move(places)), reads_(context->executor, "log reads ahead") {}
BatchReader::~BatchReader() = default;

std::unique_ptr<BatchReader::Batch> BatchReader::Begin() {
  const auto rest = std::span<const mffs::Location>(places_).subspan(begun_);
  if (rest.empty()) return nullptr;
  std::size_t count = 0;
  for (std::uint64_t bytes = 0; count < rest.size() && bytes < kBatchBytes;) bytes += rest[count++].size;
  const auto places = rest.first(count);
  begun_ += places.size();
  auto batch = std::make_unique<Batch>();
  SpawnReads(&reads_, context_->volume, places, &batch->slots);
  return batch;
}

async::Task<ReadRecords> BatchReader::Next() {
  if (ahead_ == nullptr) ahead_ = Begin();
  if (ahead_ == nullptr) co_return ReadRecords();
  co_await reads_.Join();
  const std::unique_ptr<Batch> batch = std::exchange(ahead_, Begin());
  // The tasks that were begun just now hand their reads to the device when they run.
  co_await asio::post(context_->executor, async::use_task);
  co_return TakeAll(&batch->slots);
}

async::Task<void> BatchReader::Stop() {
  return reads_.Join();
}

}  // namespace replog
