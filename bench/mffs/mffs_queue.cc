#include <deque>

#include <fmt/format.h>

#include "async/task_group.h"
#include "bench_volume.h"
#include "mffs_run.h"

namespace bench {
namespace {

constexpr std::size_t kNoteBytes = 64;

// A mail in the queue: its records.
struct Queued {
  MailId id;
  std::size_t mail_bytes = 0;
  std::vector<mffs::RecordKey> records;
};

// One run. Lives on the stack of RunFillAndDrain, which outlives its tasks.
struct Queue {
  const MffsPlan* plan = nullptr;
  BenchVolume* volume = nullptr;
  std::uint64_t backlog_bytes_max = 0;
  Window window;
  std::vector<MailSource> sources;  // By writer.
  std::vector<std::uint64_t> next_numbers;
  std::deque<Queued> waiting;
  std::uint64_t waiting_bytes = 0;
  std::vector<mffs::RecordKey> notes;
  Tally tally;
  std::uint64_t mail_bytes = 0;
  std::uint64_t appended_bytes = 0;  // Mails, their heads, and notes.
  std::uint64_t rounds = 0;
  std::optional<base::Error> error;
};

async::Task<base::Result<>> Run(Queue* run);
async::Task<void> Fill(Queue* run, std::uint32_t writer);
async::Task<void> Drain(Queue* run);
async::Task<base::Result<>> CheckEmpty(Queue* run);

}  // namespace

base::Result<Outcome> RunFillAndDrain(const MffsPlan& plan, std::uint64_t backlog_bytes) {
  async::Shard shard("mffs");
  BenchVolume volume(shard.executor(), plan.path, plan.limits);
  Queue run{.plan = &plan,
            .volume = &volume,
            .backlog_bytes_max = backlog_bytes,
            .window = Window(plan.load),
            .sources = {},
            .next_numbers = {},
            .waiting = {},
            .notes = {},
            .tally = {},
            .error = {}};
  RETURN_IF_ERROR(RunToEnd(&shard, Run(&run)));
  Outcome outcome;
  outcome.seconds = run.window.seconds();
  outcome.tally = run.tally;
  outcome.more =
      fmt::format(R"(, "rounds": {}, "volume_writes": {}, "volume_bytes": {}, "mail_bytes": {}, "appended_bytes": {})",
                  run.rounds, volume.writes(), volume.bytes_written(), run.mail_bytes, run.appended_bytes);
  return outcome;
}

namespace {

async::Task<base::Result<>> Run(Queue* run) {
  const LoadPlan& load = run->plan->load;
  mffs::VolumeOptions options;
  options.gathering = run->plan->gathering;
  CO_RETURN_IF_ERROR(co_await run->volume->FormatAndStart(options));
  for (std::uint32_t i = 0; i < load.writers; ++i) run->sources.emplace_back(load.sizes, load.bytes, i);
  run->next_numbers.resize(load.writers);
  run->window = Window(load);
  async::TaskGroup tasks(co_await asio::this_coro::executor, "queue");
  while (!run->error.has_value() && !run->window.IsOver(std::chrono::steady_clock::now())) {
    for (std::uint32_t i = 0; i < load.writers; ++i) tasks.Spawn(Fill(run, i));
    co_await tasks.Join();
    for (std::uint32_t i = 0; i < load.writers; ++i) tasks.Spawn(Drain(run));
    co_await tasks.Join();
    // An empty queue needs no history: its partition's next snapshot would say so.
    for (const mffs::RecordKey& note : run->notes) run->volume->Release(note);
    run->notes.clear();
    run->rounds += 1;
  }
  auto closed = co_await run->volume->Close();
  if (run->error.has_value()) co_return *std::move(run->error);
  if (!closed) co_return closed;
  co_return co_await CheckEmpty(run);
}

async::Task<void> Fill(Queue* run, std::uint32_t writer) {
  MailAppend append(run->volume->volume());
  while (!run->error.has_value() && run->waiting_bytes < run->backlog_bytes_max) {
    const auto begun = std::chrono::steady_clock::now();
    if (run->window.IsOver(begun)) co_return;
    const MailId id{writer, run->next_numbers[writer]++};
    const std::string_view mail = run->sources[writer].Next();
    auto stored = co_await append.Store(id, {mail});
    if (!stored) {
      run->error = std::move(stored).error();
      co_return;
    }
    run->tally.Add(run->window, mail.size(), begun);
    run->mail_bytes += mail.size();
    run->appended_bytes += mail.size() + append.stored().size() * kHeadBytes;
    run->waiting_bytes += mail.size();
    Queued queued{.id = id, .mail_bytes = mail.size(), .records = {}};
    for (const MailAppend::Stored& record : append.stored()) {
      queued.records.push_back(record.key);
      run->volume->Keep(record);
    }
    run->waiting.push_back(std::move(queued));
  }
}

async::Task<void> Drain(Queue* run) {
  MailAppend append(run->volume->volume());
  const std::string note(kNoteBytes, 'n');
  while (!run->error.has_value() && !run->waiting.empty()) {
    const Queued mail = std::move(run->waiting.front());
    run->waiting.pop_front();
    run->waiting_bytes -= mail.mail_bytes;
    auto noted = co_await append.StoreNote(mail.id, note);
    if (!noted) {
      run->error = std::move(noted).error();
      co_return;
    }
    run->appended_bytes += kNoteBytes + kHeadBytes;
    for (const mffs::RecordKey& record : mail.records) run->volume->Release(record);
    run->volume->Keep(append.stored().front());
    run->notes.push_back(append.stored().front().key);
  }
}

async::Task<base::Result<>> CheckEmpty(Queue* run) {
  CO_RETURN_IF_ERROR(co_await run->volume->OpenToRead({}));
  std::uint64_t live = 0;
  const auto visit = [&live](const mffs::RecordView& record) -> base::Result<> {
    if (record.is_live && (record.key.type == kMailType || record.key.type == kPartType)) live += 1;
    return {};
  };
  auto scanned = co_await run->volume->volume()->Scan(mffs::Lsn(), visit);
  base::Ignore(co_await run->volume->Close());  // Was not started: nothing to fail.
  if (!scanned) co_return scanned;
  if (live > 0) {
    co_return base::Error(base::Errc::kCorrupt,
                          fmt::format("the queue was emptied, {} records are live after reopening", live));
  }
  co_return base::Result<>();
}

}  // namespace
}  // namespace bench
