#include "app/volume_file.h"

#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/log.h"
#include "mffs/open_device.h"
#include "mffs/preallocate.h"

namespace app {
namespace {

mffs::DeviceChoice ChoiceOf(const std::string& io) {
  if (io == "io_uring") return mffs::DeviceChoice::kUring;
  if (io == "threads") return mffs::DeviceChoice::kThreadPool;
  return mffs::DeviceChoice::kAuto;
}

// A file has this name until it is formatted: nothing of anybody's is in it.
std::string UnfinishedName(const NodeConfig& config) {
  return config.VolumePath() + ".unfinished";
}

// Reserves the space under the unfinished name. True: it is on the disk as zeroes.
base::Result<bool> MakeFile(const std::string& path, const NodeConfig& config) {
  const std::uint64_t bytes = config.volume_bytes;
  // What is left of a start that was cut off may have been made for another size.
  std::error_code missing;
  if (std::filesystem::file_size(path, missing) > bytes && !missing) std::filesystem::resize_file(path, bytes, missing);
  base::LogInfo("volume_make", {{"path", path}, {"bytes", bytes}, {"zero_fill", config.volume_zero_fill}});
  return mffs::PreallocateFile(path, bytes, {.use_write_zeroes = config.volume_zero_fill != "write"});
}

// Everybody's mail is in it. Mended and not refused: a copy that was put back with the rights of a backup is the usual
// cause, and a node that does not start is no better protected.
void KeepToOwner(const std::string& path) {
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode) || (file.st_mode & 077) == 0) return;
  const bool mended = ::chmod(path.c_str(), 0600) == 0;
  base::LogWarning("volume_rights", {{"path", path},
                                     {"was", fmt::format("{:04o}", file.st_mode & 07777)},
                                     {"now", mended ? "0600" : "unchanged: set it to 0600, it is everybody's mail"}});
}

// Only for a file that has no name yet.
void DeleteNewFile(const OpenedVolumeFile& file) {
  std::error_code error;
  std::filesystem::remove(file.path, error);
  base::LogWarning("volume_unmade", {{"path", file.path}, {"deleted", error ? error.message() : "yes"}});
}

}  // namespace

base::Result<OpenedVolumeFile> OpenVolumeFile(async::Executor executor, const NodeConfig& config) {
  OpenedVolumeFile opened;
  opened.path = config.VolumePath();
  std::error_code error;
  opened.is_new = !std::filesystem::exists(opened.path, error);
  if (opened.is_new) {
    opened.path = UnfinishedName(config);
    auto allocated = MakeFile(opened.path, config);
    if (!allocated) return std::move(allocated).error().In("make the volume " + config.VolumePath());
    const bool is_written = *allocated;
    opened.may_need_zeroing = !is_written;
  }
  auto device = mffs::OpenDevice(executor, opened.path, {.choice = ChoiceOf(config.volume_io)});
  if (!device) {
    // In use: another start is making it.
    if (opened.is_new && device.error().code() != base::Errc::kBusy) DeleteNewFile(opened);
    return std::move(device).error();
  }
  opened.device = *std::move(device);
  KeepToOwner(opened.path);
  return opened;
}

async::Task<base::Result<>> FormatIfNew(OpenedVolumeFile* file, const NodeConfig* config) {
  if (!file->is_new) co_return base::Result<>();
  auto formatted = co_await mffs::Volume::Format(
      file->device.get(), {.segment_bytes = static_cast<std::uint32_t>(config->volume_segment_bytes)});
  if (formatted) formatted = mffs::NameFile(file->path, config->VolumePath());
  if (!formatted) {
    DeleteNewFile(*file);
    co_return std::move(formatted).error().In("make the volume " + config->VolumePath());
  }
  file->path = config->VolumePath();
  co_return base::Result<>();
}

mffs::VolumeOptions WithClaims(OpenedVolumeFile* file, mffs::VolumeOptions options) {
  options.claim_unused = [file](std::uint64_t offset, std::uint64_t size) {
    return file->zeroer == nullptr || file->zeroer->TryClaim(offset, size);
  };
  return options;
}

void StartZeroing(OpenedVolumeFile* file, mffs::Volume* volume) {
  if (!file->may_need_zeroing) return;
  const auto unused = volume->UnusedSpace();
  if (unused.empty()) return;
  auto zeroer = mffs::BackgroundZeroer::Open(file->path, {});
  if (!zeroer) {
    base::LogWarning("zeroing_left_out", {{"file", file->path}, {"why", zeroer.error().message()}});
    return;
  }
  file->zeroer = *std::move(zeroer);
  for (const auto& [offset, size] : unused) file->zeroer->Offer(offset, size);
  file->zeroer->NotifyClaimable(volume->ClaimRetry());
  file->zeroer->Start();
}

}  // namespace app
