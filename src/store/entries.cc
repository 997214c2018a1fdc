#include "store/entries.h"

#include <algorithm>

#include "store/rows.h"
#include "store/types.h"

namespace store {

namespace {

bool ReadU32(base::Decoder& in, std::uint32_t& value) {
  const std::uint64_t wide = in.Varint();
  value = static_cast<std::uint32_t>(wide);
  return in.ok() && wide <= UINT32_MAX;
}

bool ReadBool(base::Decoder& in, bool& value) {
  const std::uint8_t byte = in.U8();
  value = byte == 1;
  return in.ok() && byte <= 1;
}

bool ReadText(base::Decoder& in, std::string_view& value) {
  value = in.Text();
  return in.ok();
}

constexpr std::size_t kTargetBytesMin = 1 + 17 + 1;
constexpr std::size_t kSettledBytesMin = 3;

}  // namespace

void EntryQuota::Write(base::Encoder& out) const {
  out.U8(is_enforced ? 1 : 0);
  out.Varint(rule.limits.bytes);
  out.Varint(rule.limits.mails);
  const auto count = static_cast<std::uint8_t>(std::ranges::find(rule.warn_at, 0) - rule.warn_at.begin());
  out.U8(count);
  for (std::uint8_t i = 0; i < count; ++i) out.U8(rule.warn_at[i]);
}

bool EntryQuota::Read(base::Decoder& in) {
  if (!ReadBool(in, is_enforced)) return false;
  rule = {};
  rule.limits.bytes = in.Varint();
  rule.limits.mails = in.Varint();
  const std::uint8_t count = in.U8();
  if (count > rule.warn_at.size()) return false;
  std::uint8_t before = 0;
  for (std::uint8_t i = 0; i < count; ++i) {
    rule.warn_at[i] = in.U8();
    if (rule.warn_at[i] <= before) return false;
    before = rule.warn_at[i];
  }
  return in.ok();
}

void CreateAccountEntry::Write(base::Encoder& out) const {
  out.Text(address);
  out.Text(password_hash);
}

bool CreateAccountEntry::Read(base::Decoder& in) {
  return ReadText(in, address) && ReadText(in, password_hash) && !address.empty();
}

void SetPasswordEntry::Write(base::Encoder& out) const {
  out.Text(address);
  out.Text(password_hash);
}

bool SetPasswordEntry::Read(base::Decoder& in) {
  return ReadText(in, address) && ReadText(in, password_hash);
}

void CredentialsEntry::Write(base::Encoder& out) const {
  out.U8(static_cast<std::uint8_t>(change));
  out.Text(address);
  out.Text(password_hash);
  out.Text(scram_keys);
}

bool CredentialsEntry::Read(base::Decoder& in) {
  change = static_cast<CredentialsChange>(in.U8());
  return change <= kLastCredentialsChange && ReadText(in, address) && ReadText(in, password_hash) &&
         ReadText(in, scram_keys) && !address.empty() && scram_keys.size() <= kScramKeysBytesMax;
}

void RemoveAccountEntry::Write(base::Encoder& out) const {
  out.Text(address);
}

bool RemoveAccountEntry::Read(base::Decoder& in) {
  return ReadText(in, address);
}

void DeliverEntry::Write(base::Encoder& out) const {
  out.I64(date_us);
  out.Varint(ids_kept_hours);
  out.Varint(targets.size());
  for (const Target& target : targets) {
    out.Varint(target.account);
    target.delivery_id.EncodeTo(out);
    out.Text(target.prefix);
  }
  out.Varint(settled.size());
  for (const Settled& mark : settled) {
    out.Varint(mark.queue_partition);
    mark.mark.EncodeTo(out);
  }
}

bool DeliverEntry::Read(base::Decoder& in) {
  targets.clear();
  settled.clear();
  date_us = in.I64();
  if (!ReadU32(in, ids_kept_hours)) return false;
  const std::uint64_t target_count = in.Varint();
  if (target_count > in.remaining() / kTargetBytesMin) return false;
  for (std::uint64_t i = 0; i < target_count; ++i) {
    Target& target = targets.emplace_back();
    if (!ReadU32(in, target.account)) return false;
    target.delivery_id = mail::DeliveryId::DecodeFrom(in);
    if (!ReadText(in, target.prefix)) return false;
  }
  const std::uint64_t settled_count = in.Varint();
  if (settled_count > in.remaining() / kSettledBytesMin) return false;
  for (std::uint64_t i = 0; i < settled_count; ++i) {
    Settled& mark = settled.emplace_back();
    if (!ReadU32(in, mark.queue_partition) || !mark.mark.DecodeFrom(in)) return false;
  }
  return in.ok();
}

void DeliverDirectEntry::Write(base::Encoder& out) const {
  delivery.Write(out);
  out.Text(mail_id);
  out.Text(client_ip);
  out.Text(helo);
  out.Text(auth_account);
  out.Text(protocol);
}

bool DeliverDirectEntry::Read(base::Decoder& in) {
  return delivery.Read(in) && ReadText(in, mail_id) && ReadText(in, client_ip) && ReadText(in, helo) &&
         ReadText(in, auth_account) && ReadText(in, protocol);
}

void CreateMailboxEntry::Write(base::Encoder& out) const {
  out.Varint(account);
  out.Text(name);
  out.Varint(names_max);
}

bool CreateMailboxEntry::Read(base::Decoder& in) {
  return ReadU32(in, account) && ReadText(in, name) && ReadU32(in, names_max);
}

void DeleteMailboxEntry::Write(base::Encoder& out) const {
  out.Varint(account);
  out.Text(name);
}

bool DeleteMailboxEntry::Read(base::Decoder& in) {
  return ReadU32(in, account) && ReadText(in, name);
}

void RenameMailboxEntry::Write(base::Encoder& out) const {
  out.Varint(account);
  out.Text(from);
  out.Text(to);
  out.Varint(names_max);
  out.Varint(name_bytes_max);
}

bool RenameMailboxEntry::Read(base::Decoder& in) {
  return ReadU32(in, account) && ReadText(in, from) && ReadText(in, to) && ReadU32(in, names_max) &&
         ReadU32(in, name_bytes_max);
}

void SubscribeEntry::Write(base::Encoder& out) const {
  out.Varint(account);
  out.Text(name);
  out.U8(subscribed ? 1 : 0);
  out.Varint(names_max);
}

bool SubscribeEntry::Read(base::Decoder& in) {
  return ReadU32(in, account) && ReadText(in, name) && ReadBool(in, subscribed) && ReadU32(in, names_max);
}

void SpecialMailboxesEntry::Write(base::Encoder& out) const {
  out.Varint(account);
  out.Varint(names_max);
  out.Varint(items.size());
  for (const Item& item : items) {
    out.U8(static_cast<std::uint8_t>(item.use));
    out.Text(item.name);
  }
}

bool SpecialMailboxesEntry::Read(base::Decoder& in) {
  items.clear();
  if (!ReadU32(in, account) || !ReadU32(in, names_max)) return false;
  const std::uint64_t count = in.Varint();
  if (count > static_cast<std::uint64_t>(kLastSpecialUse)) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto use = static_cast<SpecialUse>(in.U8());
    std::string_view name;
    if (use == SpecialUse::kNone || use > kLastSpecialUse || !ReadText(in, name) || name.empty()) return false;
    const auto is_same = [&](const Item& other) { return other.use == use || other.name == name; };
    if (std::ranges::any_of(items, is_same)) return false;
    items.push_back({use, name});
  }
  return in.ok();
}

