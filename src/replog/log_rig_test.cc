#include "replog/log_rig.h"

#include <algorithm>

#include "base/random.h"

namespace replog {
namespace {

constexpr std::uint64_t kGroup = 4;  // Indexes of one piece of a snapshot.

}  // namespace

async::Task<base::Result<Epoch>> MapCoordinator::TakeEpoch(PartitionId partition, Epoch own_log) {
  if (error.has_value()) co_return base::Error(*error);
  Epoch& epoch = epochs[partition];
  epoch = std::max(epoch, own_log).Next();
  co_return epoch;
}

void KeepingMachine::Apply(const EntryView& entry, std::function<void(base::Result<std::string>)> done) {
  PartitionState& state = partitions[entry.partition];
  // Exactly once and in order; only the log's own empty entries are not seen.
  CHECK(entry.index > state.reached);
  state.reached = entry.index;
  if (entry.is_replay) state.replayed.push_back(entry.index);
  if (entry.type == kPut) {
    state.kept[entry.index] = {std::string(entry.meta), entry.body};
  } else {
    const Index index(std::stoull(std::string(entry.meta)));
    const auto found = state.kept.find(index);
    if (found != state.kept.end()) {
      log_->ReleaseBody(entry.partition, found->second.body);
      state.kept.erase(found);
    }
  }
  if (hold_done) {
    held_done.push_back(std::move(done));
  } else {
    done("applied " + std::to_string(entry.index.value()));
  }
}

void KeepingMachine::BodiesMoved(PartitionId partition, std::vector<BodyMove> moves) {
  for (const BodyMove& move : moves) {
    for (auto& [index, kept] : partitions[partition].kept) {
      if (kept.body.id != move.body || move.part >= kept.body.extents.size()) continue;
      if (kept.body.extents[move.part] == move.from) {
        kept.body.extents[move.part] = move.to;
        bodies_moved += 1;
      }
    }
  }
}

async::Task<base::Result<Index>> KeepingMachine::WriteSnapshot(PartitionId partition, SnapshotWriter* writer) {
  const PartitionState state = partitions[partition];
  partitions[partition].written.clear();
  std::string piece(8, '\0');
  std::uint64_t group = 0;
  for (const auto& [index, kept] : state.kept) {
    // Pieces end at the same indexes each time, so that many stay as they are.
    if (piece.size() > 8 && index.value() / kGroup != group) {
      CO_RETURN_IF_ERROR(co_await WritePiece(partition, writer, std::exchange(piece, std::string(8, '\0'))));
    }
    group = index.value() / kGroup;
    base::Encoder e(piece);
    e.U64(index.value());
    e.Text(kept.meta);
    kept.body.EncodeTo(e);
  }
  base::StoreLe(piece.data(), state.reached.value());
  CO_RETURN_IF_ERROR(co_await WritePiece(partition, writer, std::move(piece)));
  co_return state.reached;
}

async::Task<base::Result<>> KeepingMachine::WritePiece(PartitionId partition, SnapshotWriter* writer,
                                                       std::string piece) {
  PartitionState& state = partitions[partition];
  state.written.push_back(piece);
  const auto same = std::ranges::find(state.in_force, piece);
  if (same == state.in_force.end()) co_return co_await writer->Write(std::move(piece));
  writer->Keep(static_cast<std::size_t>(same - state.in_force.begin()));
  pieces_kept += 1;
  co_return base::Result<>();
}

void KeepingMachine::SnapshotInForce(PartitionId partition, Index) {
  PartitionState& state = partitions[partition];
  state.in_force = std::move(state.written);
}

bool KeepingMachine::BeginSnapshot(PartitionId partition, Index) {
  CHECK(!partitions.contains(partition));
  partitions[partition].reached = Index(0);
  return true;
}

base::Result<> KeepingMachine::LoadSnapshotPiece(PartitionId partition, std::string_view piece) {
  partitions[partition].in_force.emplace_back(piece);
  base::Decoder in(piece);
  // What this machine has seen itself, as the store counts it: the log's own entries are not among it.
  partitions[partition].reached = std::max(partitions[partition].reached, Index(in.U64()));
  while (in.remaining() > 0) {
    const Index index(in.U64());
    Kept kept;
    kept.meta = in.Text();
    kept.body = BodyRef::DecodeFrom(in);
    if (!in.ok()) return base::Error(base::Errc::kCorrupt, "a piece cannot be read");
    partitions[partition].kept[index] = std::move(kept);
  }
  return {};
}

async::Task<base::Result<>> KeepingMachine::EndSnapshot(PartitionId) {
  co_return base::Result<>();
}

async::Task<base::Result<>> KeepingMachine::Recovered() {
  recovered = true;
  co_return base::Result<>();
}

LogRig::LogRig(RigOptions in_options, MapCoordinator* in_coordinator)
    : options(std::move(in_options)),
      device(context.get_executor(), mffs::SimImage(options.device_bytes), DeviceOptions()),
      pool(context.get_executor(), options.pool),
      coordinator(in_coordinator),
      is_new_(true) {}

LogRig::LogRig(RigOptions in_options, MapCoordinator* in_coordinator, mffs::SimImage image)
    : options(std::move(in_options)),
      device(context.get_executor(), std::move(image), DeviceOptions()),
      pool(context.get_executor(), options.pool),
      coordinator(in_coordinator),
      is_new_(false) {}

LogRig::~LogRig() {
  if (log != nullptr) Crash();
}

mffs::SimDevice::Options LogRig::DeviceOptions() {
  mffs::SimDevice::Options device_options;
  device_options.reorder_seed = options.reorder_seed;
  // What was in flight fails then, so that every task of the process comes to its end.
  device_options.on_power_cut = [this] { asio::post(context, [this] { device.FailWhatWasCut(); }); };
  return device_options;
}

base::Result<> LogRig::Open() {
  return Run(OpenTask());
}

async::Task<base::Result<>> LogRig::OpenTask() {
  if (is_new_) {
    CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(&device, {.segment_bytes = 1u << 20}));
  }
  ASSIGN_OR_CO_RETURN(volume, co_await mffs::Volume::Open(&device, &clock, options.volume));
  log = std::make_unique<Log>(context.get_executor(), volume.get(), &pool, coordinator, options.log);
  machine = std::make_unique<KeepingMachine>(log.get());
  machine->held = held;
  co_return co_await log->Recover(machine.get(), machine.get());
}

