#include <fmt/format.h>

#include "async/task_group.h"
#include "bench_volume.h"
#include "mffs_run.h"

namespace bench {
namespace {

// One run. Lives on the stack of RunAppends, which outlives its tasks.
struct Appends {
  const MffsPlan* plan = nullptr;
  BenchVolume* volume = nullptr;
  Window window;
  Tally tally;                              // One for all writers, which share a thread: a processor cache holds it.
  std::vector<std::uint64_t> acknowledged;  // By writer.
  std::optional<base::Error> error;
  std::uint64_t commits = 0;
  std::chrono::milliseconds reopening{0};
};

async::Task<base::Result<>> Run(Appends* run);
async::Task<void> Write(Appends* run, std::uint32_t writer);
async::Task<base::Result<>> CheckAcknowledged(Appends* run);

mffs::VolumeOptions OptionsOf(const MffsPlan& plan) {
  mffs::VolumeOptions options;
  options.gathering = plan.gathering;
  return options;
}

}  // namespace

base::Result<Outcome> RunAppends(const MffsPlan& plan) {
  async::Shard shard("mffs");
  BenchVolume volume(shard.executor(), plan.path, plan.limits);
  Appends run{
      .plan = &plan, .volume = &volume, .window = Window(plan.load), .tally = {}, .acknowledged = {}, .error = {}};
  RETURN_IF_ERROR(RunToEnd(&shard, Run(&run)));
  Outcome outcome;
  outcome.seconds = run.window.seconds();
  outcome.tally = run.tally;
  outcome.more = fmt::format(R"(, "commits": {}, "volume_writes": {}, "volume_bytes": {}, "reopened_ms": {})",
                             run.commits, volume.writes(), volume.bytes_written(), run.reopening.count());
  return outcome;
}

namespace {

async::Task<base::Result<>> Run(Appends* run) {
  CO_RETURN_IF_ERROR(co_await run->volume->FormatAndStart(OptionsOf(*run->plan)));
  run->acknowledged.resize(run->plan->load.writers);
  run->window = Window(run->plan->load);
  async::TaskGroup writers(co_await asio::this_coro::executor, "writers");
  for (std::uint32_t i = 0; i < run->plan->load.writers; ++i) writers.Spawn(Write(run, i));
  co_await writers.Join();
  run->commits = run->volume->volume()->Status().commits;
  auto closed = co_await run->volume->Close();
  if (run->error.has_value()) co_return *std::move(run->error);
  if (!closed) co_return closed;
  co_return co_await CheckAcknowledged(run);
}

async::Task<void> Write(Appends* run, std::uint32_t writer) {
  const LoadPlan& load = run->plan->load;
  MailSource mails(load.sizes, load.bytes, writer);
  MailAppend append(run->volume->volume());
  for (std::uint64_t number = 0; !run->error.has_value(); ++number) {
    const auto begun = std::chrono::steady_clock::now();
    if (run->window.IsOver(begun)) co_return;
    const std::string_view mail = mails.Next();
    auto stored = co_await append.Store({writer, number}, {mail});
    if (stored) {
      run->tally.Add(run->window, mail.size(), begun);
      ++run->acknowledged[writer];
    } else if (stored.error().code() == base::Errc::kNoSpace) {
      run->window.EndNow(std::chrono::steady_clock::now());
      co_return;
    } else {
      run->error = std::move(stored).error();
    }
  }
}

// Opens the volume again: of each writer the mails 0 to n-1 must be there, in their order, each live, and no other.
async::Task<base::Result<>> CheckAcknowledged(Appends* run) {
  const auto begun = std::chrono::steady_clock::now();
  CO_RETURN_IF_ERROR(co_await run->volume->OpenToRead(OptionsOf(*run->plan)));
  run->reopening = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  std::vector<std::uint64_t> found(run->acknowledged.size());
  const auto visit = [&found](const mffs::RecordView& record) -> base::Result<> {
    if (record.key.type != kMailType) return {};
    if (!record.is_live || record.key.partition >= found.size() || record.key.index != found[record.key.partition]++) {
      return base::Error(base::Errc::kCorrupt,
                         fmt::format("mail {} of writer {} is not live, doubled or out of order after reopening",
                                     record.key.index, record.key.partition));
    }
    return {};
  };
  auto scanned = co_await run->volume->volume()->Scan(mffs::Lsn(), visit);
  base::Ignore(co_await run->volume->Close());  // Was not started: nothing to fail.
  if (!scanned) co_return scanned;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] == run->acknowledged[i]) continue;
    co_return base::Error(base::Errc::kCorrupt,
                          fmt::format("writer {} has {} acknowledged mails, {} are there after reopening", i,
                                      run->acknowledged[i], found[i]));
  }
  co_return base::Result<>();
}

}  // namespace
}  // namespace bench
