#include "bench_volume.h"

#include <exception>
#include <utility>

#include "base/bytes.h"
#include "mffs/open_device.h"

namespace bench {

base::Result<> BenchVolume::OpenDevice() {
  ASSIGN_OR_RETURN(device_, mffs::OpenDevice(executor_, path_, {}));
  meter_ = std::make_unique<MeteredDevice>(executor_, device_.get(), limits_);
  return {};
}

async::Task<base::Result<>> BenchVolume::FormatAndStart(mffs::VolumeOptions options, mffs::FormatOptions format) {
  CO_RETURN_IF_ERROR(OpenDevice());
  CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(meter_.get(), format));
  ASSIGN_OR_CO_RETURN(volume_, co_await mffs::Volume::Open(meter_.get(), &clock_, std::move(options)));
  volume_->Start(this);
  is_started_ = true;
  co_return base::Result<>();
}

async::Task<base::Result<>> BenchVolume::OpenToRead(mffs::VolumeOptions options) {
  CO_RETURN_IF_ERROR(OpenDevice());
  ASSIGN_OR_CO_RETURN(volume_, co_await mffs::Volume::Open(meter_.get(), &clock_, std::move(options)));
  co_return base::Result<>();
}

async::Task<base::Result<>> BenchVolume::Close() {
  base::Result<> closed;
  if (is_started_) closed = co_await volume_->Close();
  is_started_ = false;
  volume_.reset();
  writes_ += meter_->writes();
  bytes_written_ += meter_->bytes_written();
  meter_.reset();
  device_.reset();
  co_return closed;
}

void BenchVolume::Release(const mffs::RecordKey& key) {
  const auto record = kept_.find(key);
  volume_->Release(record->second);
  kept_.erase(record);
}

async::Task<base::Result<>> BenchVolume::Moved(std::vector<Move> moves) {
  std::string note;
  base::Encoder out(note);
  for (const Move& move : moves) {
    move.from.EncodeTo(out);
    move.to.EncodeTo(out);
  }
  ASSIGN_OR_CO_RETURN(const mffs::Location place,
                      co_await volume_->AppendCopy(mffs::Stream::kMeta, {.type = kMoveType}, "", std::move(note)));
  notes_.push_back(place);
  for (const Move& move : moves) {
    const auto record = kept_.find(move.key);
    if (record == kept_.end()) {
      volume_->Release(move.to);
    } else {
      record->second = move.to;
    }
  }
  co_return base::Result<>();
}

mffs::RecordOwner::CheckpointState BenchVolume::TakeCheckpointState() {
  std::uint64_t bytes = 0;
  for (const mffs::Location& note : notes_) bytes += note.size;
  if (bytes < kNotesBytesMax) return {};
  return {.state = {}, .releases = std::exchange(notes_, {})};
}

base::Result<> RunToEnd(async::Shard* shard, async::Task<base::Result<>> task) {
  base::Result<> result;
  std::exception_ptr thrown;
  asio::co_spawn(shard->context(), std::move(task), [&](const std::exception_ptr& error, base::Result<> ended) {
    thrown = error;
    result = std::move(ended);
    shard->Abort();
  });
  shard->RunHere();
  if (thrown) std::rethrow_exception(thrown);
  return result;
}

}  // namespace bench
