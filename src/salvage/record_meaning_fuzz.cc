// What `mffs dump` and `mffs rescue` make of records of hostile images: the words for people, the names that records
// give mails, and the queue's state from pieces and entries. Nothing may stop the tool.
//
// Input: u8 type, u8 bits (1 a queue partition, 2 the body is lost), u32 epoch, u32 index, u16 size of the head, head,
// body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "replog/format.h"
#include "salvage/queue_replay.h"
#include "salvage/record_meaning.h"

namespace {

constexpr std::uint8_t kOfQueue = 1;
constexpr std::uint8_t kBodyLost = 2;

void TryNames(const mffs::SurveyedRecord& record) {
  salvage::MailId id;
  id.digits = "00112233445566aa";
  salvage::MailNames names;
  names.entries.insert({replog::PartitionId(record.header.key.partition), replog::Index(record.header.key.index)});
  salvage::AddNames(record, id, &names);
  CHECK(names.size() <= salvage::MailNames::kNamesMax);
  (void)salvage::IsOfMail(record, names);
  (void)salvage::NamingOf(record, names);
}

void TryQueue(const mffs::RecordKey& key, std::string_view head, std::string_view body) {
  salvage::QueueReplay queue;
  const replog::PartitionId partition(key.partition);
  queue.BeginSnapshot(partition);
  base::Ignore(queue.LoadPiece(partition, body));
  const auto entry = replog::EntryHead::Decode(head);
  if (entry.has_value()) {
    base::Ignore(queue.Apply({.partition = partition,
                              .epoch = replog::Epoch(key.epoch),
                              .index = replog::Index(key.index),
                              .type = entry->type,
                              .cls = entry->cls,
                              .meta = entry->meta,
                              .body = {},
                              .is_replay = true}));
  }
  replog::PartitionId at;
  replog::Index after;
  while (const auto next = queue.Next(at, after)) {
    at = next->first;
    after = next->second.index;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::Decoder in(std::string_view(reinterpret_cast<const char*>(data), size));
  mffs::SurveyedRecord record;
  mffs::RecordKey& key = record.header.key;
  key.type = in.U8();
  const std::uint8_t bits = in.U8();
  key.partition = (bits & kOfQueue) != 0 ? replog::kFirstQueuePartition.value() : 1;
  key.epoch = in.U32();
  key.index = in.U32();
  const std::size_t head_bytes = in.U16();
  if (!in.ok()) return 0;
  record.head = in.Raw(std::min({head_bytes, in.remaining(), std::size_t{mffs::kHeadBytesMax}}));
  record.body = in.Raw(in.remaining());
  record.body_is_readable = (bits & kBodyLost) == 0;
  if (!record.body_is_readable) record.body = {};
  CHECK(!salvage::MeaningOf(key, record.head, record.body).empty());
  TryNames(record);
  if ((bits & kOfQueue) != 0) TryQueue(key, record.head, record.body);
  return 0;
}
