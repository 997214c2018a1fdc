#include "mffs/sim_device.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "mffs/device_request.h"

namespace mffs {
namespace {

using Kind = PlantedFault::Kind;

base::Error IoError(const std::string& device, std::string_view what, std::uint64_t offset);

}  // namespace

SimDevice::SimDevice(async::Executor executor, SimImage image, Options options)
    : executor_(executor),
      options_(std::move(options)),
      durable_(image),
      current_(std::move(image)),
      random_(options_.seed),
      throttle_timer_(executor),
      self_(std::make_shared<SimDevice*>(this)) {
  if (options_.reorder_seed) reorder_.emplace(*options_.reorder_seed);
}

SimDevice::~SimDevice() {
  *self_ = nullptr;
}

void SimDevice::Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) {
  CheckAligned(offset, data);
  if (auto within = CheckWithin(*this, offset, data.size()); !within)
    return PostDone(std::move(done), std::move(within));
  Operation operation{.offset = offset, .data = data, .sync = sync, .done = std::move(done)};
  operation.checksum = base::Crc32c(data);
  Begin(std::move(operation));
}

void SimDevice::Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) {
  CheckAligned(offset, into);
  if (auto within = CheckWithin(*this, offset, into.size()); !within)
    return PostDone(std::move(done), std::move(within));
  Begin({.kind = SimOperation::kRead, .offset = offset, .into = into, .done = std::move(done)});
}

void SimDevice::Flush(IoDone done) {
  Begin({.kind = SimOperation::kFlush, .done = std::move(done)});
}

void SimDevice::Begin(Operation operation) {
  if (fail_what_was_cut_) {
    PostDone(std::move(operation.done), IoError(options_.name, "the power is off", operation.offset));
  } else if (power_was_cut_) {
    cut_.push_back(std::move(operation.done));
  } else {
    started_.push_back(std::move(operation));
  }
}

void SimDevice::Submit() {
  for (Operation& operation : started_) {
    operation.begun = completions_;
    queue_.push_back(std::move(operation));
  }
  started_.clear();
  ScheduleTurn();
}

void SimDevice::RegisterBuffers(base::MutableByteSpan memory) {
  CHECK(!buffers_registered_);
  CheckAligned(0, memory);
  buffers_registered_ = true;
}

void SimDevice::ScheduleTurn() {
  if (turn_scheduled_ || queue_.empty()) return;
  turn_scheduled_ = true;
  auto turn = [self = self_](const boost::system::error_code& ec = {}) {
    if (*self != nullptr && !ec) (*self)->TakeTurn();
  };
  const auto cost = TurnCost(queue_.front());
  if (cost.count() == 0) {
    asio::post(executor_, std::move(turn));
    return;
  }
  free_at_ = std::max(free_at_, std::chrono::steady_clock::now()) + cost;
  throttle_timer_.expires_at(free_at_);
  throttle_timer_.async_wait(std::move(turn));
}

