#include "replog/body_reader.h"

#include <algorithm>

#include "base/crc32c.h"

namespace replog {
namespace {

constexpr std::uint32_t kPrefetchBytes = 256u << 10;

base::Error NotThatMail() {
  return base::Error(base::Errc::kCorrupt, "a record of the log does not hold the mail that it should");
}

// Cuts a record down to its mail, which is its body or the front of it.
base::Result<std::string> MailOf(mffs::Record record, BodyId id, std::uint32_t extent_bytes) {
  if (record.body.size() < extent_bytes) return NotThatMail();
  const std::string_view mail = std::string_view(record.body).substr(0, extent_bytes);
  if (record.key.type == static_cast<std::uint8_t>(RecordType::kPart)) {
    ASSIGN_OR_RETURN(const PartHead head, PartHead::Decode(record.head));
    if (record.key.index != id.value() || head.bytes != extent_bytes) return NotThatMail();
    if (base::Crc32c(base::AsBytes(mail)) != head.checksum) return NotThatMail();
  } else {
    ASSIGN_OR_RETURN(const EntryHead head, EntryHead::Decode(record.head));
    if (head.body != id || head.mail_bytes != extent_bytes) return NotThatMail();
    if (base::Crc32c(base::AsBytes(mail)) != head.mail_digest) return NotThatMail();
  }
  record.body.resize(extent_bytes);
  return std::move(record.body);
}

}  // namespace

async::Task<base::Result<std::string>> BodyReader::Read(BodyRef body, std::uint64_t offset, std::uint64_t size,
                                                        Prefetch prefetch) {
  std::string bytes;
  size = std::min(size, kReadBytesMax);
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < body.extents.size() && size > 0; ++i) {
    const std::uint64_t end = begin + body.extent_bytes[i];
    if (offset < end) {
      const auto within = static_cast<std::uint32_t>(offset - begin);
      const auto now = static_cast<std::uint32_t>(std::min(size, end - offset));
      ASSIGN_OR_CO_RETURN(std::string piece,
                          co_await ReadExtent(body.extents[i], {body.id, body.extent_bytes[i], within, now}, prefetch));
      offset += now;
      size -= now;
      if (bytes.empty()) {
        bytes = std::move(piece);
      } else {
        bytes += piece;
      }
    }
    begin = end;
  }
  co_return bytes;
}

async::Task<base::Result<std::string>> BodyReader::ReadExtent(mffs::Location place, Window window, Prefetch prefetch) {
  for (;;) {
    const mffs::Location now = context_->moved.Resolve(place);
    base::Result<std::string> bytes = co_await ReadOnce(now, window, prefetch);
    // Cleaning may have moved it while the read was on its way.
    if (bytes.has_value() || context_->moved.Resolve(place) == now) co_return bytes;
  }
}

async::Task<base::Result<std::string>> BodyReader::ReadOnce(mffs::Location place, Window window, Prefetch prefetch) {
  while (IsBeingRead(place) && !context_->cache.Contains(place)) co_await run_ended_.Wait();
  if (const auto mail = context_->cache.Find(place)) {
    context_->counters.bodies_from_memory += 1;
    co_return std::string(mail->substr(window.offset, window.size));
  }
  context_->counters.bodies_from_disk += 1;
  if (!window.is_whole()) co_return co_await context_->volume->ReadBody(place, window.offset, window.size);
  // A part is as large as a run.
  const bool is_small = (window.id.value() & kPartsBodyBit) == 0;
  if (is_small && prefetch == Prefetch::kNeighbours) co_return co_await ReadRun(place, window);
  ASSIGN_OR_CO_RETURN(mffs::Record record, co_await context_->volume->Read(place));
  co_return MailOf(std::move(record), window.id, window.extent_bytes);
}

// Sequential grouping prefetch (MFFS.md): one large read, and the mails behind this one are in memory.
async::Task<base::Result<std::string>> BodyReader::ReadRun(mffs::Location place, Window window) {
  struct Running {
    BodyReader* reader;
    std::list<Run>::iterator run;
    ~Running() {
      reader->runs_.erase(run);
      reader->run_ended_.NotifyAll();
    }
  };
  const Running running{this, runs_.insert(runs_.end(), {place})};
  ASSIGN_OR_CO_RETURN(auto records, co_await context_->volume->ReadRun(place, kPrefetchBytes));
  for (std::size_t i = 1; i < records.size(); ++i) KeepNeighbour(records[i].first, std::move(records[i].second));
  co_return MailOf(std::move(records.front().second), window.id, window.extent_bytes);
}

bool BodyReader::IsBeingRead(const mffs::Location& place) const {
  return std::ranges::any_of(runs_, [&](const Run& run) {
    const std::uint64_t begin = run.first.offset / mffs::kSectorBytes * mffs::kSectorBytes;
    return run.first.segment == place.segment && run.first.generation == place.generation &&
           run.first.offset <= place.offset && std::uint64_t{place.offset} + place.size <= begin + kPrefetchBytes;
  });
}

void BodyReader::KeepNeighbour(const mffs::Location& place, mffs::Record record) {
  const PartitionId id(record.key.partition);
  if (record.key.type != static_cast<std::uint8_t>(RecordType::kEntry) || !PartitionTable::IsQueue(id)) return;
  Partition* partition = context_->partitions.Find(id);
  const auto head = EntryHead::Decode(record.head);
  if (partition == nullptr || !head.has_value() || !head->has_mail() || head->mail_in_parts()) return;
  // In the tail lie also entries whose mail has gone already.
  const TailEntry* entry = partition->tail.Find(Index(record.key.index));
  if (entry != nullptr && !entry->mail_kept) return;
  const auto mail_bytes = static_cast<std::uint32_t>(head->mail_bytes);
  const mffs::Stream stream = mail::IsParked(head->cls) ? mffs::Stream::kParked : mffs::Stream::kTransit;
  const auto mail = MailOf(std::move(record), head->body, mail_bytes);
  if (mail.has_value()) context_->cache.PutCopy(place, stream, *mail);
}

}  // namespace replog
