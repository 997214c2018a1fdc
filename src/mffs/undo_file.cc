#include "mffs/undo_file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/crc32c.h"

namespace mffs {
namespace {

constexpr std::string_view kMagic = "MFFSund1";
constexpr std::uint64_t kSectorsMax = 1u << 22;  // 16 GiB: far more than a repair changes.
constexpr std::size_t kEntryBytes = 8 + 4 + 4 + kSectorBytes;

base::Error NoUndo(std::string_view why) {
  return base::Error(base::Errc::kCorrupt, fmt::format("this is no complete undo file of `mffs repair` ({})", why));
}

// An open file that is closed with the object.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

base::Result<> SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.fd() < 0 || ::fsync(descriptor.fd()) != 0) return base::ErrnoError("sync the folder " + folder, errno);
  return {};
}

}  // namespace

async::Task<Undo> TakeUndo(const OverlayDevice* overlay, BlockDevice* device, IoDeadline deadline) {
  Undo undo{.device_bytes = device->size_bytes(), .sectors = {}};
  for (const auto& [offset, bytes] : overlay->sectors()) {
    const SectorsRead read = co_await ReadSectorsSingly(device, offset, 1, deadline);
    const base::ByteSpan old_bytes = read.memory.span();
    undo.sectors.push_back(
        {.offset = offset, .new_checksum = base::Crc32c(bytes), .old_bytes = {old_bytes.begin(), old_bytes.end()}});
  }
  co_return undo;
}

async::Task<base::Result<>> ApplyUndo(const Undo* undo, BlockDevice* device, IoDeadline deadline) {
  if (undo->device_bytes != device->size_bytes()) {
    co_return base::Error(base::Errc::kInvalid,
                          fmt::format("{} has {} bytes, the undo file is of a volume on {} bytes: give the one that "
                                      "was made when this volume was repaired",
                                      device->name(), device->size_bytes(), undo->device_bytes));
  }
  for (const UndoSector& sector : undo->sectors) {
    const SectorsRead read = co_await ReadSectorsSingly(device, sector.offset, 1, deadline);
    const std::uint32_t now = base::Crc32c(read.memory.span());
    if (now == sector.new_checksum || now == base::Crc32c(sector.old_bytes)) continue;
    co_return base::Error(base::Errc::kInvalid,
                          fmt::format("the sector at {} of {} is neither as before nor as after the repair: the volume "
                                      "was used since, and undoing would damage it; nothing was changed",
                                      sector.offset, device->name()));
  }
  for (const UndoSector& sector : undo->sectors) {
    IoMemory memory(kSectorBytes);
    std::ranges::copy(sector.old_bytes, memory.data());
    CO_RETURN_IF_ERROR(co_await WriteDurably(device, sector.offset, std::move(memory), deadline));
  }
  co_return co_await FlushDevice(device, deadline);
}

std::string EncodeUndo(const Undo& undo) {
  std::string text(kMagic);
  base::Encoder out(text);
  out.U64(undo.device_bytes);
  out.U64(undo.sectors.size());
  for (const UndoSector& sector : undo.sectors) {
    out.U64(sector.offset);
    out.U32(sector.new_checksum);
    out.U32(0);
    text.append(base::AsText(sector.old_bytes));
  }
  out.U32(base::Crc32c(base::AsBytes(text)));
  return text;
}

base::Result<Undo> DecodeUndo(std::string_view text) {
  if (text.size() < kMagic.size() + 20 || !text.starts_with(kMagic)) return NoUndo("it begins differently");
  const std::string_view checked = text.substr(0, text.size() - 4);
  if (base::Crc32c(base::AsBytes(checked)) != base::LoadLe<std::uint32_t>(text.data() + checked.size())) {
    return NoUndo("its checksum is wrong");
  }
  base::Decoder in(checked.substr(kMagic.size()));
  Undo undo;
  undo.device_bytes = in.U64();
  const std::uint64_t count = in.U64();
  if (count > kSectorsMax || in.remaining() != count * kEntryBytes) return NoUndo("its size is wrong");
  for (std::uint64_t i = 0; i < count; ++i) {
    UndoSector sector;
    sector.offset = in.U64();
    sector.new_checksum = in.U32();
    in.U32();
    const base::ByteSpan bytes = base::AsBytes(in.Raw(kSectorBytes));
    sector.old_bytes.assign(bytes.begin(), bytes.end());
    const bool fits = sector.offset % kSectorBytes == 0 && sector.offset < undo.device_bytes &&
                      (undo.sectors.empty() || undo.sectors.back().offset < sector.offset);
    if (!fits) return NoUndo("a place in it is impossible");
    undo.sectors.push_back(std::move(sector));
  }
  return undo;
}

base::Result<> StoreUndo(const Undo& undo, const std::string& path) {
  const std::string text = EncodeUndo(undo);
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.fd() < 0) return base::ErrnoError("make the undo file " + path, errno);
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t written = ::write(file.fd(), text.data() + at, text.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::ErrnoError("write the undo file " + path, errno);
    at += static_cast<std::size_t>(written);
  }
  if (::fsync(file.fd()) != 0) return base::ErrnoError("sync the undo file " + path, errno);
  return SyncFolderOf(path);
}

base::Result<Undo> LoadUndo(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::ErrnoError("open the undo file " + path, errno);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  auto undo = DecodeUndo(text);
  if (!undo.has_value()) return std::move(undo).error().In(path);
  return undo;
}

}  // namespace mffs
