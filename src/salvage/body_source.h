// BodySource: the bytes of a mail, found by the names of its records, as far as they can be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "async/asio.h"
#include "mffs/record_reader.h"
#include "salvage/log_records.h"

namespace salvage {

// Which mail.
struct BodyName {
  replog::PartitionId partition;
  replog::BodyId body;
  std::uint64_t size_bytes = 0;
  replog::BodyRef places;  // As the state knew them; may be empty or out of date.
};

// A stretch of a mail that is one record's.
struct BodyPiece {
  std::uint64_t offset = 0;  // In the mail.
  std::uint32_t bytes = 0;
  std::optional<mffs::Location> place{};  // Nothing: the record was not found.
  bool is_readable = false;               // As the scan found it.
  bool is_live = false;
};

struct BodyLayout {
  std::vector<BodyPiece> pieces;
  bool size_is_known = true;  // False: parts were found and nothing says how many there should be.
  std::uint64_t size_bytes = 0;

  bool IsReadable() const;
  bool IsLive() const;
  // "part 2 of 13 is damaged", "its record is nowhere on the volume"; empty when all is well.
  std::string Problem() const;
};

// Bytes that could be read, in order; what lies between them is lost.
struct BodyBytes {
  std::uint64_t offset = 0;
  std::string bytes;
};

// Thread: one shard. Borrows reader and records. Memory: one part of a mail (256 KiB).
class BodySource {
 public:
  BodySource(const mffs::RecordReader* reader, const LogRecords* records) : reader_(reader), records_(records) {}

  BodyLayout LayoutOf(const BodyName& name) const;

  // Of a damaged record the sectors that are good, if its header is.
  async::Task<std::vector<BodyBytes>> Read(replog::BodyId body, BodyPiece piece) const;

 private:
  BodyLayout LayoutOfParts(const BodyName& name) const;
  async::Task<std::vector<BodyBytes>> ReadGoodSectors(BodyPiece piece) const;

  const mffs::RecordReader* reader_;
  const LogRecords* records_;
};

}  // namespace salvage
