#include "store/changeset.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "store/index.h"

namespace store {

namespace {

constexpr std::uint64_t MailboxKey(replog::PartitionId partition, std::uint32_t mailbox) {
  return std::uint64_t{partition.value()} << 32 | mailbox;
}

// Settled ids are refused by the watermark; this many of their rows are looked at with one entry, so that none takes
// long: more than a mail has recipients.
constexpr std::uint32_t kIdsCleanedMax = 8192;

RowKey DeliveryIdKey(replog::PartitionId partition, std::uint32_t mailbox, const mail::DeliveryId& id) {
  if (id.form == mail::DeliveryId::Form::kQueued) {
    return RowKey(partition, RowKind::kQueuedId)
        .U32(base::LoadLe<std::uint32_t>(id.bytes.data()))
        .U64(base::LoadLe<std::uint64_t>(id.bytes.data() + 8))
        .U32(base::LoadLe<std::uint32_t>(id.bytes.data() + 4));
  }
  return MailboxKey(partition, mailbox, MailboxRowKind::kDirectId)
      .Text({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
}

}  // namespace

void Changeset::Fail(base::Error error) {
  if (!error_.has_value()) error_ = std::move(error);
}

base::Result<> Changeset::Flush() {
  if (error_.has_value()) return base::Error(*error_);
  WriteChangedRows();
  new_ids_.clear();
  if (!batch_.empty()) {
    const rocksdb::Status status = batch_.WriteTo(*db_);
    if (!status.ok()) Fail(ToError(status, "write to the index"));
  }
  // All rows are clean here, so the whole cache can go when it has grown too large: cheaper than keeping an order of
  // use.
  if (mailboxes_.size() > cached_mailboxes_max_) mailboxes_.clear();
  if (quotas_.size() > cached_mailboxes_max_) quotas_.clear();
  if (error_.has_value()) return base::Error(*error_);
  return {};
}

void Changeset::WriteChangedRows() {
  for (const std::uint32_t number : changed_partitions_) {
    LoadedPartition& loaded = partitions_[number];
    loaded.changed = false;
    PutRow(RowKey(replog::PartitionId(number), RowKind::kPartition), loaded.row);
  }
  changed_partitions_.clear();
  for (const std::uint64_t number : changed_mailboxes_) {
    LoadedMailbox& loaded = mailboxes_[number];
    loaded.changed = false;
    const replog::PartitionId partition(static_cast<std::uint32_t>(number >> 32));
    const auto mailbox = static_cast<std::uint32_t>(number);
    const RowKey key = RowKey(partition, RowKind::kMailbox).U32(mailbox);
    if (loaded.row.has_value()) {
      PutRow(key, *loaded.row);
    } else {
      Delete(key);
    }
    effects_.changed.push_back({partition, mailbox});
  }
  changed_mailboxes_.clear();
  WriteChangedQuotas();
}

void Changeset::WriteChangedQuotas() {
  for (const std::uint64_t number : changed_quotas_) {
    LoadedQuota& loaded = quotas_[number];
    loaded.changed = false;
    const replog::PartitionId partition(static_cast<std::uint32_t>(number >> 32));
    const auto account = static_cast<std::uint32_t>(number);
    if (loaded.is_gone) {
      Delete(QuotaKey(partition, account));
    } else {
      PutRow(QuotaKey(partition, account), loaded.row);
    }
    effects_.quotas.push_back({.partition = partition,
                               .account = account,
                               .usage = loaded.row.usage,
                               .own = loaded.row.own,
                               .index = partitions_[partition.value()].row.index,
                               .is_gone = loaded.is_gone});
  }
  changed_quotas_.clear();
}

Effects Changeset::TakeEffects() {
  return std::exchange(effects_, {});
}

void Changeset::ForgetPartition(replog::PartitionId partition) {
  partitions_.erase(partition.value());
  std::erase_if(mailboxes_, [partition](const auto& entry) { return entry.first >> 32 == partition.value(); });
  std::erase_if(quotas_, [partition](const auto& entry) { return entry.first >> 32 == partition.value(); });
}

std::optional<std::string> Changeset::Get(const RowKey& key) {
  std::string value;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), key.text(), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) {
    Fail(ToError(status, "read the index"));
    return std::nullopt;
  }
  return value;
}

// ---- Partitions and mailboxes ----

Changeset::LoadedPartition& Changeset::LoadPartition(replog::PartitionId partition) {
  const auto [found, is_new] = partitions_.try_emplace(partition.value());
  LoadedPartition& loaded = found->second;
  if (!is_new) return loaded;
  loaded.row = GetRow<PartitionRow>(RowKey(partition, RowKind::kPartition)).value_or(PartitionRow());
  const RowKey prefix(partition, RowKind::kWatermark);
  const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(rocksdb::ReadOptions()));
  for (rows->Seek(prefix.text()); rows->Valid() && rows->key().starts_with(prefix.text()); rows->Next()) {
    base::Decoder in(rows->value().ToStringView());
    if (rows->key().size() != kFieldsOffset + 4) continue;
    if (!loaded.watermarks[KeyU32(rows->key().ToStringView(), kFieldsOffset)].DecodeFrom(in)) {
      Fail(base::Error(base::Errc::kCorrupt, "a row of the index cannot be read"));
    }
  }
  if (!rows->status().ok()) Fail(ToError(rows->status(), "read the index"));
  return loaded;
}

