#include "salvage/mail_json.h"

#include <algorithm>
#include <chrono>

#include <boost/json/array.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "mail/charset.h"
#include "mail/header.h"
#include "store/entries.h"

namespace salvage {

namespace json = boost::json;

namespace {

base::WallTime TimeOf(std::int64_t micros) {
  return base::WallTime(std::chrono::microseconds(micros));
}

std::string_view ToString(queue::RecipientState state) {
  switch (state) {
    case queue::RecipientState::kWaiting:
    case queue::RecipientState::kClaimed:
      return "waiting";
    case queue::RecipientState::kDelivered:
      return "delivered";
    case queue::RecipientState::kHeld:
      return "held";
    case queue::RecipientState::kBounced:
      return "bounced";
  }
  return "unknown";
}

json::array DescribeFlags(std::uint8_t system, const std::vector<std::string>& keywords) {
  constexpr std::pair<std::uint8_t, const char*> kNames[] = {{store::Flags::kSeen, "\\Seen"},
                                                             {store::Flags::kAnswered, "\\Answered"},
                                                             {store::Flags::kFlagged, "\\Flagged"},
                                                             {store::Flags::kDeleted, "\\Deleted"},
                                                             {store::Flags::kDraft, "\\Draft"}};
  json::array flags;
  for (const auto& [bit, name] : kNames) {
    if ((system & bit) != 0) flags.emplace_back(name);
  }
  for (const std::string& keyword : keywords) flags.emplace_back(JsonText(keyword));
  return flags;
}

// The trace fields that a delivery puts before a mail.
void AddPrefix(json::object* out, std::string_view prefix) {
  const auto sender = mail::FindHeader(prefix, "Return-Path");
  if (sender.has_value()) {
    std::string address = mail::Unfold(*sender);
    if (address.starts_with('<') && address.ends_with('>')) address = address.substr(1, address.size() - 2);
    (*out)["sender"] = JsonText(address);
  }
  json::array recipients;
  for (const std::string_view recipient : mail::FindHeaders(prefix, "Delivered-To")) {
    recipients.emplace_back(JsonText(mail::Unfold(recipient)));
  }
  if (!recipients.empty()) (*out)["recipients"] = std::move(recipients);
}

void AddEnvelope(json::object* out, const mail::Envelope& envelope) {
  json::array recipients;
  for (const mail::Recipient& recipient : envelope.recipients) recipients.emplace_back(JsonText(recipient.address));
  (*out)["id"] = JsonText(envelope.id);
  (*out)["sender"] = JsonText(envelope.sender);
  (*out)["recipients"] = std::move(recipients);
  (*out)["class"] = mail::ToString(envelope.cls);
  (*out)["received"] = JsonTime(envelope.received);
  json::object client{{"ip", JsonText(envelope.client_ip)},
                      {"helo", JsonText(envelope.helo)},
                      {"protocol", JsonText(envelope.protocol)}};
  if (!envelope.auth_account.empty()) client["account"] = JsonText(envelope.auth_account);
  (*out)["client"] = std::move(client);
}

json::object DescribeRecipient(const mail::Recipient& to, const queue::SavedMail::Recipient& slot) {
  json::object out;
  out["address"] = JsonText(to.address);
  out["state"] = ToString(slot.state);
  out["attempts"] = slot.attempts;
  if (slot.state == queue::RecipientState::kWaiting) out["next_attempt"] = JsonTime(slot.next_attempt);
  if (!slot.answer.empty()) out["last_answer"] = JsonText(slot.answer);
  return out;
}

}  // namespace

json::string JsonText(std::string_view bytes) {
  return json::string(mail::ToUtf8(bytes, ""));
}

json::string JsonTime(base::WallTime time) {
  // What a damaged entry says may be no time that a calendar knows.
  constexpr auto kFirst = base::WallTime(std::chrono::sys_days(std::chrono::year(1) / 1 / 1));
  constexpr auto kLast = base::WallTime(std::chrono::sys_days(std::chrono::year(9999) / 12 / 31));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(std::clamp(time, kFirst, kLast));
  return json::string(fmt::format("{:%FT%TZ}", seconds));
}

json::object DescribeMailboxMail(const store::SalvagedMessage& message, bool place_is_certain) {
  json::object out;
  AddPrefix(&out, message.prefix);
  out["received"] = JsonTime(message.internal_date);
  json::object where{{"kind", "mailbox"}};
  if (!message.address.empty()) where["account"] = JsonText(message.address);
  if (!message.mailbox_name.empty()) where["mailbox"] = JsonText(message.mailbox_name);
  where["uid"] = message.uid;
  if (message.uid_validity != 0) where["uid_validity"] = message.uid_validity;
  where["flags"] = DescribeFlags(message.flags.system, message.flags.keywords);
  where["internal_date"] = JsonTime(message.internal_date);
  // Parts of the partition's log are missing: UID, flags and mailbox are what the rest of it gives.
  where["certain"] = place_is_certain;
  out["where"] = std::move(where);
  return out;
}

json::object DescribeQueuedMail(replog::PartitionId partition, const queue::SavedMail& mail) {
  json::object out;
  AddEnvelope(&out, mail.envelope);
  out["class"] = mail::ToString(mail.cls);
  json::array recipients;
  const std::size_t count = std::min(mail.recipients.size(), mail.envelope.recipients.size());
  for (std::size_t i = 0; i < count; ++i) {
    recipients.emplace_back(DescribeRecipient(mail.envelope.recipients[i], mail.recipients[i]));
  }
  out["where"] = json::object{{"kind", "queue"},
                              {"queue_id", queue::QueueId{partition, mail.index}.ToString()},
                              {"queued_at", JsonTime(mail.queued_at)},
                              {"recipients", std::move(recipients)}};
  return out;
}

namespace {

// Of an entry that puts one mail into one mailbox.
template <class Entry>
void DescribeFlagsAndDate(std::string_view meta, json::object* where, json::object* out) {
  Entry entry;
  if (!store::DecodeEntry(meta, entry)) return;
  const std::vector<std::string> keywords(entry.flags.keywords.begin(), entry.flags.keywords.end());
  (*where)["flags"] = DescribeFlags(entry.flags.system, keywords);
  (*out)["received"] = JsonTime(TimeOf(entry.date_us));
}

// Nothing: an entry of another type. Views into `meta`.
std::optional<store::DeliverEntry> DecodeDelivery(std::uint8_t type, std::string_view meta) {
  store::DeliverDirectEntry entry;
  if (type == static_cast<std::uint8_t>(store::EntryType::kDeliver) && store::DecodeEntry(meta, entry.delivery)) {
    return std::move(entry.delivery);
  }
  if (type == static_cast<std::uint8_t>(store::EntryType::kDeliverDirect) && store::DecodeEntry(meta, entry)) {
    return std::move(entry.delivery);
  }
  return std::nullopt;
}

}  // namespace

json::object DescribeEntry(const EntryPlace& entry, std::string_view meta) {
  json::object out;
  json::object where{{"kind", "unknown"}, {"partition", NameOf(entry.partition)}, {"entry", entry.index.value()}};
  out["class"] = mail::ToString(entry.cls);
  if (IsQueue(entry.partition)) {
    const auto enqueue = queue::DecodeNewMail(entry.type, meta);
    if (enqueue.has_value()) AddEnvelope(&out, enqueue->envelope);
  } else if (const auto deliver = DecodeDelivery(entry.type, meta); deliver.has_value()) {
    std::string prefixes;
    for (const store::DeliverEntry::Target& target : deliver->targets) prefixes += target.prefix;
    AddPrefix(&out, prefixes);
    out["received"] = JsonTime(TimeOf(deliver->date_us));
  } else if (entry.type == static_cast<std::uint8_t>(store::EntryType::kAppend)) {
    DescribeFlagsAndDate<store::AppendEntry>(meta, &where, &out);
  } else if (entry.type == static_cast<std::uint8_t>(store::EntryType::kImport)) {
    DescribeFlagsAndDate<store::ImportEntry>(meta, &where, &out);
  }
  out["where"] = std::move(where);
  return out;
}

json::object DescribeParts(replog::BodyId body) {
  json::object out;
  out["where"] = json::object{{"kind", "unknown"}, {"body", fmt::format("{:016x}", body.value())}};
  return out;
}

std::string PrefixOfEntry(const EntryPlace& entry, std::string_view meta) {
  if (IsQueue(entry.partition)) return {};
  const auto deliver = DecodeDelivery(entry.type, meta);
  if (!deliver.has_value() || deliver->targets.empty()) return {};
  return std::string(deliver->targets.front().prefix);
}

void AddOwnWords(json::object* out, std::string_view head_of_mail) {
  if (out->contains("id")) return;
  const auto received = mail::FindHeader(head_of_mail, "Received");
  if (!received.has_value()) return;
  const std::string words = mail::Unfold(*received);
  constexpr std::string_view kBefore = " id ";
  const std::size_t at = words.find(kBefore);
  if (at == std::string::npos) return;
  const std::size_t begin = at + kBefore.size();
  (*out)["id"] = JsonText(std::string_view(words).substr(begin, words.find_first_of(" ;", begin) - begin));
}

}  // namespace salvage
