// Undo files as bytes from anywhere: what decodes can be encoded and decoded again, and one that is for another device
// writes nothing to it. The first byte chooses whether the checksum at the end is made right.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "async/testing.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "mffs/sim_device.h"
#include "mffs/undo_file.h"

namespace {

constexpr std::uint64_t kDeviceBytes = 1u << 20;

void TryUndo(const mffs::Undo& undo) {
  asio::io_context context;
  mffs::SimDevice device(context.get_executor(), mffs::SimImage(kDeviceBytes));
  const auto applied = async::RunTask(context, mffs::ApplyUndo(&undo, &device, std::chrono::seconds(10)));
  if (!applied.has_value()) CHECK(device.Snapshot() == mffs::SimImage(kDeviceBytes));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 1) != 0) {
    const std::string_view covered = std::string_view(text).substr(0, text.size() - 4);
    base::StoreLe(reinterpret_cast<std::byte*>(text.data() + covered.size()), base::Crc32c(base::AsBytes(covered)));
  }
  const auto undo = mffs::DecodeUndo(text);
  if (!undo.has_value()) return 0;
  // Reserved bytes are not kept.
  const std::string again = mffs::EncodeUndo(*undo);
  CHECK(again.size() == text.size() && mffs::EncodeUndo(*mffs::DecodeUndo(again)) == again);
  TryUndo(*undo);
  return 0;
}
