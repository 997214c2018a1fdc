#include "store/quota_rows.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "store/index.h"
#include "store/queries.h"

namespace store {

namespace {

// Rows of an upgrade that are written at once.
constexpr std::size_t kBatchBytes = 1u << 20;

}  // namespace

bool TakesMore(Changeset& changes, replog::PartitionId partition, std::uint32_t account,
               const std::optional<EntryQuota>& quota, const Usage& more) {
  if (!quota.has_value() || !quota->is_enforced) return true;
  const QuotaRow& row = changes.Quota(partition, account);
  return HasRoom(row.usage, more, LimitsOf(row.own, quota->rule.limits));
}

base::Error OverQuota() {
  return base::Error(base::Errc::kDenied, "the account has no room left; remove mail first");
}

WarningWatch::WarningWatch(Changeset& changes, replog::PartitionId partition, std::uint32_t account)
    : changes_(changes), partition_(partition), account_(account), before_(changes.Quota(partition, account).usage) {}

void WarningWatch::Added(const std::optional<EntryQuota>& quota) {
  if (!quota.has_value() || quota->rule.warn_at.front() == 0) return;
  QuotaRow& row = changes_.ChangeQuota(partition_, account_);
  const QuotaLimits limits = LimitsOf(row.own, quota->rule.limits);
  // The usage falls without a look at the rule, so that is seen here. A limit that was changed, or usage that came by
  // an import, is told of too.
  row.warned = std::min(row.warned, ReachedOf(quota->rule.warn_at, PercentOf(before_, limits)));
  const std::uint8_t reached = ReachedOf(quota->rule.warn_at, PercentOf(row.usage, limits));
  if (reached <= row.warned) return;
  row.warned = reached;
  changes_.Put(WarningKey(partition_, account_), {reinterpret_cast<const char*>(&reached), 1});
  changes_.effects().warnings.push_back({partition_, account_});
}

RowKey WarningKey(replog::PartitionId partition, std::uint32_t account) {
  return RowKey(partition, RowKind::kWarning).U32(account);
}

base::Result<> CountUsage(rocksdb::DB& db, replog::PartitionId partition,
                          const std::function<void(std::uint32_t account, const Usage& usage)>& visit) {
  constexpr std::size_t kNameOffset = kFieldsOffset + 4;
  const RowKey prefix(partition, RowKind::kName);
  const ReadView view(&db);
  std::optional<std::uint32_t> account;
  Usage usage;
  const auto names = view.Iterate();
  for (names->Seek(prefix.text()); names->Valid() && names->key().starts_with(prefix.text()); names->Next()) {
    NameRow name;
    const std::string_view key = names->key().ToStringView();
    if (key.size() < kNameOffset || !name.DecodeFrom(names->value().ToStringView())) continue;
    const std::uint32_t owner = KeyU32(key, kFieldsOffset);
    if (account.has_value() && *account != owner) visit(*account, std::exchange(usage, {}));
    account = owner;
    if (name.mailbox == 0) continue;
    const auto mailbox = view.GetRow<MailboxRow>(RowKey(partition, RowKind::kMailbox).U32(name.mailbox));
    if (mailbox.has_value()) usage += {.bytes = mailbox->bytes, .mails = mailbox->messages};
  }
  if (account.has_value()) visit(*account, usage);
  if (!names->status().ok()) return ToError(names->status(), "read the index");
  return {};
}

base::Result<> AddQuotaRows(rocksdb::DB& db) {
  ASSIGN_OR_RETURN(const auto partitions, QueryPartitions(ReadView(&db)));
  rocksdb::WriteBatch batch;
  rocksdb::Status written;
  for (const replog::PartitionId partition : partitions) {
    RETURN_IF_ERROR(CountUsage(db, partition, [&](std::uint32_t account, const Usage& usage) {
      std::string row;
      QuotaRow{.usage = usage, .own = {}}.EncodeTo(row);
      if (written.ok()) written = batch.Put(QuotaKey(partition, account).text(), row);
      if (!written.ok() || batch.GetDataSize() < kBatchBytes) return;
      written = db.Write(UnloggedWrites(), &batch);
      batch.Clear();
    }));
  }
  if (written.ok()) written = db.Write(UnloggedWrites(), &batch);
  if (!written.ok()) return ToError(written, "write to the index");
  return {};
}

}  // namespace store
