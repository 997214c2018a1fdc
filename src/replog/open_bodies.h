// OpenBodies: mails in parts that no entry names yet: being written, or finished and not proposed.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "async/notifier.h"
#include "base/result.h"
#include "mffs/buffer_pool.h"
#include "mffs/volume.h"
#include "replog/format.h"

namespace replog {

// One such mail. Owners: its BodyWriter or Body, and each part in flight (so that a part's end finds it).
struct OpenBody {
  OpenBody(async::Executor executor, BodyId body, mffs::Lsn lsn) : id(body), after(lsn), changed(executor) {}
  const BodyId id;
  const mffs::Lsn after;        // Its parts lie behind this LSN.
  std::vector<Extent> extents;  // Nowhere until the part is durable.
  std::uint32_t in_flight = 0;
  bool abandoned = false;
  std::optional<base::Error> error;
  async::Notifier changed;
};

// Thread: the log's shard. Owners: the log, and weakly each Body and BodyWriter, which may be dropped after the log.
// After a crash the parts of these mails are orphans, released by recovery.
class OpenBodies {
 public:
  OpenBodies(async::Executor executor, mffs::Volume* volume) : executor_(executor), volume_(volume), ended_(executor) {}
  OpenBodies(const OpenBodies&) = delete;
  OpenBodies& operator=(const OpenBodies&) = delete;

  std::shared_ptr<OpenBody> Open();
  // Appends a part; the caller has asked Volume::Admit.
  void AppendPart(const std::shared_ptr<OpenBody>& body, mffs::Stream stream, mffs::Buffer buffer);
  // Nobody wants it: its parts are released, those in flight when they are durable.
  void Abandon(OpenBody* body);
  // An entry names it from now on.
  void Adopt(OpenBody* body) { bodies_.erase(body->id); }
  // Cleaning moved a part. False: not a body of this table.
  bool Moved(BodyId id, std::uint64_t part, const mffs::Location& to);
  bool Contains(BodyId id) const { return bodies_.contains(id); }
  // The parts of all of them lie behind this LSN.
  mffs::Lsn NeededAfter(mffs::Lsn otherwise) const;
  // Returns when no part is in flight.
  async::Task<void> WaitForWrites();

 private:
  struct PartWrite {
    mffs::AppendRequest request;
    mffs::Buffer buffer;
    std::string head;
    std::shared_ptr<OpenBody> body;
    std::uint32_t part = 0;
  };
  using Writes = std::list<PartWrite>;
  void PartDone(Writes::iterator write, base::Result<mffs::Location> result);

  async::Executor executor_;
  mffs::Volume* volume_;
  std::unordered_map<BodyId, OpenBody*> bodies_;
  Writes writes_;
  async::Notifier ended_;  // A part's write.
  Writes idle_;            // Ended ones, used again: a write must not be destroyed inside its own completion.
};

}  // namespace replog
