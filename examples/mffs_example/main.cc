// MFFS as a library: makes a volume in a new file, keeps two records, gives one back, and opens the volume again.
// Usage: mffs_example FILE
#include <cstdio>

#include "mffs/mffs.h"

namespace {

using Work = async::Task<base::Result<>> (*)(mffs::BlockDevice* device);

async::Task<base::Result<>> Write(mffs::Volume* volume) {
  // AppendCopy returns when the record is durable. What a key means is the caller's business.
  ASSIGN_OR_CO_RETURN(const auto one, co_await volume->AppendCopy(mffs::Stream::kMailbox, {.index = 1}, "a", "one"));
  ASSIGN_OR_CO_RETURN(const auto two, co_await volume->AppendCopy(mffs::Stream::kMailbox, {.index = 2}, "b", "two"));
  for (const mffs::Location& place : {one, two}) {
    ASSIGN_OR_CO_RETURN(const mffs::Record record, co_await volume->Read(place));
    std::printf("read record %d: %s, %s\n", int(record.key.index), record.head.c_str(), record.body.c_str());
  }
  volume->Release(one);  // Durable with the next checkpoint, which Close() makes.
  co_return base::Result<>();
}

async::Task<base::Result<>> FormatAndWrite(mffs::BlockDevice* device) {
  const base::SystemClock clock;
  CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(device, {.segment_bytes = 1 << 20}));
  ASSIGN_OR_CO_RETURN(const auto volume, co_await mffs::Volume::Open(device, &clock, {}));
  volume->Start(nullptr);  // No owner: nothing is cleaned.
  const auto result = co_await Write(volume.get());
  CO_RETURN_IF_ERROR(co_await volume->Close());
  co_return result;
}

async::Task<base::Result<>> List(mffs::BlockDevice* device) {
  const base::SystemClock clock;
  ASSIGN_OR_CO_RETURN(const auto volume, co_await mffs::Volume::Open(device, &clock, {}));
  co_return co_await volume->Scan(mffs::Lsn(), [](const mffs::RecordView& record) -> base::Result<> {
    std::printf("found record %d: %s\n", int(record.key.index), record.is_live ? "live" : "released");
    return {};
  });
}

// A volume and its device live on one shard; a device serves one opening.
base::Result<> WithDevice(const char* path, Work work) {
  async::Shard shard("example");
  ASSIGN_OR_RETURN(const auto device, mffs::OpenDevice(shard.executor(), path, {}));
  return async::RunToEnd(&shard, work(device.get()));
}

base::Result<> Example(const char* path) {
  RETURN_IF_ERROR(mffs::PreallocateFile(path, 32 << 20, {}));
  RETURN_IF_ERROR(WithDevice(path, FormatAndWrite));
  return WithDevice(path, List);
}

}  // namespace

int main(int argc, char** argv) {
  const auto result = argc == 2 ? Example(argv[1]) : base::Error(base::Errc::kInvalid, "usage: mffs_example FILE");
  if (!result.has_value()) std::fprintf(stderr, "%s\n", result.error().message().c_str());
  return result.has_value() ? 0 : 1;
}
