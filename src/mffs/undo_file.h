// UndoFile: what the sectors held that a tool is about to change. docs/format/undo.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mffs/block_device.h"
#include "mffs/device_io.h"
#include "mffs/overlay_device.h"

namespace mffs {

// A value: a sector before and after a change.
struct UndoSector {
  std::uint64_t offset = 0;
  std::uint32_t new_checksum = 0;
  std::vector<std::byte> old_bytes;
};
struct Undo {
  std::uint64_t device_bytes = 0;
  std::vector<UndoSector> sectors;  // By offset.
};

// What the device, which the overlay was made over, holds where the overlay was written. A sector that cannot be read
// is kept as zeroes: there is nothing to go back to.
async::Task<Undo> TakeUndo(const OverlayDevice* overlay, BlockDevice* device, IoDeadline deadline);

// Puts the old sectors back, durably. Nothing is written unless every sector is either as before or as after the
// change: a volume that was used since is left alone. May be repeated after a power cut. Errors: kInvalid (another
// device, or used since), kIo, kTimeout.
async::Task<base::Result<>> ApplyUndo(const Undo* undo, BlockDevice* device, IoDeadline deadline);

std::string EncodeUndo(const Undo& undo);
// Errors: kCorrupt (not such a file, or cut short).
base::Result<Undo> DecodeUndo(std::string_view text);

// Writes the file anew and durably, its folder's entry too. Blocks. Errors: kExists, kNoSpace, kDenied, kIo.
base::Result<> StoreUndo(const Undo& undo, const std::string& path);
// Blocks. Errors: kNotFound, kDenied, kCorrupt, kIo.
base::Result<Undo> LoadUndo(const std::string& path);

}  // namespace mffs