PartitionRow& Changeset::ChangePartition(replog::PartitionId partition) {
  LoadedPartition& loaded = LoadPartition(partition);
  if (!loaded.changed) {
    loaded.changed = true;
    changed_partitions_.push_back(partition.value());
  }
  return loaded.row;
}

Changeset::LoadedMailbox& Changeset::LoadMailbox(replog::PartitionId partition, std::uint32_t mailbox) {
  const auto [found, is_new] = mailboxes_.try_emplace(MailboxKey(partition, mailbox));
  if (is_new) found->second.row = GetRow<MailboxRow>(RowKey(partition, RowKind::kMailbox).U32(mailbox));
  return found->second;
}

MailboxRow* Changeset::FindMailbox(replog::PartitionId partition, std::uint32_t mailbox) {
  LoadedMailbox& loaded = LoadMailbox(partition, mailbox);
  return loaded.row.has_value() ? &*loaded.row : nullptr;
}

void Changeset::MailboxChanged(replog::PartitionId partition, std::uint32_t mailbox) {
  LoadedMailbox& loaded = LoadMailbox(partition, mailbox);
  if (loaded.changed) return;
  loaded.changed = true;
  changed_mailboxes_.push_back(MailboxKey(partition, mailbox));
}

void Changeset::AddMailbox(replog::PartitionId partition, std::uint32_t mailbox, MailboxRow row) {
  LoadMailbox(partition, mailbox).row = std::move(row);
  MailboxChanged(partition, mailbox);
}

void Changeset::DropMailbox(replog::PartitionId partition, std::uint32_t mailbox) {
  std::optional<MailboxRow>& row = LoadMailbox(partition, mailbox).row;
  if (row.has_value()) {
    ChangeQuota(partition, row->account).usage -= {.bytes = row->bytes, .mails = row->messages};
    row.reset();
  }
  MailboxChanged(partition, mailbox);
  Put(RowKey(partition, RowKind::kGarbage).U32(mailbox), "");
  effects_.garbage.push_back({partition, mailbox});
}

// ---- Quotas ----

Changeset::LoadedQuota& Changeset::LoadQuota(replog::PartitionId partition, std::uint32_t account) {
  const auto [found, is_new] = quotas_.try_emplace(MailboxKey(partition, account));
  if (is_new) found->second.row = GetRow<QuotaRow>(QuotaKey(partition, account)).value_or(QuotaRow());
  return found->second;
}

Changeset::LoadedQuota& Changeset::MarkQuota(replog::PartitionId partition, std::uint32_t account) {
  LoadedQuota& loaded = LoadQuota(partition, account);
  if (!loaded.changed) {
    loaded.changed = true;
    changed_quotas_.push_back(MailboxKey(partition, account));
  }
  return loaded;
}