void EntryFlags::Write(base::Encoder& out) const {
  out.U8(system);
  out.Varint(keywords.size());
  for (const std::string_view keyword : keywords) out.Text(keyword);
}

bool EntryFlags::Read(base::Decoder& in) {
  system = in.U8();
  keywords.clear();
  const std::uint64_t count = in.Varint();
  if (count > kKeywordsPerMailboxMax) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view keyword = in.Text();
    if (keyword.empty() || keyword.size() > kKeywordBytesMax) return false;
    keywords.push_back(keyword);
  }
  return in.ok();
}

void AppendEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
  flags.Write(out);
  out.I64(date_us);
}

bool AppendEntry::Read(base::Decoder& in) {
  if (!ReadU32(in, mailbox) || !flags.Read(in)) return false;
  date_us = in.I64();
  return in.ok();
}

void StoreFlagsEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
  out.U8(change);
  flags.Write(out);
  EncodeUids(uids, out);
}

bool StoreFlagsEntry::Read(base::Decoder& in) {
  if (!ReadU32(in, mailbox)) return false;
  change = in.U8();
  return change <= 2 && flags.Read(in) && DecodeUids(in, kUidsPerEntryMax, uids);
}

void StoreFlagsIfEntry::Write(base::Encoder& out) const {
  change.Write(out);
  out.Varint(unchanged_since);
}

