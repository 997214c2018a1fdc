#include "salvage/record_meaning.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "base/bytes.h"
#include "history/format.h"
#include "queue/entry.h"
#include "replog/format.h"
#include "replog/found_records.h"
#include "replog/guest.h"
#include "salvage/log_records.h"
#include "store/entries.h"

namespace salvage {
namespace {

using replog::RecordType;

// Where a mail's own id stands: in the Received field at its top.
constexpr std::size_t kTopBytes = 4096;

std::string_view EntryName(replog::PartitionId partition, std::uint8_t type) {
  if (type == 0) return "the log's empty entry, first of its epoch";
  if (IsQueue(partition)) {
    switch (static_cast<queue::EntryType>(type)) {
      case queue::EntryType::kEnqueue:
        return "enqueue";
      case queue::EntryType::kOutcome:
        return "outcome of a delivery";
      case queue::EntryType::kControl:
        return "control";
      case queue::EntryType::kOutcomeWithNotice:
        return "outcome of a delivery and the notice of it";
    }
    return "of a type that is not known";
  }
  constexpr std::string_view kNames[] = {"create account", "set password",
                                         "remove account", "deliver",
                                         "create mailbox", "delete mailbox",
                                         "rename mailbox", "subscribe",
                                         "append",         "store flags",
                                         "copy",           "expunge",
                                         "purge",          "import",
                                         "set UIDs",       "import flags",
                                         "store flags if", "special mailboxes",
                                         "set quota",      "warning of a full mailbox",
                                         "credentials",    "deliver directly"};
  return type <= std::size(kNames) ? kNames[type - 1] : "of a type that is not known";
}

std::string MeaningOfEntry(const mffs::RecordKey& key, std::string_view head_bytes) {
  const replog::PartitionId partition(key.partition);
  const std::string place = fmt::format("entry {} of {} ({:08x}-{:x}), epoch {}", key.index, replog::NameOf(partition),
                                        key.partition, key.index, key.epoch);
  const auto head = replog::EntryHead::Decode(head_bytes);
  if (!head.has_value()) return fmt::format("{}: its head cannot be read ({})", place, head.error().message());
  std::string text = fmt::format("{}: {}", place, EntryName(partition, head->type));
  if (head->has_mail()) {
    text += fmt::format(", brings a mail of {} bytes, class {}, body {:x}, digest {:08x}", head->mail_bytes,
                        mail::ToString(head->cls), head->body.value(), head->mail_digest);
    if (head->mail_in_parts()) text += fmt::format(", in {} parts", head->parts);
  }
  return text + fmt::format("; committed up to {} when written", head->committed.value());
}

std::string MeaningOfMove(std::string_view head, std::string_view body) {
  const auto moves = replog::DecodeMoves(head, body);
  if (!moves.has_value()) return "moves of records by the cleaner, which cannot be read";
  std::string text = fmt::format("moves of {} records by the cleaner", moves->size());
  if (moves->size() == 1) {
    const replog::MovedRecord& move = moves->front();
    text += fmt::format(": segment {} offset {} to segment {} offset {}", move.from.segment, move.from.offset,
                        move.to.segment, move.to.offset);
  }
  return text;
}

bool ContainsId(std::string_view text, std::string_view id) {
  const std::string needle = fmt::format("id {}", id);
  return text.substr(0, kTopBytes).find(needle) != std::string_view::npos;
}

std::string_view MetaOf(const replog::EntryHead& head, std::string_view body) {
  if (!head.meta_in_body()) return head.meta;
  return head.meta_bytes <= body.size() ? body.substr(body.size() - head.meta_bytes) : std::string_view();
}

// The id of a queued mail's envelope.
bool IsEnqueuedAs(const mffs::SurveyedRecord& record, const replog::EntryHead& head, std::string_view id) {
  if (!IsQueue(replog::PartitionId(record.header.key.partition))) return false;
  if (!queue::BringsMail(head.type)) return false;
  const auto entry = queue::DecodeNewMail(head.type, MetaOf(head, record.body));
  return entry.has_value() && entry->envelope.id == id;
}

bool EntryHasId(const mffs::SurveyedRecord& record, const replog::EntryHead& head, const MailId& id) {
  const mffs::RecordKey& key = record.header.key;
  if (id.entry.has_value()) {
    return id.entry->partition.value() == key.partition && id.entry->index.value() == key.index;
  }
  if (!head.has_mail()) return false;
  if (head.mail_in_parts())
    return id.digits == fmt::format("{:016x}", head.body.value()) || IsEnqueuedAs(record, head, id.digits);
  return ContainsId(record.body, id.digits) || IsEnqueuedAs(record, head, id.digits);
}

// The mail that an entry of the queue changes.
std::optional<replog::Index> MailNamedBy(std::uint8_t type, std::string_view meta) {
  switch (static_cast<queue::EntryType>(type)) {
    case queue::EntryType::kOutcome:
      if (const auto outcome = queue::OutcomeEntry::Decode(meta)) return outcome->mail;
      break;
    case queue::EntryType::kOutcomeWithNotice:
      if (const auto both = queue::OutcomeWithNoticeEntry::Decode(meta)) return both->outcome.mail;
      break;
    case queue::EntryType::kControl:
      if (const auto control = queue::ControlEntry::Decode(meta)) return control->mail;
      break;
    case queue::EntryType::kEnqueue:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> QueueNaming(const mffs::SurveyedRecord& record, const MailNames& names) {
  const replog::PartitionId partition(record.header.key.partition);
  const auto head = replog::EntryHead::Decode(record.head);
  if (!head.has_value() || !IsQueue(partition)) return std::nullopt;
  const auto named = MailNamedBy(head->type, MetaOf(*head, record.body));
  if (!named.has_value() || !names.entries.contains({partition, *named})) return std::nullopt;
  return fmt::format("names queued mail {:08x}-{:x}", partition.value(), named->value());
}

bool IsMoveOf(const replog::MovedRecord& move, replog::PartitionId partition, const MailNames& names) {
  switch (static_cast<RecordType>(move.type)) {
    case RecordType::kEntry:
      return names.entries.contains({partition, replog::Index(move.key_index)});
    case RecordType::kPart:
      return names.parts.contains(replog::BodyId(move.key_index));
    default:
      return false;
  }
}

std::optional<std::string> MoveNaming(const mffs::SurveyedRecord& record, const MailNames& names) {
  const auto moves = replog::DecodeMoves(record.head, record.body);
  if (!moves.has_value()) return std::nullopt;
  const replog::PartitionId partition(record.header.key.partition);
  std::string text;
  std::size_t found = 0;
  constexpr std::size_t kNamedMax = 8;
  for (const replog::MovedRecord& move : *moves) {
    if (!IsMoveOf(move, partition, names)) continue;
    if (++found > kNamedMax) continue;
    text += fmt::format("{}segment {} offset {} is now at segment {} offset {}", text.empty() ? "" : "; ",
                        move.from.segment, move.from.offset, move.to.segment, move.to.offset);
  }
  if (found == 0) return std::nullopt;
  if (found > kNamedMax) text += fmt::format("; and {} more of its records", found - kNamedMax);
  return text;
}

// Bodies that a piece of the store's snapshot names: rows of kind B (docs/format/store.md, "Rows").
bool StorePieceNames(std::string_view body, replog::PartitionId partition, const MailNames& names) {
  base::Decoder in(body);
  in.U8();
  while (in.ok() && in.remaining() > 0) {
    base::Decoder key(in.Text());
    in.Text();
    if (key.U8() != 'B') continue;
    std::uint64_t id = 0;
    for (int i = 0; i < 8; ++i) id = id << 8 | key.U8();
    if (!key.ok()) continue;
    if (names.parts.contains(replog::BodyId(id)) || names.entries.contains({partition, replog::Index(id)})) return true;
  }
  return false;
}

std::optional<std::string> PieceNaming(const mffs::SurveyedRecord& record, const MailNames& names) {
  const replog::PartitionId partition(record.header.key.partition);
  const auto kind = replog::DecodePieceHead(record.head);
  if (!kind.has_value() || *kind != replog::PieceKind::kStateMachine) return std::nullopt;
  if (!IsQueue(partition)) {
    if (!StorePieceNames(record.body, partition, names)) return std::nullopt;
    return "names its body";
  }
  const auto mails = queue::DecodePiece(record.body);
  if (!mails.has_value()) return std::nullopt;
  const bool named = std::ranges::any_of(
      *mails, [&](const queue::SavedMail& mail) { return names.entries.contains({partition, mail.index}); });
  if (!named) return std::nullopt;
  return "names it";
}

}  // namespace

std::string MeaningOf(const mffs::RecordKey& key, std::string_view head, std::string_view body) {
  switch (key.type) {
    case mffs::kTypeCheckpointRoot:
      return fmt::format("root of checkpoint {}", key.epoch);
    case mffs::kTypeCheckpointSegments:
      return fmt::format("part {} of checkpoint {}: segments", key.index, key.epoch);
    case mffs::kTypeCheckpointOwner:
      return fmt::format("part {} of checkpoint {}: the log's state", key.index, key.epoch);
    default:
      break;
  }
  if (replog::IsGuestType(key.type)) return history::MeaningOf(key, head);
  const std::string partition = replog::NameOf(replog::PartitionId(key.partition));
  switch (static_cast<RecordType>(key.type)) {
    case RecordType::kEntry:
      return MeaningOfEntry(key, head);
    case RecordType::kPart:
      return fmt::format("part {} of body {:x}", key.epoch, key.index);
    case RecordType::kSnapshotPiece:
      return fmt::format("piece {} of a snapshot of {}, epoch {}", key.index, partition, key.epoch);
    case RecordType::kSnapshotEnd:
      return fmt::format("end of the snapshot of {} that reaches entry {}", partition, key.index);
    case RecordType::kMove:
      return MeaningOfMove(head, body);
  }
  return fmt::format("of type {}, which is not known", key.type);
}

std::optional<MailId> MailId::Parse(std::string_view text) {
  if (const auto entry = queue::QueueId::Parse(text); entry.has_value()) return MailId{.entry = entry, .digits = {}};
  const bool is_hex =
      std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (text.size() != 16 || !is_hex) return std::nullopt;
  return MailId{.entry = {}, .digits = std::string(text)};
}

void AddNames(const mffs::SurveyedRecord& record, const MailId& id, MailNames* names) {
  if (names->size() >= MailNames::kNamesMax) return;
  const mffs::RecordKey& key = record.header.key;
  if (static_cast<RecordType>(key.type) == RecordType::kPart) {
    const bool is_first = key.epoch == 0;
    if (id.entry.has_value()) return;
    if (id.digits != fmt::format("{:016x}", key.index) && !(is_first && ContainsId(record.body, id.digits))) return;
    names->parts.insert(replog::BodyId(key.index));
    return;
  }
  if (static_cast<RecordType>(key.type) != RecordType::kEntry) return;
  const auto head = replog::EntryHead::Decode(record.head);
  if (!head.has_value() || !EntryHasId(record, *head, id)) return;
  names->entries.insert({replog::PartitionId(key.partition), replog::Index(key.index)});
  if (head->mail_in_parts()) names->parts.insert(head->body);
}

bool IsOfMail(const mffs::SurveyedRecord& record, const MailNames& names) {
  const mffs::RecordKey& key = record.header.key;
  if (static_cast<RecordType>(key.type) == RecordType::kPart) return names.parts.contains(replog::BodyId(key.index));
  if (static_cast<RecordType>(key.type) != RecordType::kEntry) return false;
  if (names.entries.contains({replog::PartitionId(key.partition), replog::Index(key.index)})) return true;
  const auto head = replog::EntryHead::Decode(record.head);
  return head.has_value() && head->mail_in_parts() && names.parts.contains(head->body);
}

std::optional<std::string> NamingOf(const mffs::SurveyedRecord& record, const MailNames& names) {
  switch (static_cast<RecordType>(record.header.key.type)) {
    case RecordType::kEntry:
      return QueueNaming(record, names);
    case RecordType::kMove:
      return MoveNaming(record, names);
    case RecordType::kSnapshotPiece:
      return PieceNaming(record, names);
    case RecordType::kPart:
    case RecordType::kSnapshotEnd:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace salvage
