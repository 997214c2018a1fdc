#include "store/rows.h"

namespace store {

namespace {

constexpr std::uint8_t kNoSelect = 1;
constexpr std::uint8_t kSubscribed = 2;
constexpr std::uint8_t kUseShift = 2;  // Three bits.
constexpr std::uint8_t kHasSpecialMailboxes = 1;
constexpr std::uint8_t kHasScramKeys = 2;
constexpr std::uint64_t kKeywordsMax = 4096;  // Of a hostile row; the store itself stops at kKeywordsPerMailboxMax.

}  // namespace

void PartitionRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.Varint(epoch);
  out.Varint(index);
  out.Varint(snapshot_index);
  out.Varint(id_next);
  out.Varint(uid_validity_floor);
  out.I64(time_us);
  out.I64(ids_horizon_us);
}

bool PartitionRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  epoch = in.Varint();
  index = in.Varint();
  snapshot_index = in.Varint();
  id_next = static_cast<std::uint32_t>(in.Varint());
  uid_validity_floor = static_cast<std::uint32_t>(in.Varint());
  time_us = in.I64();
  ids_horizon_us = in.I64();
  return in.AtEnd();
}

void AccountRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.Text(address);
  out.Text(password_hash);
  out.Varint(uid_validity_next);
  out.Varint(names);
  const int bits = (has_special_mailboxes ? kHasSpecialMailboxes : 0) | (scram_keys.empty() ? 0 : kHasScramKeys);
  if (bits == 0) return;
  out.U8(static_cast<std::uint8_t>(bits));
  if (!scram_keys.empty()) out.Text(scram_keys);
}

bool AccountRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  address = in.Text();
  password_hash = in.Text();
  uid_validity_next = static_cast<std::uint32_t>(in.Varint());
  names = static_cast<std::uint32_t>(in.Varint());
  const std::uint8_t bits = in.remaining() > 0 ? in.U8() : std::uint8_t{0};
  has_special_mailboxes = (bits & kHasSpecialMailboxes) != 0;
  scram_keys = (bits & kHasScramKeys) != 0 ? in.Text() : std::string_view();
  return in.AtEnd();
}

void MailboxRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.Varint(account);
  out.Varint(uid_validity);
  out.Varint(uid_next);
  out.Varint(messages);
  out.Varint(unseen);
  out.Varint(highest_modseq);
  out.Varint(bytes);
  out.Text(name);
}

bool MailboxRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  account = static_cast<std::uint32_t>(in.Varint());
  uid_validity = static_cast<std::uint32_t>(in.Varint());
  uid_next = static_cast<std::uint32_t>(in.Varint());
  messages = static_cast<std::uint32_t>(in.Varint());
  unseen = static_cast<std::uint32_t>(in.Varint());
  highest_modseq = in.Varint();
  bytes = in.Varint();
  name = in.Text();
  return in.AtEnd();
}

void NameRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.U8(static_cast<std::uint8_t>((no_select ? kNoSelect : 0) | (subscribed ? kSubscribed : 0) |
                                   static_cast<std::uint8_t>(use) << kUseShift));
  out.Varint(mailbox);
}

bool NameRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  const std::uint8_t bits = in.U8();
  no_select = (bits & kNoSelect) != 0;
  subscribed = (bits & kSubscribed) != 0;
  const auto known_use = static_cast<SpecialUse>(bits >> kUseShift);
  use = known_use <= kLastSpecialUse ? known_use : SpecialUse::kNone;
  mailbox = static_cast<std::uint32_t>(in.Varint());
  return in.AtEnd();
}

void MessageRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.Varint(created_modseq);
  out.Varint(modseq - created_modseq);
  out.U8(system);
  out.Varint(keywords.size());
  for (const std::uint16_t keyword : keywords) out.Varint(keyword);
  out.I64(date_us);
  out.Varint(size_bytes);
  out.Varint(body);
  out.Text(prefix);
  if (!uidl.empty()) out.Text(uidl);
}

bool MessageRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  created_modseq = in.Varint();
  modseq = created_modseq + in.Varint();
  system = in.U8();
  const std::uint64_t count = in.Varint();
  if (count > in.remaining()) return false;
  keywords.clear();
  for (std::uint64_t i = 0; i < count; ++i) keywords.push_back(static_cast<std::uint16_t>(in.Varint()));
  date_us = in.I64();
  size_bytes = in.Varint();
  body = in.Varint();
  prefix = in.Text();
  uidl = in.remaining() > 0 ? in.Text() : std::string_view();
  return in.AtEnd();
}

void OriginRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.Varint(uid);
  if (flags_modseq != 0) out.Varint(flags_modseq);
}

bool OriginRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  const std::uint64_t number = in.Varint();
  uid = static_cast<std::uint32_t>(number);
  flags_modseq = in.remaining() > 0 ? in.Varint() : 0;
  return in.AtEnd() && number <= UINT32_MAX;
}

void BodyRow::EncodeTo(std::string& text) const {
  base::Encoder out(text);
  out.Varint(references);
  body.EncodeTo(out);
}

bool BodyRow::DecodeFrom(std::string_view text) {
  base::Decoder in(text);
  references = static_cast<std::uint32_t>(in.Varint());
  body = replog::BodyRef::DecodeFrom(in);
  return in.AtEnd();
}

void EncodeKeywords(const std::vector<std::string>& keywords, std::string& text) {
  base::Encoder out(text);
  out.Varint(keywords.size());
  for (const std::string& keyword : keywords) out.Text(keyword);
}

bool DecodeKeywords(std::string_view text, std::vector<std::string>& keywords) {
  base::Decoder in(text);
  const std::uint64_t count = in.Varint();
  if (count > kKeywordsMax) return false;
  keywords.clear();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) keywords.emplace_back(in.Text());
  return in.AtEnd();
}

void EncodeUids(const std::vector<std::uint32_t>& uids, base::Encoder& out) {
  std::uint64_t ranges = 0;
  for (std::size_t i = 0; i < uids.size(); ++i) ranges += i == 0 || uids[i] != uids[i - 1] + 1 ? 1 : 0;
  out.Varint(ranges);
  std::uint64_t after = 0;  // The UID after the last one written.
  for (std::size_t i = 0; i < uids.size();) {
    std::size_t end = i + 1;
    while (end < uids.size() && uids[end] == uids[end - 1] + 1) ++end;
    out.Varint(uids[i] - after);
    out.Varint(end - i - 1);
    after = std::uint64_t{uids[end - 1]} + 1;
    i = end;
  }
}

bool DecodeUids(base::Decoder& in, std::uint32_t count_max, std::vector<std::uint32_t>& uids) {
  uids.clear();
  std::uint64_t after = 0;
  const std::uint64_t ranges = in.Varint();
  for (std::uint64_t i = 0; i < ranges; ++i) {
    const std::uint64_t gap = in.Varint();
    const std::uint64_t more = in.Varint();
    // Each term is checked before it is added, so that nothing wraps.
    if (!in.ok() || gap > UINT32_MAX || more >= count_max - uids.size() || after + gap + more > UINT32_MAX)
      return false;
    for (std::uint64_t uid = after + gap; uid <= after + gap + more; ++uid) {
      uids.push_back(static_cast<std::uint32_t>(uid));
    }
    after += gap + more + 1;
  }
  return in.ok();
}

}  // namespace store
