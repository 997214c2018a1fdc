// For tests: every moment of a run at which the power may fail, and everything that it may leave of the writes in
// flight.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>

#include "mffs/small_log_check_testing.h"

namespace mffs {

// A disk, what its owner was told, and how it came to be so.
struct DiskState {
  SimImage image{kSectorBytes};
  LogModel model;
  std::string trail;
};

// How finely the fates of unflushed writes are told apart. Always: each lost or kept.
enum class FateDetail : std::uint8_t {
  kFew,    // Or torn once at a 4 KiB and once at a 512 B boundary, the head kept. All combinations.
  kMany,   // The same, and with the tail kept. All combinations of up to three; of more, kFew.
  kEvery,  // As kMany; and a write that is alone torn at every boundary of 512 B, head kept and tail kept. A write of
           // more than 16 sectors: at every 512 B in its first four and last two sectors, elsewhere at every 4 KiB.
};

using Fates = std::vector<KeptUnits>;

inline Fates FatesOfOne(std::uint32_t units, FateDetail detail) {
  const std::uint32_t sectors = units / kUnitsInSector;
  const std::uint32_t aligned = sectors / 2 * kUnitsInSector;  // Of one sector: 0, no tear.
  const std::uint32_t unaligned = aligned + 3;
  Fates fates{{0, 0}, {0, units}, {0, unaligned}};
  if (aligned > 0) fates.push_back({0, aligned});
  if (detail == FateDetail::kFew) return fates;
  fates.push_back({unaligned, units});
  if (aligned > 0) fates.push_back({aligned, units});
  if (detail == FateDetail::kMany) return fates;
  fates = {{0, 0}, {0, units}};
  for (std::uint32_t at = 1; at < units; ++at) {
    const std::uint32_t sector = at / kUnitsInSector;
    const bool is_small_or_at_an_end = sectors <= 16 || sector < 4 || sector + 2 >= sectors;
    if (!is_small_or_at_an_end && at % kUnitsInSector != 0) continue;
    fates.push_back({0, at});
    fates.push_back({at, units});
  }
  return fates;
}

// What may become of all unflushed writes.
inline std::vector<Fates> FatesOf(const std::vector<std::uint32_t>& units, FateDetail detail) {
  FateDetail each = units.size() == 1 || detail == FateDetail::kFew ? detail : FateDetail::kMany;
  if (units.size() > 3) each = FateDetail::kFew;
  std::vector<Fates> all{{}};
  for (const std::uint32_t count : units) {
    std::vector<Fates> longer;
    for (const Fates& begun : all) {
      for (const KeptUnits& fate : FatesOfOne(count, each)) {
        longer.push_back(begun);
        longer.back().push_back(fate);
      }
    }
    all = std::move(longer);
  }
  return all;
}

inline std::string NameOf(const Fates& fates) {
  std::string name;
  for (const KeptUnits& kept : fates) name += fmt::format("[{},{})", kept.from, kept.to);
  return name.empty() ? "nothing in flight" : name;
}

// Runs a log on a disk. Each run is the same for the same arguments.
class LogRun {
 public:
  struct Plan {
    std::vector<LogOp> ops;
    // Cuts from the beginning of this operation on; the number of operations: while it closes.
    std::size_t look_from = 0;
    // The operations begin when the mount's first checkpoint is durable; else they run beside it.
    bool settle_first = false;
    bool close = true;
    std::optional<std::uint64_t> reorder_seed{};
    std::chrono::milliseconds write_deadline{30000};
  };
  // `moment` counts the device's writes since the opening.
  using Look = std::function<void(const SimCut& cut, const LogModel& model, std::uint64_t moment)>;

  LogRun(const DiskState& before, Plan plan)
      : log(before.model), machine(before.image, plan.reorder_seed), plan_(std::move(plan)) {}

  // Opens the disk and runs to the end. Returns what went wrong, or nothing.
  std::string Run(const Look& look) {
    VolumeOptions options = TestMachine::Options();
    options.clean_below_live_percent = std::ranges::find(plan_.ops, LogOp::kClean) != plan_.ops.end() ? 1 : 0;
    options.write_deadline = plan_.write_deadline;
    const auto opened = machine.Open(options);
    if (!opened.has_value()) return "cannot be opened: " + opened.error().message();
    log.Adopt(machine);
    std::uint64_t moment = 0;
    machine.before_operation = [&] {
      if (look && stage_ >= plan_.look_from) look(machine.device.IfCutNow(), log.model, moment);
      ++moment;
    };
    machine.StartFor(&log);
    bool ended = false;
    asio::co_spawn(machine.context, Work(), [&ended](const std::exception_ptr& error) {
      CHECK(error == nullptr);
      ended = true;
    });
    machine.context.restart();
    while (!ended) CHECK(machine.context.run_one() > 0);
    machine.before_operation = nullptr;
    return failure_;
  }

  SmallLog log;
  TestMachine machine;

