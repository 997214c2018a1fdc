#include "mffs/append_task.h"

#include <memory>
#include <optional>

#include "async/one_shot.h"

namespace mffs {
namespace {

// Owners: the waiting coroutine and each record's callback, since a cancelled caller leaves before the disk is done.
struct Batch {
  std::vector<OwnedRecord> records;
  std::vector<AppendRequest> requests;
  std::vector<Location> locations;
  std::optional<base::Error> error;
  std::size_t left = 0;
  async::OneShot<bool> ended;
};

}  // namespace

async::Task<base::Result<>> AppendAll(GatheringWriter* writer, Stream stream, std::vector<OwnedRecord> records,
                                      std::vector<Location>* places) {
  if (records.empty()) co_return base::Result<>();
  auto batch = std::make_shared<Batch>();
  batch->records = std::move(records);
  batch->left = batch->records.size();
  batch->locations.resize(batch->left);
  batch->requests.resize(batch->left);
  for (std::size_t i = 0; i < batch->requests.size(); ++i) {
    const OwnedRecord& record = batch->records[i];
    AppendRequest& request = batch->requests[i];
    request.stream = stream;
    request.key = record.key;
    request.is_copy = record.is_copy;
    request.head = record.head;
    request.body[0] = record.body;
    request.done = [batch, i](base::Result<Location> location) {
      if (location.has_value()) {
        batch->locations[i] = *location;
      } else if (!batch->error.has_value()) {
        batch->error = location.error();
      }
      if (--batch->left == 0) batch->ended.Set(true);
    };
    writer->Append(&request);
  }
  co_await batch->ended.Wait();
  *places = std::move(batch->locations);
  if (batch->error.has_value()) co_return base::Error(*batch->error);
  co_return base::Result<>();
}

}  // namespace mffs
