#include "store/quota_ledger.h"

namespace store {

namespace {

constexpr Usage kSmallestMail{.bytes = 1, .mails = 1};

std::uint64_t IdOf(replog::PartitionId partition, std::uint32_t account) {
  return std::uint64_t{partition.value()} << 32 | account;
}

}  // namespace

void QuotaLedger::SetRule(const QuotaRule& rule) {
  rule_ = rule;
  for (auto& [account, known] : accounts_) CountFull(&known);
}

void QuotaLedger::Applied(const Effects::QuotaChange& change) {
  const std::uint64_t id = IdOf(change.partition, change.account);
  if (change.is_gone) {
    // Nobody delivers to it any more, and its number does not come back.
    if (const auto known = accounts_.find(id); known != accounts_.end()) Drop(known);
    return;
  }
  if (accounts_max_ == 0) return;
  if (!accounts_.contains(id)) MakeRoom();
  Update(&accounts_[id], change.usage, change.own, change.index);
}

void QuotaLedger::Arrived(const Effects::Arrival& arrival) {
  GiveBack(AccountId(IdOf(arrival.partition, arrival.account)), arrival.usage);
}

void QuotaLedger::Keep(AccountId account, const QuotaRow& row, std::uint64_t index, std::uint64_t evictions_before) {
  if (evictions_before != evictions_ || accounts_max_ == 0) return;
  const auto found = accounts_.find(account.value());
  if (found != accounts_.end() && found->second.index >= index) return;
  if (found == accounts_.end()) MakeRoom();
  Update(&accounts_[account.value()], row.usage, row.own, index);
}

bool QuotaLedger::HasRoom(AccountId account, const Usage& more) const {
  const auto found = accounts_.find(account.value());
  if (found == accounts_.end()) return true;
  const Known& known = found->second;
  return store::HasRoom(known.usage + known.set_aside, more, LimitsOf(known.own, rule_.limits));
}

bool QuotaLedger::SurelyHasRoom(AccountId account, const Usage& more) const {
  const auto found = accounts_.find(account.value());
  if (found == accounts_.end()) return false;
  const Known& known = found->second;
  const QuotaLimits limits = LimitsOf(known.own, rule_.limits);
  if (!limits.has_any()) return true;
  Usage all = known.usage + known.set_aside;
  const auto passing = passing_.find(PartitionOf(account).value());
  if (passing != passing_.end()) {
    if (passing->second.unknown > 0) return false;
    all += passing->second.usage;
  }
  return store::HasRoom(all, more, limits);
}

void QuotaLedger::SetAside(AccountId account, const Usage& more) {
  accounts_[account.value()].set_aside += more;
}

void QuotaLedger::GiveBack(AccountId account, const Usage& more) {
  const auto found = accounts_.find(account.value());
  if (found != accounts_.end()) found->second.set_aside -= more;
}

void QuotaLedger::Update(Known* known, const Usage& usage, const OwnQuota& own, std::uint64_t index) {
  known->usage = usage;
  known->own = own;
  known->index = index;
  CountFull(known);
}

void QuotaLedger::CountFull(Known* known) {
  const bool is_full = !store::HasRoom(known->usage, kSmallestMail, LimitsOf(known->own, rule_.limits));
  if (is_full && !known->is_full) full_accounts_ += 1;
  if (!is_full && known->is_full) full_accounts_ -= 1;
  known->is_full = is_full;
}

// Any account will do for which nothing is set aside: what is dropped costs one look-up.
void QuotaLedger::MakeRoom() {
  if (accounts_.size() < accounts_max_) return;
  for (auto known = accounts_.begin(); known != accounts_.end(); ++known) {
    if (known->second.set_aside != Usage()) continue;
    evictions_ += 1;
    Drop(known);
    return;
  }
}

void QuotaLedger::Drop(std::unordered_map<std::uint64_t, Known>::iterator known) {
  if (known->second.is_full) full_accounts_ -= 1;
  accounts_.erase(known);
}

QuotaLedger::Passage::Passage(QuotaLedger* ledger, replog::PartitionId partition, std::optional<Usage> more)
    : ledger_(ledger), partition_(partition), more_(more) {
  Passing& passing = ledger_->passing_[partition_.value()];
  if (more_.has_value()) {
    passing.usage += *more_;
  } else {
    passing.unknown += 1;
  }
}

QuotaLedger::Passage::~Passage() {
  Passing& passing = ledger_->passing_[partition_.value()];
  if (more_.has_value()) {
    passing.usage -= *more_;
  } else {
    passing.unknown -= 1;
  }
}

}  // namespace store
