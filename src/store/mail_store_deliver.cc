// MailStore::Deliver: mail into INBOXes.
#include <algorithm>
#include <utility>

#include "store/engine.h"
#include "store/mail_store.h"
#include "store/results.h"

namespace store {

namespace {

std::uint32_t Number(AccountId id) {
  return static_cast<std::uint32_t>(id.value());
}

// Room for each target of a delivery that surely has it, until its entry is applied.
class RoomSetAside {
 public:
  explicit RoomSetAside(QuotaLedger* ledger) : ledger_(ledger) {}
  ~RoomSetAside() { GiveBack(); }
  RoomSetAside(const RoomSetAside&) = delete;
  RoomSetAside& operator=(const RoomSetAside&) = delete;

  // False: one of the targets may have no room, and nothing is set aside.
  bool Take(const std::vector<AccountId>& accounts, const DeliverEntry& entry, std::uint64_t body_bytes) {
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const Usage more{.bytes = body_bytes + entry.targets[i].prefix.size(), .mails = 1};
      if (!ledger_->SurelyHasRoom(accounts[i], more)) {
        GiveBack();
        return false;
      }
      ledger_->SetAside(accounts[i], more);
      taken_.emplace_back(accounts[i], more);
    }
    return true;
  }
  // The apply gives it back.
  void Release() { taken_.clear(); }

 private:
  void GiveBack() {
    for (const auto& [account, more] : taken_) ledger_->GiveBack(account, more);
    taken_.clear();
  }

  QuotaLedger* ledger_;
  std::vector<std::pair<AccountId, Usage>> taken_;
};

void AddSettled(const std::vector<Settled>& settled, DeliverEntry* entry) {
  for (const Settled& one : settled) {
    DeliverEntry::Settled& mark = entry->settled.emplace_back();
    mark.queue_partition = one.queue_partition.value();
    mark.mark.below = one.below.value();
    for (const replog::Index index : one.except) mark.mark.except.push_back(index.value());
  }
}

std::string Encode(DeliverEntry entry, const std::optional<DeliveryOrigin>& origin) {
  if (!origin.has_value()) return EncodeEntry(entry);
  return EncodeEntry(DeliverDirectEntry{.delivery = std::move(entry),
                                        .mail_id = origin->mail_id,
                                        .client_ip = origin->client_ip,
                                        .helo = origin->helo,
                                        .auth_account = origin->auth_account,
                                        .protocol = origin->protocol});
}

// Positions in the delivery, of all targets of the accounts that the apply has refused.
std::vector<std::size_t> RefusedTargets(const std::vector<std::uint32_t>& refused,
                                        const std::vector<std::size_t>& entry_target_of) {
  std::vector<std::size_t> targets;
  for (std::size_t i = 0; i < entry_target_of.size(); ++i) {
    if (std::ranges::find(refused, entry_target_of[i]) != refused.end()) targets.push_back(i);
  }
  return targets;
}

}  // namespace

async::Task<base::Result<std::vector<std::size_t>>> MailStore::Deliver(Delivery delivery) {
  if (delivery.targets.empty()) co_return base::Error(base::Errc::kInvalid, "a delivery without a target");
  const replog::PartitionId partition = PartitionOf(delivery.targets.front().address);
  DeliverEntry entry;
  entry.date_us = delivery.internal_date.time_since_epoch().count();
  entry.ids_kept_hours = engine_->options().direct_ids_kept_hours;
  entry.targets.reserve(delivery.targets.size());
  std::vector<AccountId> accounts;
  std::vector<std::size_t> entry_target_of;  // Of each target of the delivery.
  for (const DeliveryTarget& target : delivery.targets) {
    std::optional<AccountId> account = engine_->accounts().Find(target.address);
    if (!account.has_value()) {
      ASSIGN_OR_CO_RETURN(account, co_await engine_->LookUp(target.address));
    }
    if (store::PartitionOf(*account) != partition) {
      co_return base::Error(base::Errc::kInvalid, "the targets of a delivery lie in several partitions");
    }
    const auto same = std::ranges::find(accounts, *account);
    entry_target_of.push_back(static_cast<std::size_t>(same - accounts.begin()));
    if (same != accounts.end()) continue;
    entry.targets.push_back({.account = Number(*account), .delivery_id = target.delivery_id, .prefix = target.prefix});
    accounts.push_back(*account);
  }
  AddSettled(delivery.settled, &entry);
  if (!engine_->queue().has_room()) {
    CO_RETURN_IF_ERROR(co_await engine_->queue().Room());
  }
  if (engine_->queue().failure().has_value()) co_return base::Error(*engine_->queue().failure());
  RoomSetAside room(&engine_->ledger());
  const bool is_sure = room.Take(accounts, entry, delivery.body.size_bytes());
  entry.quota = engine_->QuotaOfEntry(!is_sure);
  replog::Draft draft;
  // What may be refused is no arrival yet: the history is told of none.
  if (!is_sure) delivery.origin.reset();
  draft.type = static_cast<std::uint8_t>(delivery.origin.has_value() ? EntryType::kDeliverDirect : EntryType::kDeliver);
  draft.cls = delivery.cls;
  draft.stream = engine_->StreamOfInboxes(accounts);
  draft.need = delivery.need;
  draft.meta = Encode(std::move(entry), delivery.origin);
  draft.body = std::move(delivery.body);
  if (is_sure) {
    CO_RETURN_IF_ERROR(co_await engine_->log().ProposeCommitted(partition, std::move(draft)));
    room.Release();
    co_return std::vector<std::size_t>();
  }
  ASSIGN_OR_CO_RETURN(const replog::Committed committed, co_await engine_->log().Propose(partition, std::move(draft)));
  ASSIGN_OR_CO_RETURN(const std::vector<std::uint32_t> refused, DecodeRefused(committed.applied));
  co_return RefusedTargets(refused, entry_target_of);
}

}  // namespace store
