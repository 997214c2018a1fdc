// QuotaLedger: what accounts have and may have, known on the shard without asking RocksDB.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "store/changeset.h"
#include "store/quota.h"
#include "store/types.h"

namespace store {

// Says for most mail that it surely has room, so that its delivery is acknowledged when it is committed
// (docs/decisions/0005-acknowledge-at-commit.md): such room is set aside until the apply has counted the mail. For mail
// that may not fit only its apply can tell, and is waited for.
//
// Thread: the shard. Changed by applies as they become visible, filled by look-ups. Memory: a bounded number of
// accounts.
class QuotaLedger {
 public:
  explicit QuotaLedger(std::uint32_t accounts_max) : accounts_max_(accounts_max) {}

  // What is configured; for entries from now on.
  void SetRule(const QuotaRule& rule);
  const QuotaRule& rule() const { return rule_; }

  // ---- What is known ----
  void Applied(const Effects::QuotaChange& change);
  void Arrived(const Effects::Arrival& arrival);
  // A look-up notes evictions() before it asks; if an account was dropped meanwhile, the answer may be older than what
  // was known, and is not kept. `index`: of the last entry that it has seen.
  std::uint64_t evictions() const { return evictions_; }
  void Keep(AccountId account, const QuotaRow& row, std::uint64_t index, std::uint64_t evictions_before);
  bool Knows(AccountId account) const { return accounts_.contains(account.value()); }
  // Known accounts that have no room for any mail.
  std::uint64_t full_accounts() const { return full_accounts_; }

  // ---- Room ----
  // By what is applied or set aside: what RCPT is told. An account that is not known has room.
  bool HasRoom(AccountId account, const Usage& more) const;
  // Whatever is on its way is counted. False: it may have, only an apply can tell.
  bool SurelyHasRoom(AccountId account, const Usage& more) const;
  // For mail that surely has room, until its apply is visible (Arrived) or it came to nothing.
  void SetAside(AccountId account, const Usage& more);
  void GiveBack(AccountId account, const Usage& more);

  // Mail that comes to some account of a partition while this lives. `more` is empty: nobody knows how much.
  class Passage {
   public:
    Passage(QuotaLedger* ledger, replog::PartitionId partition, std::optional<Usage> more);
    ~Passage();
    Passage(const Passage&) = delete;
    Passage& operator=(const Passage&) = delete;

   private:
    QuotaLedger* ledger_;
    replog::PartitionId partition_;
    std::optional<Usage> more_;
  };

 private:
  struct Known {
    Usage usage;
    OwnQuota own;
    std::uint64_t index = 0;
    Usage set_aside;
    bool is_full = false;
  };
  struct Passing {
    Usage usage;
    std::uint32_t unknown = 0;
  };
  void Update(Known* known, const Usage& usage, const OwnQuota& own, std::uint64_t index);
  void CountFull(Known* known);
  void MakeRoom();
  void Drop(std::unordered_map<std::uint64_t, Known>::iterator known);

  std::uint32_t accounts_max_;
  QuotaRule rule_;
  std::unordered_map<std::uint64_t, Known> accounts_;   // By AccountId.
  std::unordered_map<std::uint32_t, Passing> passing_;  // By partition.
  std::uint64_t evictions_ = 0;
  std::uint64_t full_accounts_ = 0;
};

}  // namespace store