std::chrono::steady_clock::duration SimDevice::TurnCost(const Operation& operation) const {
  std::chrono::nanoseconds cost{0};
  if (throttle_.operations_per_second > 0)
    cost = std::chrono::nanoseconds(1'000'000'000 / throttle_.operations_per_second);
  if (throttle_.bytes_per_second > 0) {
    const double bytes = static_cast<double>(operation.data.size() + operation.into.size());
    const double seconds = bytes / static_cast<double>(throttle_.bytes_per_second);
    cost = std::max(cost, std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
  }
  return cost;
}

void SimDevice::TakeTurn() {
  turn_scheduled_ = false;
  if (queue_.empty()) return;
  Operation operation = PopNext();
  ScheduleTurn();
  if (hold_syncs_ && operation.is_sync()) {
    held_.push_back(std::move(operation));
    return;
  }
  const PlantedFault* fault = FaultFor(operation);
  if (fault != nullptr && fault->kind == Kind::kHang) {
    hanging_.push_back(std::move(operation));
    return;
  }
  const bool counts = operation.kind != SimOperation::kRead;
  if (counts && options_.before_operation) {
    queue_.push_front(std::move(operation));
    options_.before_operation();
    operation = std::move(queue_.front());
    queue_.pop_front();
  }
  if (counts && cut_at_ == operations_done_) {
    queue_.push_front(std::move(operation));
    CutPowerNow();
    return;
  }
  if (counts) ++operations_done_;
  base::Result<> result = Perform(operation, fault);
  operation.done(std::move(result));
}

SimDevice::Operation SimDevice::PopNext() {
  const std::size_t index = reorder_ ? reorder_->Below(queue_.size()) : 0;
  Operation operation = std::move(queue_[index]);
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
  return operation;
}

const PlantedFault* SimDevice::FaultFor(const Operation& operation) {
  const std::uint64_t end = operation.offset + operation.data.size() + operation.into.size();
  for (PlantedFault& fault : faults_) {
    if (fault.on != operation.kind || fault.times == 0) continue;
    const bool touches = operation.offset < fault.to && end > fault.from;
    if (operation.kind != SimOperation::kFlush && !touches) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (fault.times != PlantedFault::kAlways) --fault.times;
    hit_ = fault;
    return &hit_;
  }
  return nullptr;
}

base::Result<> SimDevice::Perform(const Operation& operation, const PlantedFault* fault) {
  if (operation.is_sync()) ++counters_.syncs;
  switch (operation.kind) {
    case SimOperation::kWrite:
      return PerformWrite(operation, fault);
    case SimOperation::kRead:
      return PerformRead(operation, fault);
    case SimOperation::kFlush:
      return PerformFlush(operation, fault);
  }
  CHECK(false);
}

base::Result<> SimDevice::PerformWrite(const Operation& operation, const PlantedFault* fault) {
  ++counters_.writes;
  counters_.bytes_written += operation.data.size();
  CHECK(base::Crc32c(operation.data) == operation.checksum);
  if (fault != nullptr && fault->kind == Kind::kLose) return {};
  std::uint64_t offset = operation.offset;
  if (fault != nullptr && fault->kind == Kind::kMisdirect) {
    offset = (offset + fault->shift_bytes) % (size_bytes() - operation.data.size() + kSectorBytes);
  }
  Pending write = MakePending(offset, operation.data);
  const bool failed = fault != nullptr && (fault->kind == Kind::kFail || fault->kind == Kind::kShort);
  if (failed) {
    const WriteFate left = fault->kind == Kind::kShort ? WriteFate::kTornHead : WriteFate::kTornMixed;
    ApplyWrite(current_, write.write, left, random_);
    write.doubtful = true;
    pending_.push_back(std::move(write));
    return IoError(options_.name, fault->kind == Kind::kShort ? "short write" : "write failed", operation.offset);
  }
  ApplyWrite(current_, write.write, WriteFate::kKept, random_);
  write.completed = completions_++;
  write.durable = operation.sync == Sync::kYes && !ignore_sync_;
  pending_.push_back(std::move(write));
  FoldDurable();
  return {};
}

base::Result<> SimDevice::PerformRead(const Operation& operation, const PlantedFault* fault) {
  ++counters_.reads;
  counters_.bytes_read += operation.into.size();
  const Kind kind = fault != nullptr ? fault->kind : Kind::kLose;
  if (kind == Kind::kFail) return IoError(options_.name, "read failed", operation.offset);
  if (kind == Kind::kShort) {
    current_.Read(operation.offset, operation.into.first(operation.into.size() / 2));
    return IoError(options_.name, "short read", operation.offset);
  }
  std::uint64_t offset = operation.offset;
  if (kind == Kind::kMisdirect) {
    offset = (offset + fault->shift_bytes) % (size_bytes() - operation.into.size() + kSectorBytes);
  }
  current_.Read(offset, operation.into);
  return {};
}

base::Result<> SimDevice::PerformFlush(const Operation& operation, const PlantedFault* fault) {
  ++counters_.flushes;
  if (ignore_sync_ || (fault != nullptr && fault->kind == Kind::kLose)) return {};
  const bool failed = fault != nullptr;
  for (Pending& write : pending_) {
    if (!write.completed || *write.completed >= operation.begun) continue;
    if (failed && !write.durable) write.doubtful = true;
    if (!failed && !write.doubtful) write.durable = true;
  }
  if (failed) return IoError(options_.name, "flush failed", 0);
  FoldDurable();
  return {};
}

SimDevice::Pending SimDevice::MakePending(std::uint64_t offset, base::ByteSpan data) {
  Pending pending{.write = {.first_sector = offset / kSectorBytes}};
  SimWrite& write = pending.write;
  write.sectors.reserve(data.size() / kSectorBytes);
  for (std::size_t at = 0; at < data.size(); at += kSectorBytes) {
    write.sectors.push_back(SimImage::MakeSector(data.subspan(at, kSectorBytes)));
  }
  return pending;
}

void SimDevice::FoldDurable() {
  while (!pending_.empty() && pending_.front().durable) {
    const Pending& write = pending_.front();
    ApplyWrite(durable_, write.write, WriteFate::kKept, random_);
    pending_.pop_front();
  }
}

void SimDevice::PostDone(IoDone done, base::Result<> result) {
  asio::post(executor_, [self = self_, done = std::move(done), result = std::move(result)]() mutable {
    if (*self != nullptr) done(std::move(result));
  });
}

void SimDevice::CutPowerNow() {
  if (std::exchange(power_was_cut_, true)) return;
  for (Operation& operation : held_) Abandon(std::move(operation));
  for (Operation& operation : hanging_) Abandon(std::move(operation));
  for (Operation& operation : queue_) Abandon(std::move(operation));
  // The disk never saw these.
  for (Operation& operation : started_) cut_.push_back(std::move(operation.done));
  held_.clear();
  hanging_.clear();
  queue_.clear();
  started_.clear();
  if (options_.on_power_cut) options_.on_power_cut();
}

SimCut SimDevice::IfCutNow() const {
  std::vector<SimCut::Write> writes;
  for (const Pending& pending : pending_) writes.push_back({pending.write, pending.durable});
  const auto add = [&writes](const auto& operations) {
    for (const Operation& operation : operations) {
      if (operation.kind != SimOperation::kWrite) continue;
      writes.push_back({MakePending(operation.offset, operation.data).write, false});
    }
  };
  add(held_);
  add(hanging_);
  add(queue_);
  return {durable_, std::move(writes)};
}

void SimDevice::Abandon(Operation operation) {
  if (operation.kind == SimOperation::kWrite) {
    CHECK(base::Crc32c(operation.data) == operation.checksum);
    pending_.push_back(MakePending(operation.offset, operation.data));
  }
  cut_.push_back(std::move(operation.done));
}

void SimDevice::FailWhatWasCut() {
  CHECK(power_was_cut_);
  fail_what_was_cut_ = true;
  for (IoDone& done : std::exchange(cut_, {})) {
    PostDone(std::move(done), IoError(options_.name, "the power is off", 0));
  }
}

void SimDevice::BeginNextProcess() {
  CHECK(!power_was_cut_);
  started_.clear();
  queue_.clear();
  held_.clear();
  hanging_.clear();
  buffers_registered_ = false;
}

std::size_t SimDevice::UnflushedWrites() const {
  CHECK(power_was_cut_);
  return static_cast<std::size_t>(std::ranges::count_if(pending_, [](const Pending& write) { return !write.durable; }));
}

SimImage SimDevice::ImageAfter(std::span<const WriteFate> fates, std::uint64_t seed) const {
  CHECK(power_was_cut_);
  return IfCutNow().ImageAfter(fates, seed);
}

SimImage SimDevice::ImageAfter(std::uint64_t seed) const {
  CHECK(power_was_cut_);
  return IfCutNow().ImageAfter(seed);
}

void SimDevice::Restart(std::uint64_t seed) {
  CutPowerNow();
  PowerOn(ImageAfter(seed));
}

void SimDevice::RestartWith(std::span<const WriteFate> fates, std::uint64_t seed) {
  CutPowerNow();
  PowerOn(ImageAfter(fates, seed));
}

void SimDevice::PowerOn(SimImage image) {
  durable_ = image;
  current_ = std::move(image);
  pending_.clear();
  cut_.clear();
  faults_.clear();
  power_was_cut_ = false;
  fail_what_was_cut_ = false;
  hold_syncs_ = false;
  buffers_registered_ = false;
  cut_at_.reset();
}

void SimDevice::Unhang() {
  std::erase_if(faults_, [](const PlantedFault& fault) { return fault.kind == Kind::kHang; });
  for (Operation& operation : hanging_) queue_.push_back(std::move(operation));
  hanging_.clear();
  ScheduleTurn();
}

void SimDevice::FlipBit(std::uint64_t offset, int bit) {
  durable_.FlipBit(offset, bit);
  current_.FlipBit(offset, bit);
  const std::uint64_t sector = offset / kSectorBytes;
  for (Pending& write : pending_) {
    const std::uint64_t first = write.write.first_sector;
    if (sector < first || sector - first >= write.write.sectors.size()) continue;
    SimSectorRef& copy = write.write.sectors[sector - first];
    SimImage scratch(kSectorBytes);
    scratch.SetSector(0, copy);
    scratch.FlipBit(offset % kSectorBytes, bit);
    copy = scratch.Sector(0);
  }
}

void SimDevice::HoldSyncs(bool hold) {
  hold_syncs_ = hold;
  if (hold) return;
  for (Operation& operation : held_) queue_.push_back(std::move(operation));
  held_.clear();
  ScheduleTurn();
}

namespace {

base::Error IoError(const std::string& device, std::string_view what, std::uint64_t offset) {
  return base::Error(base::Errc::kIo, fmt::format("{}: {} at byte {} (simulated)", device, what, offset));
}

}  // namespace
}  // namespace mffs