 private:
  async::Task<void> Work() {
    if (plan_.settle_first) base::Ignore(co_await machine.volume->Checkpoint());
    for (stage_ = 0; stage_ < plan_.ops.size(); ++stage_) {
      const bool ok = co_await log.Do(plan_.ops[stage_]);
      if (!ok) failure_ = fmt::format("operation {}: {}", stage_, log.failure);
      if (!ok) break;
    }
    stage_ = plan_.ops.size();
    if (!plan_.close) co_return;
    machine.started = false;
    const auto closed = co_await machine.volume->Close();
    if (!closed.has_value() && failure_.empty()) failure_ = "closing: " + closed.error().message();
  }

  Plan plan_;
  std::size_t stage_ = 0;
  std::string failure_;
};

// A volume with a past: segments used again, some that cleaning will want, snapshots, notes, removed mails.
inline const DiskState& AgedDisk() {
  static const DiskState aged = [] {
    // Each volume opened takes memory by the MiB and gives it back: faster from the heap than from the kernel.
    mallopt(M_MMAP_THRESHOLD, 256 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    DiskState disk{.image = SimImage(std::uint64_t{30} << 20), .model = {}, .trail = {}};
    TestMachine formatter(disk.image);
    constexpr std::array<std::byte, 16> kUuid{std::byte{1}, std::byte{2}, std::byte{3}};
    const FormatOptions format{.segment_bytes = 1u << 20, .uuid = kUuid};
    CHECK(async::RunTask(formatter.context, Volume::Format(&formatter.device, format)).has_value());
    disk.image = formatter.device.Snapshot();
    const std::vector<std::vector<LogOp>> lives = {{LogOp::kSmall, LogOp::kSmall, LogOp::kMulti, LogOp::kSnapshot},
                                                   {LogOp::kRelease, LogOp::kSmall, LogOp::kSnapshot},
                                                   {LogOp::kMulti, LogOp::kRelease, LogOp::kCheckpoint}};
    for (const auto& ops : lives) {
      LogRun run(disk, {.ops = ops, .close = false});
      CHECK(run.Run({}).empty());
      CHECK(async::RunTask(run.machine.context, run.log.PutBallast()));
      CHECK(run.machine.Close().has_value());
      disk = {.image = run.machine.device.Snapshot(), .model = run.log.model, .trail = {}};
    }
    return disk;
  }();
  return aged;
}

// Visits what cuts leave; each image with equal promises once.
class CutExplorer {
 public:
  using Visit = std::function<void(const DiskState&)>;

  // What a cut at each moment of the run leaves, and what the run leaves at its end.
  void Explore(const DiskState& before, const LogRun::Plan& plan, FateDetail detail, const Visit& visit) {
    LogRun run(before, plan);
    const std::string trail = before.trail + " ; " + NameOf(plan.ops) + (plan.settle_first ? " settled" : "");
    const std::string failure = run.Run([&](const SimCut& cut, const LogModel& model, std::uint64_t moment) {
      const std::string promises = model.Fingerprint();
      for (const Fates& fates : FatesOf(cut.UnflushedUnits(), detail)) {
        VisitOnce(
            cut.ImageAfter(fates), model, promises,
            [&] { return fmt::format("{} cut at write {} keeping {}", trail, moment, NameOf(fates)); }, visit);
      }
    });
    if (!failure.empty()) failures.push_back(trail + ": " + failure);
    VisitOnce(run.machine.device.Snapshot(), run.log.model, run.log.model.Fingerprint(), [&] { return trail; }, visit);
  }

  // Opens the disk and compares. `use`: also appends, closes, opens and compares again.
  void Check(const DiskState& disk, bool use) {
    TestMachine machine(disk.image);
    const auto opened = machine.Open();
    if (!opened.has_value()) return Note(disk, {"cannot be opened: " + opened.error().message()});
    Note(disk, LogCheck::Complaints(machine, disk.model));
    if (!use) return;
    LogRun used(disk, {.ops = {LogOp::kSmall}});
    const std::string failure = used.Run({});
    if (!failure.empty()) Note(disk, {"cannot be used: " + failure});
    TestMachine again(used.machine.device.Snapshot());
    const auto reopened = again.Open();
    if (!reopened.has_value()) return Note(disk, {"cannot be opened again: " + reopened.error().message()});
    Note(disk, LogCheck::Complaints(again, used.log.model));
  }

  std::size_t images() const { return images_.size(); }
  std::size_t visits() const { return visited_.size(); }
  std::vector<std::string> failures;

 private:
  void VisitOnce(SimImage image, const LogModel& model, const std::string& promises,
                 const std::function<std::string()>& trail, const Visit& visit) {
    const std::uint64_t hash = image.Hash();
    if (!visited_.insert({hash, std::hash<std::string>()(promises)}).second) return;
    images_.insert(hash);
    visit({.image = std::move(image), .model = model, .trail = trail()});
  }
  void Note(const DiskState& disk, const std::vector<std::string>& complaints) {
    for (const std::string& complaint : complaints) failures.push_back(disk.trail + ": " + complaint);
  }

  std::set<std::pair<std::uint64_t, std::uint64_t>> visited_;
  std::set<std::uint64_t> images_;
};

}  // namespace mffs
