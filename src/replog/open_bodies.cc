#include "replog/open_bodies.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/random.h"

namespace replog {

std::shared_ptr<OpenBody> OpenBodies::Open() {
  BodyId id(base::SecureRandom64() | kPartsBodyBit);
  while (bodies_.contains(id)) id = BodyId(base::SecureRandom64() | kPartsBodyBit);
  auto body = std::make_shared<OpenBody>(executor_, id, volume_->Status().durable_lsn);
  bodies_.emplace(id, body.get());
  return body;
}

void OpenBodies::AppendPart(const std::shared_ptr<OpenBody>& body, mffs::Stream stream, mffs::Buffer buffer) {
  if (idle_.empty()) idle_.emplace_back();
  writes_.splice(writes_.begin(), idle_, idle_.begin());
  const auto write = writes_.begin();
  write->buffer = std::move(buffer);
  write->body = body;
  write->part = static_cast<std::uint32_t>(body->extents.size());
  const std::string_view bytes = write->buffer.view();
  const Extent extent{.location = {}, .bytes = write->buffer.size(), .checksum = base::Crc32c(base::AsBytes(bytes))};
  body->extents.push_back(extent);
  body->in_flight += 1;

  write->head.clear();
  PartHead{.checksum = extent.checksum, .bytes = extent.bytes, .part = write->part}.EncodeTo(write->head);
  mffs::AppendRequest& request = write->request;
  request.stream = stream;
  request.key = {.type = static_cast<std::uint8_t>(RecordType::kPart),
                 .partition = 0,
                 .epoch = write->part,
                 .index = body->id.value()};
  request.head = write->head;
  request.body = {bytes, {}, {}};
  if (!request.done) {
    request.done = [this, write](base::Result<mffs::Location> result) { PartDone(write, std::move(result)); };
  }
  volume_->Append(&request);
}

void OpenBodies::Abandon(OpenBody* body) {
  body->abandoned = true;
  bodies_.erase(body->id);
  for (const Extent& extent : body->extents) {
    if (!extent.location.IsNowhere()) volume_->Release(extent.location);
  }
}

bool OpenBodies::Moved(BodyId id, std::uint64_t part, const mffs::Location& to) {
  const auto found = bodies_.find(id);
  if (found == bodies_.end() || part >= found->second->extents.size()) return false;
  found->second->extents[part].location = to;
  return true;
}

mffs::Lsn OpenBodies::NeededAfter(mffs::Lsn otherwise) const {
  mffs::Lsn after = otherwise;
  for (const auto& [id, body] : bodies_) after = std::min(after, body->after);
  return after;
}

void OpenBodies::PartDone(Writes::iterator write, base::Result<mffs::Location> result) {
  const std::shared_ptr<OpenBody> body = std::move(write->body);
  write->buffer = mffs::Buffer();
  const std::uint32_t part = write->part;
  idle_.splice(idle_.begin(), writes_, write);
  body->in_flight -= 1;
  if (!result.has_value()) {
    body->error = std::move(result).error();
  } else {
    body->extents[part].location = *result;
    if (body->abandoned) volume_->Release(*result);
  }
  body->changed.NotifyAll();
  ended_.NotifyAll();
}

async::Task<void> OpenBodies::WaitForWrites() {
  while (!writes_.empty()) co_await ended_.Wait();
}

}  // namespace replog
