#include "store/salvaged_index.h"

#include <filesystem>
#include <utility>

#include <rocksdb/db.h>

#include "store/apply.h"
#include "store/changeset.h"
#include "store/flags.h"
#include "store/index.h"
#include "store/keys.h"
#include "store/queries.h"
#include "store/snapshot.h"
#include "store/watermark.h"

namespace store {
namespace {

constexpr std::size_t kCachedMailboxesMax = 10'000;
// Keys of rows in snapshots have no partition in front.
constexpr std::size_t kPartitionBytes = 4;

bool IsWatermark(std::string_view value) {
  base::Decoder in(value);
  Watermark watermark;
  return watermark.DecodeFrom(in) && in.remaining() == 0;
}

template <class Row>
bool Decodes(std::string_view value) {
  Row row;
  return row.DecodeFrom(value);
}

}  // namespace

struct SalvagedIndex::Parts {
  std::unique_ptr<Index> index;
  std::unique_ptr<Changeset> changes;
  SnapshotLoader loader;
  // --- Of Next() ---
  std::unique_ptr<rocksdb::Iterator> rows;
  std::uint64_t mailbox_id = 0;  // The mailbox that the iterator is in: partition and number.
  std::optional<MailboxRow> mailbox;
  std::vector<std::string> keywords;
  std::string address;
  bool is_deleted = false;

