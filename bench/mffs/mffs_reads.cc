#include <fmt/format.h>

#include "bench_volume.h"
#include "mffs_run.h"

namespace bench {
namespace {

constexpr std::uint32_t kRunBytes = 256u << 10;  // As replog reads.

// One run. Lives on the stack of RunReads, which outlives its task.
struct Reads {
  const MffsPlan* plan = nullptr;
  BenchVolume* volume = nullptr;
  Window window;
  Tally tally;
  std::uint64_t runs = 0;
};

async::Task<base::Result<>> Run(Reads* run);
async::Task<base::Result<>> ReadBacklog(Reads* run);

}  // namespace

base::Result<Outcome> RunReads(const MffsPlan& plan) {
  MffsPlan filling = plan;
  filling.limits = {};
  RETURN_IF_ERROR(RunAppends(filling));
  async::Shard shard("mffs");
  BenchVolume volume(shard.executor(), plan.path, plan.limits);
  Reads run{.plan = &plan, .volume = &volume, .window = Window(plan.load), .tally = {}};
  RETURN_IF_ERROR(RunToEnd(&shard, Run(&run)));
  Outcome outcome;
  outcome.seconds = run.window.seconds();
  outcome.tally = run.tally;
  outcome.more = fmt::format(R"(, "reads": {})", run.runs);
  return outcome;
}

namespace {

async::Task<base::Result<>> Run(Reads* run) {
  mffs::VolumeOptions options;
  options.prefetching = run->plan->prefetching;
  CO_RETURN_IF_ERROR(co_await run->volume->OpenToRead(options));
  auto read = co_await ReadBacklog(run);
  base::Ignore(co_await run->volume->Close());  // Was not started: nothing to fail.
  co_return read;
}

async::Task<base::Result<>> ReadBacklog(Reads* run) {
  std::vector<mffs::Location> places;
  const auto visit = [&places](const mffs::RecordView& record) -> base::Result<> {
    if (record.key.type == kMailType || record.key.type == kPartType) places.push_back(record.location);
    return {};
  };
  CO_RETURN_IF_ERROR(co_await run->volume->volume()->Scan(mffs::Lsn(), visit));
  LoadPlan load = run->plan->load;
  load.warm_up = {};
  run->window = Window(load);
  std::size_t next = 0;
  while (next < places.size()) {
    const auto begun = std::chrono::steady_clock::now();
    if (run->window.IsOver(begun)) co_return base::Result<>();
    ASSIGN_OR_CO_RETURN(const auto records, co_await run->volume->volume()->ReadRun(places[next], kRunBytes));
    run->runs += 1;
    for (const auto& [location, record] : records) {
      if (next == places.size() || location != places[next]) {
        co_return base::Error(base::Errc::kCorrupt, fmt::format("record {} was not read in its turn", next));
      }
      next += 1;
      run->tally.Add(run->window, record.body.size(), begun);
    }
  }
  run->window.EndNow(std::chrono::steady_clock::now());
  co_return base::Result<>();
}

}  // namespace
}  // namespace bench
