#include "replog/body_reader.h"

#include <algorithm>

#include "base/crc32c.h"

namespace replog {
namespace {

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

async::Task<base::Result<std::string>> BodyReader::Read(BodyRef body, std::uint64_t offset, std::uint64_t size) {
  std::string bytes;
  size = std::min(size, kReadBytesMax);
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < body.extents.size() && size > 0; ++i) {
    const std::uint64_t end = begin + body.extent_bytes[i];
    if (offset < end) {
      const auto within = static_cast<std::uint32_t>(offset - begin);
      const auto now = static_cast<std::uint32_t>(std::min(size, end - offset));
      ASSIGN_OR_CO_RETURN(std::string piece,
                          co_await ReadExtent(body.id, body.extents[i], body.extent_bytes[i], within, now));
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

async::Task<base::Result<std::string>> BodyReader::ReadExtent(BodyId id, mffs::Location place,
                                                              std::uint32_t extent_bytes, std::uint32_t offset,
                                                              std::uint32_t size) {
  for (;;) {
    const mffs::Location now = context_->moved.Resolve(place);
    base::Result<std::string> bytes = co_await ReadOnce(id, now, extent_bytes, offset, size);
    // Cleaning may have moved it while the read was on its way.
    if (bytes.has_value() || context_->moved.Resolve(place) == now) co_return bytes;
  }
}

async::Task<base::Result<std::string>> BodyReader::ReadOnce(BodyId id, mffs::Location place, std::uint32_t extent_bytes,
                                                            std::uint32_t offset, std::uint32_t size) {
  if (size < extent_bytes) co_return co_await context_->volume->ReadBody(place, offset, size);
  ASSIGN_OR_CO_RETURN(mffs::Record record, co_await context_->volume->Read(place));
  co_return MailOf(std::move(record), id, extent_bytes);
}

}  // namespace replog
