// LocalCoordinator: the coordinator of a single node: the epochs taken, in one small file.
#pragma once

#include <map>
#include <string>

#include "async/notifier.h"
#include "async/worker_pool.h"
#include "replog/log.h"

namespace replog {

// Thread: the log's shard; the file is touched on the worker only. Borrows the worker, which outlives it.
// Durability: the file is written anew and renamed, file and folder synced, before an epoch is handed out; calls that
// come meanwhile share the next write. A lost file does no harm: the log's own epoch counts too. Format:
// docs/format/replog.md, end.
class LocalCoordinator final : public Coordinator {
 public:
  LocalCoordinator(async::Executor executor, async::WorkerPool* worker, std::string path);

  // Reads the file; one that does not exist is empty. Errors: kIo, kCorrupt (says which file to delete).
  async::Task<base::Result<>> Load();

  async::Task<base::Result<Epoch>> TakeEpoch(PartitionId partition, Epoch own_log) override;

 private:
  async::Task<base::Result<>> MakeDurable(std::uint64_t version);

  async::WorkerPool* worker_;
  std::string path_;
  std::map<PartitionId, Epoch> epochs_;
  std::uint64_t version_ = 0;  // +1 at each change; the file holds durable_version_.
  std::uint64_t durable_version_ = 0;
  bool writing_ = false;
  async::Notifier written_;
};

// Exposed for the tests.
std::string EncodeEpochs(const std::map<PartitionId, Epoch>& epochs);
base::Result<std::map<PartitionId, Epoch>> DecodeEpochs(std::string_view text);

}  // namespace replog
