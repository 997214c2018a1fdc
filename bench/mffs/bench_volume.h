// BenchVolume: a volume on the metered device, and its owner, which knows what is queued in it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/shard.h"
#include "base/clock.h"
#include "base/result.h"
#include "mail_append.h"
#include "metered_device.h"
#include "mffs/volume.h"

namespace bench {

// Thread: one shard, that of the executor. Owns device and volume, from opening to Close(), which is awaited before the
// destructor. A device serves one volume, so each opening gets a new one. Errors: those of OpenDevice and Volume.
class BenchVolume final : public mffs::RecordOwner {
 public:
  BenchVolume(async::Executor executor, std::string path, DeviceLimits limits)
      : executor_(executor), path_(std::move(path)), limits_(limits) {}

  async::Task<base::Result<>> FormatAndStart(mffs::VolumeOptions options, mffs::FormatOptions format = {});
  // Opens what was formatted and closed before; without writing to it.
  async::Task<base::Result<>> OpenToRead(mffs::VolumeOptions options);
  async::Task<base::Result<>> Close();

  mffs::Volume* volume() { return volume_.get(); }
  // Of the volumes that are closed.
  std::uint64_t writes() const { return writes_; }
  std::uint64_t bytes_written() const { return bytes_written_; }

  std::uint64_t bytes_written_so_far() const { return bytes_written_ + (meter_ ? meter_->bytes_written() : 0); }

  // The queue: records are kept until they are released; cleaning may move them meanwhile.
  void Keep(const MailAppend::Stored& record) { kept_.emplace(record.key, record.location); }
  void Release(const mffs::RecordKey& key);
  std::size_t kept() const { return kept_.size(); }
  bool IsKeptAt(const mffs::RecordKey& key, const mffs::Location& location) const {
    const auto record = kept_.find(key);
    return record != kept_.end() && record->second == location;
  }

  async::Task<base::Result<>> Moved(std::vector<Move> moves) override;
  CheckpointState TakeCheckpointState() override;
  void CheckpointDurable() override {}

 private:
  // Of moves: a log needs no more of them than that, since it writes a snapshot then.
  static constexpr std::uint64_t kNotesBytesMax = 8u << 20;

  base::Result<> OpenDevice();

  async::Executor executor_;
  std::string path_;
  DeviceLimits limits_;
  base::SystemClock clock_;
  std::unique_ptr<mffs::BlockDevice> device_;
  std::unique_ptr<MeteredDevice> meter_;
  std::unique_ptr<mffs::Volume> volume_;
  bool is_started_ = false;
  std::uint64_t writes_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::map<mffs::RecordKey, mffs::Location> kept_;
  std::vector<mffs::Location> notes_;
};

// Runs `task` on `shard`, on this thread, to its end.
base::Result<> RunToEnd(async::Shard* shard, async::Task<base::Result<>> task);

}  // namespace bench
