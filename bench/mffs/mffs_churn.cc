#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "async/deadline.h"
#include "async/task_group.h"
#include "bench_volume.h"
#include "mffs/turnover.h"
#include "mffs_run.h"

namespace bench {
namespace {

// Of equal size, as far as chance makes them so. 400 mails of 4 KiB each in a volume of 2 GiB.
constexpr std::uint32_t kMailboxes = 1000;
constexpr std::uint32_t kQuickMailboxes = kMailboxes / 5;
constexpr std::chrono::seconds kRoomWithin{30};  // Deletions make room, so cleaning must find it.

struct Live {
  MailId id;
  std::uint32_t records = 0;
  std::uint64_t bytes = 0;  // Of its records.
  std::uint32_t mailbox = 0;
};

// Mails that live equally long.
struct Kind {
  std::uint32_t mailboxes_first = 0;  // It comes to any of these.
  std::uint32_t mailboxes = kMailboxes;
  mffs::Stream stream = mffs::Stream::kMailbox;
  double share = 1;  // Of the mails that come once all kinds are full.
  std::uint64_t bytes_max = 0;
  bool oldest_first = false;  // Else any.
  std::deque<Live> mails{};
  std::uint64_t bytes = 0;
};

// One run. Lives on the stack of RunChurn, which outlives its tasks.
struct Churn {
  const MffsPlan* plan = nullptr;
  const ChurnPlan* churn = nullptr;
  BenchVolume* volume = nullptr;
  std::vector<Kind> kinds{};
  std::vector<std::uint64_t> mailboxes = std::vector<std::uint64_t>(kMailboxes);  // Live bytes of each.
  mffs::Turnover turnover{};
  base::Random random{1};
  std::uint64_t capacity = 0;
  bool is_steady = false;          // All kinds are full.
  std::uint64_t steady_since = 0;  // Device bytes then.
  std::uint64_t measured_from = 0;
  std::uint64_t device_bytes = 0;  // Measured.
  std::uint64_t appended_bytes = 0;
  Tally tally{};
  std::optional<base::SteadyTime> begun{};
  std::chrono::duration<double> took{};
  bool is_over = false;
  std::uint64_t cleaned = 0;
  std::optional<base::Error> error{};
};

std::vector<Kind> KindsOf(const ChurnPlan& churn, std::uint64_t capacity);
async::Task<base::Result<>> Run(Churn* run);
async::Task<void> Write(Churn* run, std::uint32_t writer);
async::Task<base::Result<>> StoreWhenThereIsRoom(Churn* run, MailAppend* append, MailId id, MailToStore mail);
void Keep(Churn* run, Kind* kind, const MailAppend& append, Live live);
void Advance(Churn* run, std::size_t mail_bytes);
async::Task<base::Result<>> CheckKept(Churn* run);

}  // namespace

base::Result<Outcome> RunChurn(const MffsPlan& plan, const ChurnPlan& churn) {
  async::Shard shard("mffs");
  BenchVolume volume(shard.executor(), plan.path, plan.limits);
  Churn run{.plan = &plan, .churn = &churn, .volume = &volume};
  RETURN_IF_ERROR(RunToEnd(&shard, Run(&run)));
  Outcome outcome;
  outcome.seconds = run.took.count();
  outcome.tally = run.tally;
  outcome.more = fmt::format(
      R"(, "volume_bytes": {}, "appended_bytes": {}, "mail_bytes": {}, "capacity_bytes": {}, "segments_cleaned": {})",
      run.device_bytes, run.appended_bytes, run.tally.bytes, run.capacity, run.cleaned);
  return outcome;
}

namespace {

std::vector<Kind> KindsOf(const ChurnPlan& churn, std::uint64_t capacity) {
  const auto of_volume = [capacity](double share) {
    return static_cast<std::uint64_t>(static_cast<double>(capacity) * share);
  };
  std::vector<Kind> kinds;
  switch (churn.lives) {
    case Lives::kUniform:
      kinds.push_back({.share = 1, .bytes_max = of_volume(churn.fill)});
      break;
    case Lives::kSkewed:
      kinds.push_back({.mailboxes = kQuickMailboxes, .share = .8, .bytes_max = of_volume(churn.fill * .2)});
      kinds.push_back({.mailboxes_first = kQuickMailboxes,
                       .mailboxes = kMailboxes - kQuickMailboxes,
                       .share = .2,
                       .bytes_max = of_volume(churn.fill * .8)});
      break;
    case Lives::kSkewedUnknown:
      kinds.push_back({.share = .8, .bytes_max = of_volume(churn.fill * .2)});
      kinds.push_back({.share = .2, .bytes_max = of_volume(churn.fill * .8)});
      break;
    case Lives::kParked: {
      const auto parked = churn.streams ? mffs::Stream::kParked : mffs::Stream::kTransit;
      kinds.push_back(
          {.stream = mffs::Stream::kTransit, .share = .8, .bytes_max = of_volume(.05), .oldest_first = true});
      kinds.push_back({.stream = parked, .share = .2, .bytes_max = of_volume(churn.fill), .oldest_first = true});
      break;
    }
  }
  return kinds;
}

async::Task<base::Result<>> Run(Churn* run) {
  mffs::FormatOptions format;
  format.segment_bytes = run->churn->segment_bytes;
  CO_RETURN_IF_ERROR(co_await run->volume->FormatAndStart({}, format));
  run->capacity = run->volume->volume()->Status().space.capacity_bytes;
  run->kinds = KindsOf(*run->churn, run->capacity);
  async::TaskGroup writers(co_await asio::this_coro::executor, "writers");
  for (std::uint32_t i = 0; i < run->plan->load.writers; ++i) writers.Spawn(Write(run, i));
  co_await writers.Join();
  auto closed = co_await run->volume->Close();
  if (run->error.has_value()) co_return *std::move(run->error);
  if (!closed) co_return closed;
  co_return co_await CheckKept(run);
}

Kind* PickKind(Churn* run) {
  // While the volume fills, each kind comes as often as it will be there.
  const auto weight = [run](const Kind& kind) {
    return run->is_steady ? kind.share : static_cast<double>(kind.bytes_max);
  };
  double all = 0;
  for (const Kind& kind : run->kinds) all += weight(kind);
  double point = static_cast<double>(run->random.Next() >> 11) * 0x1p-53 * all;
  for (Kind& kind : run->kinds) {
    point -= weight(kind);
    if (point < 0) return &kind;
  }
  return &run->kinds.front();
}

async::Task<void> Write(Churn* run, std::uint32_t writer) {
  MailSource mails(run->plan->load.sizes, run->plan->load.bytes, writer);
  MailAppend append(run->volume->volume());
  for (std::uint64_t number = 0; !run->error.has_value() && !run->is_over; ++number) {
    Kind* const kind = PickKind(run);
    const MailId id{writer, number};
    const std::string_view mail = mails.Next();
    const auto begun = std::chrono::steady_clock::now();
    const auto mailbox = kind->mailboxes_first + static_cast<std::uint32_t>(run->random.Below(kind->mailboxes));
    // As the store does it: by what was removed before, and by nothing else.
    const bool is_brief = kind->stream == mffs::Stream::kMailbox && run->turnover.IsBrief(mailbox);
    auto stored =
        co_await StoreWhenThereIsRoom(run, &append, id, {mail, is_brief ? mffs::Stream::kBrief : kind->stream});
    if (!stored) {
      run->error = std::move(stored).error();
      co_return;
    }
    Keep(run, kind, append, {.id = id, .mailbox = mailbox});
    if (run->begun.has_value() && !run->is_over) {
      run->tally.waits.Add(std::chrono::steady_clock::now() - begun);
      run->appended_bytes += mail.size() + append.stored().size() * kHeadBytes;
    }
    Advance(run, mail.size());
  }
}

async::Task<base::Result<>> StoreWhenThereIsRoom(Churn* run, MailAppend* append, MailId id, MailToStore mail) {
  const auto give_up = std::chrono::steady_clock::now() + kRoomWithin;
  for (;;) {
    auto stored = co_await append->Store(id, mail);
    const bool is_full = !stored && stored.error().code() == base::Errc::kNoSpace;
    if (!is_full || std::chrono::steady_clock::now() > give_up || run->error.has_value()) co_return stored;
    co_await async::Sleep(std::chrono::milliseconds(2));
  }
}

void Remove(Churn* run, Kind* kind) {
  Live& goes = kind->oldest_first ? kind->mails.front() : kind->mails[run->random.Below(kind->mails.size())];
  for (std::uint32_t i = 0; i < goes.records; ++i) {
    const bool is_last = i + 1 == goes.records;
    run->volume->Release(
        {.type = is_last ? kMailType : kPartType, .partition = goes.id.writer, .epoch = i, .index = goes.id.number});
  }
  std::uint64_t all = 0;
  for (const Kind& each : run->kinds) all += each.bytes;
  run->turnover.Released(goes.mailbox, {.bytes = goes.bytes},
                         {.owner_bytes = run->mailboxes[goes.mailbox], .all_bytes = all});
  run->mailboxes[goes.mailbox] -= goes.bytes;
  kind->bytes -= goes.bytes;
  if (kind->oldest_first) {
    kind->mails.pop_front();
  } else {
    goes = kind->mails.back();
    kind->mails.pop_back();
  }
}

void Keep(Churn* run, Kind* kind, const MailAppend& append, Live live) {
  live.records = static_cast<std::uint32_t>(append.stored().size());
  for (const MailAppend::Stored& record : append.stored()) {
    live.bytes += record.location.size;
    run->volume->Keep(record);
  }
  kind->bytes += live.bytes;
  run->mailboxes[live.mailbox] += live.bytes;
  kind->mails.push_back(live);
  while (kind->bytes > kind->bytes_max) Remove(run, kind);
}

// From filling to settling (as much as the volume holds is written), to measuring, to the end.
void Advance(Churn* run, std::size_t mail_bytes) {
  const std::uint64_t written = run->volume->bytes_written_so_far();
  if (!run->is_steady) {
    // A kind is full when one of its mails had to go; it stays within a mail of its limit.
    run->is_steady = std::ranges::all_of(run->kinds, [](const Kind& kind) {
      return static_cast<double>(kind.bytes) > static_cast<double>(kind.bytes_max) * .98;
    });
    run->steady_since = written;
    return;
  }
  if (!run->begun.has_value()) {
    if (written - run->steady_since < run->capacity) return;
    run->begun = std::chrono::steady_clock::now();
    run->measured_from = written;
    run->cleaned = run->volume->volume()->Status().segments_cleaned;
    return;
  }
  if (run->is_over) return;
  run->tally.mails += 1;
  run->tally.acknowledged += 1;
  run->tally.bytes += mail_bytes;
  run->device_bytes = written - run->measured_from;
  if (run->device_bytes < run->churn->volumes_written * run->capacity) return;
  run->is_over = true;
  run->took = std::chrono::steady_clock::now() - *run->begun;
  run->cleaned = run->volume->volume()->Status().segments_cleaned - run->cleaned;
}

// What was kept is there, live, once; nothing else is.
async::Task<base::Result<>> CheckKept(Churn* run) {
  CO_RETURN_IF_ERROR(co_await run->volume->OpenToRead({}));
  std::uint64_t live = 0;
  const auto visit = [run, &live](const mffs::RecordView& record) -> base::Result<> {
    if (!record.is_live || (record.key.type != kMailType && record.key.type != kPartType)) return {};
    live += 1;
    if (run->volume->IsKeptAt(record.key, record.location)) return {};
    return base::Error(base::Errc::kCorrupt, fmt::format("a record of mail {} of writer {} is live after reopening, "
                                                         "but not where it was kept",
                                                         record.key.index, record.key.partition));
  };
  auto scanned = co_await run->volume->volume()->Scan(mffs::Lsn(), visit);
  base::Ignore(co_await run->volume->Close());  // Was not started: nothing to fail.
  if (!scanned) co_return scanned;
  if (live != run->volume->kept()) {
    co_return base::Error(base::Errc::kCorrupt,
                          fmt::format("{} records were kept, {} are live after reopening", run->volume->kept(), live));
  }
  co_return base::Result<>();
}

}  // namespace
}  // namespace bench
