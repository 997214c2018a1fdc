#include "mffs/summary_text.h"

#include <algorithm>

namespace mffs {
namespace {

// What an entry names because it is not as in the record before.
constexpr std::uint8_t kType = 1;
constexpr std::uint8_t kFlags = 2;
constexpr std::uint8_t kPartition = 4;
constexpr std::uint8_t kEpoch = 8;
constexpr std::uint8_t kIndex = 16;  // Not the next one.
constexpr std::uint8_t kHead = 32;
constexpr std::uint8_t kAllFields = 63;

// Small for small differences in either direction; wraps.
std::uint64_t ZigZag(std::uint64_t difference) {
  return (difference << 1) ^ (std::uint64_t{0} - (difference >> 63));
}
std::uint64_t UnZigZag(std::uint64_t value) {
  return (value >> 1) ^ (std::uint64_t{0} - (value & 1));
}

std::uint8_t FieldsOf(const RecordHeader& header, const RecordHeader& last, bool another_head) {
  std::uint8_t fields = another_head ? kHead : 0;
  if (header.key.type != last.key.type) fields |= kType;
  if (header.flags != last.flags) fields |= kFlags;
  if (header.key.partition != last.key.partition) fields |= kPartition;
  if (header.key.epoch != last.key.epoch) fields |= kEpoch;
  if (header.key.index != last.key.index + 1) fields |= kIndex;
  return fields;
}

}  // namespace

void SummaryGroup::Add(const RecordHeader& header, std::string_view head) {
  const std::uint8_t fields = FieldsOf(header, last_, head != last_head_);
  base::Encoder out(entries_);
  out.U8(fields);
  out.U32(header.payload_checksum);
  if ((fields & kType) != 0) out.U8(header.key.type);
  if ((fields & kFlags) != 0) out.U8(header.flags);
  if ((fields & kPartition) != 0) out.Varint(header.key.partition);
  if ((fields & kEpoch) != 0) out.Varint(ZigZag(header.key.epoch - last_.key.epoch));
  if ((fields & kIndex) != 0) out.Varint(ZigZag(header.key.index - last_.key.index));
  out.Varint(header.body_bytes);
  if ((fields & kHead) != 0) {
    const auto [differs, of_last] = std::ranges::mismatch(head, last_head_);
    const auto shared = static_cast<std::size_t>(differs - head.begin());
    out.Varint(shared);
    out.Text(head.substr(shared));
    head_bytes_ += static_cast<std::uint32_t>(head.size());
    last_head_.assign(head);
  }
  last_ = header;
  ++records_;
}

void SummaryGroup::Clear() {
  entries_.clear();
  records_ = 0;
  head_bytes_ = 0;
  last_ = {};
  last_head_.clear();
}

void SummaryGroup::AppendTo(std::string& summary, std::uint32_t first_sector, std::uint64_t lsn_delta) const {
  if (records_ == 0) return;
  base::Encoder out(summary);
  out.Varint(first_sector);
  out.Varint(lsn_delta);
  out.Varint(records_);
  out.Varint(head_bytes_);
  summary += entries_;
}

std::optional<SummaryText::Entry> SummaryText::Next() {
  if (records_left_ == 0 && !BeginGroup()) return std::nullopt;
  if (!ReadHeader()) return std::nullopt;
  const std::uint64_t end = next_offset_ + PaddedRecordBytes(last_.size());
  if (end > kBlockBytesMax || first_sector_ + AlignUp(end, kSectorBytes) / kSectorBytes > place_.end_sector) {
    return std::nullopt;
  }
  last_.block_offset = static_cast<std::uint32_t>(next_offset_);
  last_.ordinal = next_ordinal_++;
  last_.lsn_low = static_cast<std::uint32_t>(lsn_.value());
  next_offset_ = end;
  next_sector_ = first_sector_ + static_cast<std::uint32_t>(AlignUp(end, kSectorBytes) / kSectorBytes);
  --records_left_;
  return Entry{.header = last_,
               .location = {.segment = place_.segment,
                            .generation = place_.generation,
                            .offset = static_cast<std::uint32_t>(first_sector_ * kSectorBytes + last_.block_offset),
                            .size = last_.size(),
                            .ordinal = last_.ordinal},
               .lsn = lsn_,
               .head = last_head_};
}

bool SummaryText::BeginGroup() {
  if (in_.AtEnd()) return false;
  const std::uint64_t first_sector = in_.Varint();
  const std::uint64_t lsn_delta = in_.Varint();
  const std::uint64_t records = in_.Varint();
  const std::uint64_t head_bytes = in_.Varint();
  if (!in_.ok() || first_sector < next_sector_ || first_sector >= place_.end_sector || lsn_delta > kLsnMax ||
      records == 0 || records > kBlockBytesMax / RecordHeader::kEncodedSize || head_bytes > kBlockBytesMax) {
    return false;
  }
  records_left_ = static_cast<std::uint32_t>(records);
  first_sector_ = static_cast<std::uint32_t>(first_sector);
  next_offset_ = kRecordsOffset;
  lsn_ = Lsn(place_.first_lsn.value() + lsn_delta);
  turn_ = 1 - turn_;
  heads_[turn_].clear();
  heads_[turn_].reserve(head_bytes);
  head_bytes_max_ = head_bytes;
  last_ = {};
  last_head_ = {};
  return true;
}

bool SummaryText::ReadHeader() {
  const std::uint8_t fields = in_.U8();
  last_.payload_checksum = in_.U32();
  if ((fields & kType) != 0) last_.key.type = in_.U8();
  if ((fields & kFlags) != 0) last_.flags = in_.U8();
  const std::uint64_t partition = (fields & kPartition) != 0 ? in_.Varint() : last_.key.partition;
  if ((fields & kEpoch) != 0) last_.key.epoch += UnZigZag(in_.Varint());
  last_.key.index += (fields & kIndex) != 0 ? UnZigZag(in_.Varint()) : 1;
  const std::uint64_t body_bytes = in_.Varint();
  if (!in_.ok() || fields > kAllFields || partition > 0xffffffff || body_bytes > kBodyBytesMax) return false;
  last_.key.partition = static_cast<std::uint32_t>(partition);
  last_.body_bytes = static_cast<std::uint32_t>(body_bytes);
  return ReadHead((fields & kHead) != 0);
}

bool SummaryText::ReadHead(bool is_another) {
  if (!is_another) return true;
  const std::uint64_t shared = in_.Varint();
  const std::string_view rest = in_.Text();
  std::string& heads = heads_[turn_];
  if (!in_.ok() || shared > last_head_.size() || shared + rest.size() > kHeadBytesMax ||
      heads.size() + shared + rest.size() > head_bytes_max_) {
    return false;
  }
  const std::size_t at = heads.size();
  heads.append(last_head_.substr(0, shared)).append(rest);
  last_head_ = std::string_view(heads).substr(at);
  last_.head_bytes = static_cast<std::uint16_t>(last_head_.size());
  return true;
}

}  // namespace mffs