base::Result<> LogRig::Close() {
  base::Result<> closed = Run(CloseTask());
  machine.reset();
  log.reset();
  volume.reset();
  return closed;
}

async::Task<base::Result<>> LogRig::CloseTask() {
  co_await log->Stop();
  co_return co_await volume->Close();
}

void LogRig::Crash() {
  if (!device.PowerWasCut()) device.CutPowerNow();
  device.FailWhatWasCut();
  if (log == nullptr) return;
  // Everything ends with errors, as it may.
  base::Ignore(Close());
}

base::Result<Committed> LogRig::Put(PartitionId partition, std::string meta, std::string mail, mffs::Stream stream) {
  return Run(PutTask(this, partition, std::move(meta), std::move(mail), stream));
}

base::Result<Committed> LogRig::Remove(PartitionId partition, Index index) {
  return Run(RemoveTask(this, partition, index));
}

base::Result<std::string> LogRig::Mail(PartitionId partition, Index index) {
  const auto& kept = machine->partitions[partition].kept;
  const auto found = kept.find(index);
  if (found == kept.end()) return base::Error(base::Errc::kNotFound, "the machine does not keep it");
  return Run(MailTask(this, found->second.body));
}

async::Task<base::Result<Committed>> PutTask(LogRig* rig, PartitionId partition, std::string meta, std::string mail,
                                             mffs::Stream stream) {
  BodyWriter writer(rig->log.get(), stream);
  CO_RETURN_IF_ERROR(co_await writer.Write(mail));
  Draft draft;
  draft.type = KeepingMachine::kPut;
  draft.stream = stream;
  draft.meta = std::move(meta);
  ASSIGN_OR_CO_RETURN(draft.body, co_await writer.Finish());
  co_return co_await rig->log->Propose(partition, std::move(draft));
}

async::Task<base::Result<Committed>> RemoveTask(LogRig* rig, PartitionId partition, Index index) {
  Draft draft;
  draft.type = KeepingMachine::kRemove;
  draft.meta = std::to_string(index.value());
  co_return co_await rig->log->Propose(partition, std::move(draft));
}

async::Task<base::Result<std::string>> MailTask(LogRig* rig, BodyRef body) {
  std::string mail;
  while (mail.size() < body.size_bytes) {
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await rig->log->ReadBody(body, mail.size(), 1u << 20));
    if (piece.empty()) co_return base::Error(base::Errc::kCorrupt, "the mail ends early");
    mail += piece;
  }
  co_return mail;
}

std::string PatternText(std::uint64_t seed, std::size_t bytes) {
  std::string text;
  text.reserve(bytes + 32);
  base::Random random(seed);
  while (text.size() < bytes) {
    text += std::to_string(seed) + ":" + std::to_string(text.size()) + ":" + std::to_string(random.Next()) + "\r\n";
  }
  text.resize(bytes);
  return text;
}

}  // namespace replog