bool StoreFlagsIfEntry::Read(base::Decoder& in) {
  if (!change.Read(in)) return false;
  unchanged_since = in.Varint();
  return in.ok();
}

void CopyEntry::Write(base::Encoder& out) const {
  out.Varint(from);
  out.Varint(to);
  out.U8(move ? 1 : 0);
  EncodeUids(uids, out);
}

bool CopyEntry::Read(base::Decoder& in) {
  return ReadU32(in, from) && ReadU32(in, to) && ReadBool(in, move) && DecodeUids(in, kUidsPerEntryMax, uids);
}

void ExpungeEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
  out.U8(only_deleted ? 1 : 0);
  EncodeUids(uids, out);
}

bool ExpungeEntry::Read(base::Decoder& in) {
  return ReadU32(in, mailbox) && ReadBool(in, only_deleted) && DecodeUids(in, kUidsPerEntryMax, uids);
}

void PurgeEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
}

bool PurgeEntry::Read(base::Decoder& in) {
  return ReadU32(in, mailbox);
}

void ImportEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
  out.Varint(uid);
  flags.Write(out);
  out.I64(date_us);
  out.Text(origin);
  out.Text(uidl);
}

bool ImportEntry::Read(base::Decoder& in) {
  if (!ReadU32(in, mailbox) || !ReadU32(in, uid) || !flags.Read(in)) return false;
  date_us = in.I64();
  return ReadText(in, origin) && ReadText(in, uidl) && uid != UINT32_MAX && origin.size() == kOriginBytes &&
         uidl.size() <= kUidlBytesMax;
}

void SetUidsEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
  out.Varint(uid_validity);
  out.Varint(uid_next);
}

bool SetUidsEntry::Read(base::Decoder& in) {
  return ReadU32(in, mailbox) && ReadU32(in, uid_validity) && ReadU32(in, uid_next) &&
         uid_validity <= kImportedUidValidityMax;
}

void ImportFlagsEntry::Write(base::Encoder& out) const {
  out.Varint(mailbox);
  out.Varint(messages.size());
  for (const Message& message : messages) {
    out.Text(message.origin);
    message.flags.Write(out);
  }
}

bool ImportFlagsEntry::Read(base::Decoder& in) {
  messages.clear();
  if (!ReadU32(in, mailbox)) return false;
  const std::uint64_t count = in.Varint();
  if (count > kSourceFlagsMax) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string_view before = messages.empty() ? std::string_view() : messages.back().origin;
    Message& message = messages.emplace_back();
    if (!ReadText(in, message.origin) || message.origin.size() != kOriginBytes || message.origin <= before)
      return false;
    if (!message.flags.Read(in)) return false;
  }
  return in.ok();
}

void SetQuotaEntry::Write(base::Encoder& out) const {
  out.Text(address);
  own.Write(out);
}

bool SetQuotaEntry::Read(base::Decoder& in) {
  if (!ReadText(in, address)) return false;
  own.Read(in);
  return in.ok();
}

void QuotaWarningEntry::Write(base::Encoder& out) const {
  out.Varint(account);
  out.U8(percent);
  out.I64(date_us);
  out.Text(prefix);
}

bool QuotaWarningEntry::Read(base::Decoder& in) {
  if (!ReadU32(in, account)) return false;
  percent = in.U8();
  date_us = in.I64();
  return ReadText(in, prefix);
}

}  // namespace store