QuotaRow& Changeset::ChangeQuota(replog::PartitionId partition, std::uint32_t account) {
  return MarkQuota(partition, account).row;
}

void Changeset::DropQuota(replog::PartitionId partition, std::uint32_t account) {
  LoadedQuota& loaded = MarkQuota(partition, account);
  loaded.row = {};
  loaded.is_gone = true;
}

// ---- Delivery ids ----

void Changeset::AdvanceTime(replog::PartitionId partition, std::int64_t date_us, std::uint32_t ids_kept_hours) {
  PartitionRow& row = ChangePartition(partition);
  row.time_us = std::max(row.time_us, date_us);
  // Microseconds of 2^32 hours fit 64 bits; the difference cannot wrap, since the time is not negative.
  row.ids_horizon_us = std::max(row.ids_horizon_us, row.time_us - std::int64_t{ids_kept_hours} * 3600 * 1'000'000);
  if (partition.value() < IdHorizons::kPartitionsMax) {
    index_->horizons().us[partition.value()].store(row.ids_horizon_us, std::memory_order_relaxed);
  }
}

bool Changeset::KnowsDeliveryId(replog::PartitionId partition, std::uint32_t mailbox, const mail::DeliveryId& id) {
  LoadedPartition& loaded = LoadPartition(partition);
  const bool queued = id.form == mail::DeliveryId::Form::kQueued;
  if (queued) {
    const auto mark = loaded.watermarks.find(base::LoadLe<std::uint32_t>(id.bytes.data()));
    const auto index = base::LoadLe<std::uint64_t>(id.bytes.data() + 8);
    if (mark != loaded.watermarks.end() && mark->second.IsSettled(index)) return true;
  }
  const RowKey key = DeliveryIdKey(partition, mailbox, id);
  if (new_ids_.contains(key.text())) return true;
  read_.Reset();
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), key.text(), &read_);
  if (!status.ok() && !status.IsNotFound()) Fail(ToError(status, "read the index"));
  // An expired direct id counts as unknown whether or not compaction has removed its row already.
  const bool expired = !queued && status.ok() && read_.size() == sizeof(std::int64_t) &&
                       base::LoadLe<std::int64_t>(read_.data()) < loaded.row.ids_horizon_us;
  return status.ok() && !expired;
}

void Changeset::AddDeliveryId(replog::PartitionId partition, std::uint32_t mailbox, const mail::DeliveryId& id) {
  const RowKey key = DeliveryIdKey(partition, mailbox, id);
  new_ids_.insert(key.text());
  char stamp[sizeof(std::int64_t)];
  base::StoreLe(stamp, LoadPartition(partition).row.time_us);
  const bool queued = id.form == mail::DeliveryId::Form::kQueued;
  Put(key, queued ? std::string_view() : std::string_view(stamp, sizeof stamp));
}

void Changeset::RaiseWatermark(replog::PartitionId partition, std::uint32_t queue_partition, const Watermark& mark) {
  LoadedPartition& loaded = LoadPartition(partition);
  Watermark& now = loaded.watermarks[queue_partition];
  if (mark.below <= now.below) return;
  std::string value;
  base::Encoder out(value);
  mark.EncodeTo(out);
  Put(RowKey(partition, RowKind::kWatermark).U32(queue_partition), value);
  std::uint64_t& cleaned = loaded.cleaned[queue_partition];
  const RowKey ids = RowKey(partition, RowKind::kQueuedId).U32(queue_partition);
  for (const std::uint64_t index : now.except) {
    if (index >= cleaned || !mark.IsSettled(index)) continue;
    std::uint64_t from = index;
    DeleteSettledIds(ids, {.below = index + 1, .except = {}}, &from);
  }
  DeleteSettledIds(ids, mark, &cleaned);
  now = mark;
}

