// Space for a volume's file: reserved at once, so that the first start does not wait for gigabytes of zeroes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace mffs {

struct PreallocateOptions {
  // FALLOC_FL_WRITE_ZEROES (Linux 6.17, disks that zero by command). Off in tests of the other way.
  bool use_write_zeroes = true;
};

// Creates the file (0600), or makes it longer, so that it has `bytes` of reserved space; new bytes read as zeroes, old
// ones are kept, a longer file stays as long. File and folder are synced. True: the new space is already written, so
// that first writes cost no file-system metadata; false: it consists of unwritten extents (correct, but slower on first
// use; see BackgroundZeroer). Blocks: for format and start-up. Errors: kNoSpace (a file made here is removed), kDenied,
// kNotFound (no such folder), kUnsupported (the file system cannot reserve space), kIo.
base::Result<bool> PreallocateFile(const std::string& path, std::uint64_t bytes, PreallocateOptions options);

// Renames a file within its folder and syncs the folder: whatever happens then, `to` is there. Blocks: for start-up.
// Errors: kExists (there is a `to`, which is kept), kIo.
base::Result<> NameFile(const std::string& from, const std::string& to);

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// The parts of [offset, offset + size) of an open file that were never written: unwritten extents and holes.
// Errors: kUnsupported (the file system does not tell, or this is a block device), kIo.
base::Result<std::vector<ByteRange>> UnwrittenRanges(int fd, std::uint64_t offset, std::uint64_t size);

}  // namespace mffs
