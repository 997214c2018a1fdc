#include "mffs/scrubber.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "mffs/image_geometry.h"
#include "mffs/sector_verifier.h"
#include "mffs/segment_check.h"
#include "mffs/segment_summary.h"

namespace mffs {
namespace {

constexpr std::uint32_t kReadSectors = 64;
constexpr std::uint64_t kReadBytes = kReadSectors * kSectorBytes;
constexpr std::uint64_t kRateMin = 512;  // A read in eight minutes: small volumes get on between two restarts too.
constexpr std::chrono::seconds kLookAgain{60};
constexpr std::chrono::milliseconds kBusyPause{1};
constexpr int kBusyPausesMax = 50;
constexpr std::size_t kFindingsMax = 100;
constexpr std::size_t kKnownBadMax = 100'000;
constexpr std::size_t kLinesMax = 20;  // Of one segment in the log.
constexpr std::uint32_t kSuperblocks = 0xffffffff;

std::uint64_t SecondsNow(const base::Clock& clock) {
  const auto now = std::chrono::floor<std::chrono::seconds>(clock.WallNow());
  return static_cast<std::uint64_t>(now.time_since_epoch().count());
}

bool IsInUse(const Segment& segment) {
  return (segment.state == SegmentState::kOpen || segment.state == SegmentState::kSealed) && segment.live.live() > 0;
}

bool Contains(const std::vector<std::uint32_t>& list, std::uint32_t value) {
  return std::ranges::find(list, value) != list.end();
}

std::uint64_t BytesOf(const Segment& segment) {
  return segment.end_sector * kSectorBytes;
}

}  // namespace

Scrubber::Scrubber(async::Executor executor, World world, Options options, ScrubMark found)
    : world_(world),
      options_(std::move(options)),
      mark_(found),
      last_read_at_(world.clock->SteadyNow()),
      last_read_bytes_(kReadBytes),
      wanted_(executor) {
  if (mark_.next_segment >= world_.geometry.segment_count) mark_.next_segment = 0;
}

async::Task<void> Scrubber::Run() {
  while (!stopping_) {
    begins_anew_ = false;
    FindBackgroundRate();
    if (Rate() == 0) {
      co_await wanted_.WaitFor(kLookAgain);
      continue;
    }
    if (mark_.next_segment == 0) co_await ScrubSuperblocks();
    const auto segment = NextSegment();
    if (segment.has_value() && !begins_anew_ && !stopping_) co_await ScrubSegment(*segment);
    if (begins_anew_ || stopping_) continue;
    if (segment.has_value()) mark_.next_segment = *segment + 1;
    if (!NextSegment().has_value()) EndPass();
  }
}

void Scrubber::Stop() {
  stopping_ = true;
  wanted_.Set();
}

base::Result<> Scrubber::Begin(std::uint64_t bytes_per_second) {
  CHECK(bytes_per_second > 0);
  if (requested_rate_.has_value()) {
    return base::Error(base::Errc::kBusy,
                       "a scrub is under way: watch it with `posthorn mffs scrub --watch`, or stop it with --stop");
  }
  requested_rate_ = bytes_per_second;
  mark_.next_segment = 0;
  mark_.pass_began = 0;
  status_.pass_bytes_done = 0;
  last_read_bytes_ = 0;
  begins_anew_ = true;
  wanted_.Set();
  return {};
}

void Scrubber::End() {
  requested_rate_.reset();
  FindBackgroundRate();
  wanted_.Set();
}

ScrubStatus Scrubber::Status() const {
  ScrubStatus status = status_;
  status.is_requested = requested_rate_.has_value();
  status.bytes_per_second = Rate();
  status.is_on = Rate() > 0;
  status.pass_bytes_total = status.pass_bytes_done + BytesInUse().left;
  status.pass_began = mark_.pass_began;
  status.last_pass_ended = mark_.last_ended;
  return status;
}

// --- When ---

Scrubber::InUse Scrubber::BytesInUse() const {
  InUse bytes;
  for (std::uint32_t i = 0; i < world_.table->size(); ++i) {
    const Segment& segment = (*world_.table)[i];
    if (!IsInUse(segment)) continue;
    bytes.total += BytesOf(segment);
    if (i >= mark_.next_segment) bytes.left += BytesOf(segment);
  }
  return bytes;
}

// What is left of the pass in what is left of its time: a node that was down for a while catches up, at four times the
// usual rate at most.
void Scrubber::FindBackgroundRate() {
  background_rate_ = 0;
  if (options_.within.count() <= 0) return;
  const auto pass_seconds = std::max<std::uint64_t>(static_cast<std::uint64_t>(options_.within.count()) * 9 / 10, 1);
  const InUse bytes = BytesInUse();
  const std::uint64_t usual = bytes.total / pass_seconds;
  const std::uint64_t now = SecondsNow(*world_.clock);
  const std::uint64_t deadline = (mark_.pass_began == 0 ? now : mark_.pass_began) + pass_seconds;
  const std::uint64_t seconds_left = deadline > now ? deadline - now : 1;
  background_rate_ = std::max({std::min(bytes.left / seconds_left, usual * 4), usual, kRateMin});
}

std::optional<std::uint32_t> Scrubber::NextSegment() const {
  for (std::uint32_t i = mark_.next_segment; i < world_.table->size(); ++i) {
    if (IsInUse((*world_.table)[i])) return i;
  }
  return std::nullopt;
}

bool Scrubber::IsStill(std::uint32_t segment, std::uint32_t generation) const {
  const Segment& now = (*world_.table)[segment];
  return now.generation == generation && IsInUse(now);
}

// False: not this read, since the scrub was stopped or begun anew.
async::Task<bool> Scrubber::AwaitTurn() {
  while (!stopping_ && !begins_anew_) {
    std::chrono::nanoseconds left = kLookAgain;
    if (Rate() > 0) {
      const double pause = 1e9 * static_cast<double>(last_read_bytes_) / static_cast<double>(Rate());
      const std::chrono::nanoseconds waited = world_.clock->SteadyNow() - last_read_at_;
      left = std::min(left, std::chrono::nanoseconds(static_cast<std::int64_t>(pause)) - waited);
    }
    if (left.count() <= 0) break;
    co_await wanted_.WaitFor(left);
  }
  for (int i = 0; i < kBusyPausesMax && options_.is_busy && options_.is_busy(); ++i) {
    if (stopping_ || begins_anew_) break;
    co_await wanted_.WaitFor(kBusyPause);
  }
  co_return !stopping_ && !begins_anew_;
}

void Scrubber::CountRead(std::uint64_t bytes) {
  last_read_at_ = world_.clock->SteadyNow();
  last_read_bytes_ = bytes;
  status_.bytes_read += bytes;
  if (mark_.pass_began == 0) mark_.pass_began = SecondsNow(*world_.clock);
}

void Scrubber::EndPass() {
  const bool was_requested = requested_rate_.has_value();
  requested_rate_.reset();
  mark_ = {.next_segment = 0, .pass_began = 0, .last_ended = SecondsNow(*world_.clock)};
  ++status_.passes_ended;
  status_.pass_bytes_done = 0;
  const auto log = was_requested || status_.bad_sectors > 0 ? base::LogLevel::kInfo : base::LogLevel::kDebug;
  base::Log(log, "mffs_scrub_ended",
            {{"bad_sectors", status_.bad_sectors},
             {"lost_records", status_.lost_records},
             {"requested", was_requested ? "yes" : "no"}});
}

// --- Superblocks ---

async::Task<std::vector<std::uint32_t>> Scrubber::BadSuperblocks() {
  const auto copies = co_await ReadSuperblockCopies(world_.device, world_.geometry.end, world_.deadline);
  std::vector<std::uint32_t> bad;
  for (std::uint32_t i = 0; i < copies.size(); ++i) {
    if (!copies[i].superblock.has_value()) bad.push_back(i);
  }
  co_return bad;
}

async::Task<void> Scrubber::ScrubSuperblocks() {
  const bool may_read = co_await AwaitTurn();
  if (!may_read) co_return;
  std::vector<std::uint32_t> bad = co_await BadSuperblocks();
  CountRead(kSuperblockCopies * kSectorBytes);
  if (bad.empty()) co_return;
  // A copy that was being written when it was read is whole now.
  const std::vector<std::uint32_t> again = co_await BadSuperblocks();
  std::erase_if(bad, [&](std::uint32_t copy) { return !Contains(again, copy); });
  if (CountNew(kSuperblocks, 0, bad) == 0) co_return;
  for (const std::uint32_t copy : bad) {
    const std::uint64_t offset = SuperblockOffset(copy, world_.geometry.end);
    Add({.severity = Severity::kWarning,
         .kind = "superblock",
         .sentence = fmt::format("superblock copy {} at {} is damaged; no mail is affected and the next checkpoint "
                                 "writes it anew, but look at the disk's own error log",
                                 copy, offset),
         .offset = offset});
  }
}

// --- Segments ---

async::Task<void> Scrubber::ScrubSegment(std::uint32_t number) {
  const std::uint32_t generation = (*world_.table)[number].generation;
  const std::uint64_t done_before = status_.pass_bytes_done;
  Verified verified = co_await VerifySegment(number);
  if (!verified.is_whole || begins_anew_) co_return;
  const bool all_known = std::ranges::all_of(
      verified.bad, [&](std::uint32_t sector) { return known_bad_.contains({number, generation, sector}); });
  if (all_known) co_return;
  // Once more: what was bad for a moment (a cable, a summary that was just being written) is not rot.
  status_.pass_bytes_done = done_before;
  const Verified again = co_await VerifySegment(number);
  if (!again.is_whole || begins_anew_) co_return;
  std::erase_if(verified.bad, [&](std::uint32_t sector) { return !Contains(again.bad, sector); });
  const std::uint64_t new_bad = CountNew(number, generation, verified.bad);
  if (new_bad > 0) co_await Report(number, generation, new_bad);
}

async::Task<Scrubber::Verified> Scrubber::VerifySegment(std::uint32_t number) {
  const std::uint32_t generation = (*world_.table)[number].generation;
  // Only what is durable by now: it stays as it is while the generation does.
  const std::uint32_t end = (*world_.table)[number].end_sector;
  SectorVerifier verifier(world_.geometry, number, generation, end);
  Verified verified;
  while (verifier.next_sector() < end) {
    const bool may_read = co_await AwaitTurn();
    if (!may_read || !IsStill(number, generation)) co_return verified;
    const std::uint32_t first = verifier.next_sector();
    const std::uint32_t count = std::min(kReadSectors, end - first);
    const SectorsRead read =
        co_await ReadSectorsSingly(world_.device, world_.geometry.SectorOffset(number, first), count, world_.deadline);
    CountRead(count * kSectorBytes);
    status_.pass_bytes_done += count * kSectorBytes;
    // Taken anew while it was read: the generation was raised before the first write.
    if (!IsStill(number, generation)) co_return verified;
    for (std::uint32_t i = 0; i < count; ++i) {
      const base::ByteSpan sector = read.memory.span().subspan(i * kSectorBytes, kSectorBytes);
      if (verifier.Feed(sector, read.is_read[i]) == SectorState::kBad) verified.bad.push_back(first + i);
    }
  }
  const bool is_bad = co_await SummaryIsBad(number, generation);
  if (is_bad) verified.bad.push_back(world_.geometry.footer_sector());
  verified.is_whole = IsStill(number, generation);
  co_return verified;
}

async::Task<bool> Scrubber::SummaryIsBad(std::uint32_t number, std::uint32_t generation) {
  const auto is_written = [this, number] {
    const Segment& segment = (*world_.table)[number];
    return segment.state == SegmentState::kSealed && segment.holds == 0;
  };
  const bool may_read = co_await AwaitTurn();
  if (!may_read || !IsStill(number, generation) || !is_written()) co_return false;
  const SegmentSummary summary =
      co_await SegmentSummary::Load(world_.device, world_.geometry, number, generation, world_.deadline);
  CountRead(kSectorBytes + (summary.footer().has_value() ? summary.footer()->summary_bytes : 0));
  co_return !summary.damage().empty() && is_written();
}

// --- What was found ---

std::uint64_t Scrubber::CountNew(std::uint32_t segment, std::uint32_t generation,
                                 const std::vector<std::uint32_t>& bad) {
  std::uint64_t count = 0;
  for (const std::uint32_t sector : bad) {
    if (known_bad_.size() >= kKnownBadMax) break;
    if (known_bad_.emplace(segment, generation, sector).second) ++count;
  }
  status_.bad_sectors += count;
  return count;
}

// Says what the bad sectors mean: the records in them, and what to do.
async::Task<void> Scrubber::Report(std::uint32_t number, std::uint32_t generation, std::uint64_t new_bad) {
  Findings found(kFindingsMax);
  SegmentCheckCalls calls;
  calls.visit = [&](const CheckedRecord& record) {
    if (record.is_readable || !record.is_live) return;
    const std::string what = options_.describe ? options_.describe(record.key, record.head)
                                               : fmt::format("the record with partition {}, index {}",
                                                             record.key.partition, record.key.index);
    found.Add({.severity = Severity::kDamage,
               .kind = "mail",
               .sentence = fmt::format("it cannot be read any more: {}; restore it from a backup", what),
               .segment = number,
               .offset = world_.geometry.SegmentOffset(number) + record.location.offset,
               .lsn = record.lsn.value(),
               .partition = record.key.partition,
               .index = record.key.index});
  };
  const SegmentCheck check =
      co_await CheckSegment(world_.device, world_.geometry, {number, world_.table}, std::move(calls), &found);
  // Freed meanwhile: nobody needs it any more.
  if (!IsStill(number, generation)) co_return;
  lost_records_[{number, generation}] = check.lost_records;
  status_.lost_records = 0;
  for (const auto& [segment, lost] : lost_records_) status_.lost_records += lost;
  found.Sort();
  std::size_t lines = 0;
  for (const Finding& finding : found.kept()) {
    if (finding.kind == "record" && finding.severity == Severity::kDamage)
      continue;  // Said by "mail", in better words.
    if (++lines > kLinesMax) break;
    Add(finding);
  }
  base::LogError("mffs_scrub_damage",
                 {{"segment", number},
                  {"new_bad_sectors", new_bad},
                  {"lost_records", check.lost_records},
                  {"do", check.lost_records > 0
                             ? "the lines above name what is lost: restore it, then move the volume to a good disk"
                             : "no mail is lost: move the volume to a good disk before some is"}});
}

void Scrubber::Add(Finding finding) {
  base::Log(finding.severity == Severity::kDamage ? base::LogLevel::kError : base::LogLevel::kWarning, "mffs_scrub",
            {{"kind", finding.kind}, {"what", finding.sentence}});
  if (status_.findings.size() >= kFindingsMax) status_.findings.erase(status_.findings.begin());
  status_.findings.push_back(std::move(finding));
}

}  // namespace mffs