void Changeset::DeleteSettledIds(const RowKey& ids, const Watermark& mark, std::uint64_t* from) {
  const std::unique_ptr<rocksdb::Iterator> rows(db_->NewIterator(rocksdb::ReadOptions()));
  const std::string end = RowKey(ids).U64(mark.below).text();
  std::uint32_t seen = 0;
  for (rows->Seek(RowKey(ids).U64(*from).text()); rows->Valid() && rows->key().compare(end) < 0; rows->Next()) {
    if (rows->key().size() != kQueuedIdKeyBytes) continue;
    const std::uint64_t index = KeyU64(rows->key().ToStringView(), kFieldsOffset + 4);
    *from = index;
    if (++seen > kIdsCleanedMax) return;
    if (mark.IsSettled(index)) batch_.Delete(rows->key().ToStringView());
  }
  if (!rows->status().ok()) Fail(ToError(rows->status(), "read the index"));
  *from = mark.below;
}

// ---- Bodies ----

Changeset::LoadedBody& Changeset::LoadBody(replog::PartitionId partition, std::uint64_t body) {
  const auto [found, is_new] = bodies_.try_emplace(body);
  if (is_new) found->second.row = GetRow<BodyRow>(RowKey(partition, RowKind::kBody).U64(body));
  return found->second;
}

BodyRow* Changeset::FindBody(replog::PartitionId partition, std::uint64_t body) {
  LoadedBody& loaded = LoadBody(partition, body);
  loaded.changed = true;
  return loaded.row.has_value() ? &*loaded.row : nullptr;
}

void Changeset::AddBody(const replog::BodyRef& body, replog::PartitionId partition, std::uint32_t references) {
  if (body.empty()) return;
  if (references == 0) {
    released_.push_back(body);
    return;
  }
  scratch_.clear();
  base::Encoder out(scratch_);
  out.Varint(references);
  body.EncodeTo(out);
  Put(RowKey(partition, RowKind::kBody).U64(body.id.value()), scratch_);
}

void Changeset::AddReference(replog::PartitionId partition, std::uint64_t body) {
  if (body == 0) return;
  BodyRow* row = FindBody(partition, body);
  if (row == nullptr) {
    Fail(base::Error(base::Errc::kCorrupt, "a message of the index has no body row"));
    return;
  }
  row->references += 1;
}

bool Changeset::IsLastReference(replog::PartitionId partition, std::uint64_t body) {
  if (body == 0) return false;
  const LoadedBody& loaded = LoadBody(partition, body);
  return loaded.row.has_value() && loaded.row->references == 1;
}

void Changeset::DropReference(replog::PartitionId partition, std::uint64_t body) {
  if (body == 0) return;
  BodyRow* row = FindBody(partition, body);
  if (row == nullptr || row->references == 0) {
    Fail(base::Error(base::Errc::kCorrupt, "a message of the index has no body row"));
    return;
  }
  row->references -= 1;
}

void Changeset::EndBodies(replog::PartitionId partition) {
  for (auto& [body, loaded] : bodies_) {
    if (!loaded.changed || !loaded.row.has_value()) continue;
    const RowKey key = RowKey(partition, RowKind::kBody).U64(body);
    if (loaded.row->references > 0) {
      PutRow(key, *loaded.row);
    } else {
      Delete(key);
      released_.push_back(std::move(loaded.row->body));
    }
  }
  bodies_.clear();
}

void Changeset::EndEntry(replog::PartitionId partition, std::uint64_t epoch, std::uint64_t index) {
  if (!bodies_.empty()) EndBodies(partition);
  if (!released_.empty()) {
    std::string journal;
    base::Encoder out(journal);
    out.Varint(released_.size());
    for (const replog::BodyRef& body : released_) body.EncodeTo(out);
    Put(RowKey(partition, RowKind::kRelease).U64(index), journal);
    for (replog::BodyRef& body : released_) effects_.releases.push_back({partition, std::move(body)});
    released_.clear();
  }
  PartitionRow& row = ChangePartition(partition);
  row.epoch = epoch;
  row.index = index;
}

}  // namespace store
