// BlockDevice: the seam to a disk. io_uring, thread pool, and simulated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace mffs {

inline constexpr std::uint64_t kSectorBytes = 4096;

enum class Sync : std::uint8_t {
  kNo,   // May be lost or torn by a power cut until a later Flush succeeds.
  kYes,  // Durable when it succeeds (RWF_DSYNC: write and FUA or flush in one request).
};

// Called once, on the device's shard, never inside the call that started the operation.
using IoDone = std::move_only_function<void(base::Result<>)>;

// A raw block device or a preallocated file, opened with O_DIRECT.
//
// Thread: one shard. Offsets, sizes and buffer addresses are multiples of kSectorBytes. Buffers are the caller's, stay
// unchanged and alive until `done`. Operations may complete in any order; nothing is ever retried or cancelled.
// Fault model: an operation may fail (kIo), be short (reported as kIo: the sectors are then in an unknown state), or
// hang (the caller's deadline, not the device's). After a failed write or flush nothing unflushed may be believed
// durable. A power cut keeps, loses or tears (by 512-byte units) each write that was not covered by a success with
// Sync::kYes or a Flush. Reads may return wrong bytes (rot, misdirected writes): checksums are the caller's work.
class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  virtual std::uint64_t size_bytes() const = 0;
  // For messages: the path.
  virtual const std::string& name() const = 0;

  virtual void Write(std::uint64_t offset, base::ByteSpan data, Sync sync, IoDone done) = 0;
  virtual void Read(std::uint64_t offset, base::MutableByteSpan into, IoDone done) = 0;
  virtual void Flush(IoDone done) = 0;
  // Many operations started since the last call reach the kernel together; a device may do so earlier. Never blocks.
  virtual void Submit() = 0;
  // Memory that the device can use without mapping it each time (io_uring registered buffers). Called once, at most.
  virtual void RegisterBuffers(base::MutableByteSpan memory) = 0;
};

}  // namespace mffs