  void MakeChanges() { changes = std::make_unique<Changeset>(index.get(), kCachedMailboxesMax); }
  template <class Row>
  std::optional<Row> Find(const RowKey& key) const {
    auto row = ReadView(&index->db()).GetRow<Row>(key);
    if (!row.has_value()) return std::nullopt;
    return *std::move(row);
  }
};

SalvagedIndex::SalvagedIndex(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SalvagedIndex::~SalvagedIndex() = default;

base::Result<std::unique_ptr<SalvagedIndex>> SalvagedIndex::Open(const std::string& folder,
                                                                 std::uint64_t memory_bytes) {
  std::error_code failed;
  std::filesystem::remove_all(folder, failed);
  if (failed) return base::ErrnoError("remove " + folder, failed.value());
  auto parts = std::make_unique<Parts>();
  ASSIGN_OR_RETURN(parts->index, Index::Open(folder, memory_bytes));
  parts->MakeChanges();
  return std::unique_ptr<SalvagedIndex>(new SalvagedIndex(std::move(parts)));
}

// A changeset that has failed stays so; what it had not written is lost, and the caller knows it.
void SalvagedIndex::ResetAfterFailure() {
  parts_->MakeChanges();
}

base::Result<> SalvagedIndex::BeginSnapshot(replog::PartitionId partition) {
  RETURN_IF_ERROR(Flush());
  parts_->loader.Begin(*parts_->changes, partition);
  keywords_mailbox_ = 0;
  keywords_count_ = 0;
  return {};
}

base::Result<> SalvagedIndex::LoadPiece(std::string_view piece) {
  base::Decoder in(piece);
  std::string sound;
  base::Encoder out(sound);
  out.U8(in.U8());
  bool is_whole = true;
  while (in.remaining() > 0) {
    const std::string_view key = in.Text();
    const std::string_view value = in.Text();
    is_whole = in.ok();
    if (!is_whole) break;
    if (IsSound(key, value)) {
      out.Text(key);
      out.Text(value);
    } else {
      ++rows_left_out_;
    }
  }
  auto loaded = parts_->loader.Load(*parts_->changes, sound);
  if (!loaded.has_value()) {
    if (loaded.error().code() != base::Errc::kUnsupported) ResetAfterFailure();
    return loaded;
  }
  if (is_whole) return {};
  return base::Error(base::Errc::kCorrupt, "a piece of a snapshot ends in the middle of a row");
}

base::Result<> SalvagedIndex::EndSnapshot() {
  auto ended = parts_->loader.End(*parts_->changes);
  if (!ended.has_value()) ResetAfterFailure();
  return ended;
}

bool SalvagedIndex::IsSound(std::string_view key, std::string_view value) {
  if (key.empty()) return false;
  switch (static_cast<RowKind>(key[0])) {
    case RowKind::kAccount:
      return key.size() == 5 && Decodes<AccountRow>(value);
    case RowKind::kAddress:
      return key.size() > 1 && value.size() == 4;
    case RowKind::kBody:
      return key.size() == 9 && Decodes<BodyRow>(value);
    case RowKind::kGarbage:
      return key.size() == 5;
    case RowKind::kMailbox:
      return IsSoundOfMailbox(key, value);
    case RowKind::kName:
      return key.size() > 5 && Decodes<NameRow>(value);
    case RowKind::kPartition:
      return key.size() == 1 && Decodes<PartitionRow>(value);
    case RowKind::kWarning:
      return key.size() == 5 && value.size() == 1;
    case RowKind::kQueuedId:
      return key.size() == 17;
    case RowKind::kWatermark:
      return key.size() == 5 && IsWatermark(value);
    case RowKind::kRelease:
      return key.size() == 9;  // Only in a snapshot that a repair has made of an index.
  }
  return false;
}

bool SalvagedIndex::IsSoundOfMailbox(std::string_view key, std::string_view value) {
  if (key.size() < 5) return false;
  if (key.size() == 5) return Decodes<MailboxRow>(value);
  const std::uint64_t mailbox = KeyU32(key, 1) + std::uint64_t{1};
  switch (static_cast<MailboxRowKind>(key[5])) {
    case MailboxRowKind::kChange:
      return key.size() == 18;
    case MailboxRowKind::kDirectId:
      return key.size() == 22 && value.size() == 8;
    case MailboxRowKind::kExpunged:
      return key.size() == 14;
    case MailboxRowKind::kKeywords: {
      std::vector<std::string> keywords;
      if (key.size() != 6 || !DecodeKeywords(value, keywords)) return false;
      keywords_mailbox_ = mailbox;
      keywords_count_ = keywords.size();
      return true;
    }
    case MailboxRowKind::kQuota:
      return key.size() == 6 && Decodes<QuotaRow>(value);
    case MailboxRowKind::kOrigin:
      return key.size() == 6 + kOriginBytes;
    case MailboxRowKind::kMessage: {
      MessageRow row;
      if (key.size() != 10 || !row.DecodeFrom(value) || row.prefix.size() > row.size_bytes) return false;
      // Rows name keywords by their position in the row that sorts before them.
      const std::size_t known = keywords_mailbox_ == mailbox ? keywords_count_ : 0;
      for (const std::uint16_t position : row.keywords) {
        if (position >= known) return false;
      }
      return true;
    }
  }
  return false;
}

base::Result<> SalvagedIndex::Apply(const replog::EntryView& entry) {
  const bool is_known = entry.type >= static_cast<std::uint8_t>(EntryType::kCreateAccount) &&
                        entry.type <= static_cast<std::uint8_t>(kNewestEntryType) && !entry.meta.empty() &&
                        static_cast<std::uint8_t>(entry.meta[0]) <= kEntryVersion;
  if (!is_known) {
    return base::Error(base::Errc::kUnsupported,
                       "an entry of type " + std::to_string(entry.type) + " was written by a newer version");
  }
  // The result is what the proposer was told.
  base::Ignore(ApplyEntry(*parts_->changes, entry));
  if (!parts_->changes->failed()) return {};
  const base::Result<> failure = parts_->changes->Flush();
  ResetAfterFailure();
  return base::Error(failure.error());
}

base::Result<std::vector<std::pair<replog::PartitionId, replog::BodyId>>> SalvagedIndex::Flush() {
  const base::Result<> flushed = parts_->changes->Flush();
  if (!flushed.has_value()) {
    ResetAfterFailure();
    return base::Error(flushed.error());
  }
  std::vector<std::pair<replog::PartitionId, replog::BodyId>> released;
  const Effects effects = parts_->changes->TakeEffects();
  for (const Effects::Release& release : effects.releases) released.emplace_back(release.partition, release.body.id);
  return released;
}

void SalvagedIndex::Rewind() {
  parts_->rows.reset(parts_->index->db().NewIterator(rocksdb::ReadOptions()));
  parts_->rows->SeekToFirst();
  parts_->mailbox_id = 0;
}

base::Result<std::optional<SalvagedMessage>> SalvagedIndex::Next() {
  rocksdb::Iterator& rows = *parts_->rows;
  while (rows.Valid()) {
    const std::string key = rows.key().ToString();
    const bool is_of_mailbox =
        key.size() >= kMailboxKindOffset && key[kKindOffset] == static_cast<char>(RowKind::kMailbox);
    if (!is_of_mailbox) {
      // To the mailboxes of this partition, or behind the partition.
      const replog::PartitionId partition(key.size() >= kPartitionBytes ? KeyU32(key, 0) : 0);
      const RowKey mailboxes(partition, RowKind::kMailbox);
      rows.Seek(key < mailboxes.text() ? mailboxes.text() : EndOfPrefix(RowKey(partition).text()));
      if (key >= mailboxes.text() && rows.Valid() && rows.key().ToStringView() <= key) break;
      continue;
    }
    EnterMailbox(key);
    const std::string prefix = key.substr(0, kMailboxKindOffset);
    const bool has_kind = key.size() > kMailboxKindOffset;
    const auto kind = static_cast<MailboxRowKind>(has_kind ? key[kMailboxKindOffset] : '\0');
    if (kind == MailboxRowKind::kMessage && key.size() == kMailboxFieldsOffset + 4) {
      auto message = ReadMessage(key, rows.value().ToStringView());
      rows.Next();
      if (!message.has_value() || message->has_value()) return message;
      continue;
    }
    if (!has_kind || key[kMailboxKindOffset] < static_cast<char>(MailboxRowKind::kMessage)) {
      rows.Seek(prefix + static_cast<char>(MailboxRowKind::kMessage));
    } else {
      rows.Seek(EndOfPrefix(prefix));
    }
  }
  if (!rows.status().ok()) return ToError(rows.status(), "read the index");
  return std::nullopt;
}

void SalvagedIndex::EnterMailbox(std::string_view key) {
  const replog::PartitionId partition(KeyU32(key, 0));
  const std::uint32_t number = KeyU32(key, kFieldsOffset);
  const std::uint64_t id = (std::uint64_t{partition.value()} << 32 | number) + 1;
  if (parts_->mailbox_id == id) return;
  parts_->mailbox_id = id;
  parts_->mailbox = parts_->Find<MailboxRow>(RowKey(partition, RowKind::kMailbox).U32(number));
  const ReadView view(&parts_->index->db());
  parts_->is_deleted = view.Get(RowKey(partition, RowKind::kGarbage).U32(number)).has_value();
  parts_->keywords.clear();
  const auto keywords = view.Get(MailboxKey(partition, number, MailboxRowKind::kKeywords));
  if (keywords.has_value() && !DecodeKeywords(*keywords, parts_->keywords)) parts_->keywords.clear();
  parts_->address.clear();
  if (!parts_->mailbox.has_value()) return;
  const auto account = parts_->Find<AccountRow>(RowKey(partition, RowKind::kAccount).U32(parts_->mailbox->account));
  if (account.has_value()) parts_->address = account->address;
}

base::Result<std::optional<SalvagedMessage>> SalvagedIndex::ReadMessage(std::string_view key, std::string_view value) {
  // Messages of a deleted mailbox wait for their purge.
  if (parts_->is_deleted) return std::nullopt;
  MessageRow row;
  if (!row.DecodeFrom(value)) {
    ++rows_left_out_;
    return std::nullopt;
  }
  SalvagedMessage message;
  message.partition = replog::PartitionId(KeyU32(key, 0));
  message.mailbox = KeyU32(key, kFieldsOffset);
  message.uid = KeyU32(key, kMailboxFieldsOffset);
  message.address = parts_->address;
  if (parts_->mailbox.has_value()) {
    message.mailbox_name = parts_->mailbox->name;
    message.uid_validity = parts_->mailbox->uid_validity;
  }
  std::erase_if(row.keywords, [this](std::uint16_t position) { return position >= parts_->keywords.size(); });
  message.flags = NamedFlags(row.system, row.keywords, parts_->keywords);
  message.internal_date = base::WallTime(std::chrono::microseconds(row.date_us));
  message.size_bytes = row.size_bytes;
  message.prefix = row.prefix;
  message.body = row.body;
  if (row.body == 0) return message;
  auto body = parts_->Find<BodyRow>(RowKey(message.partition, RowKind::kBody).U64(row.body));
  if (body.has_value()) message.body_ref = std::move(body->body);
  return message;
}

}  // namespace store
