// AccountCache: addresses known on the shard without asking RocksDB.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/types.h"

namespace store {

// Thread: the shard. Changed by applies as they become visible, filled by look-ups.
class AccountCache {
 public:
  explicit AccountCache(std::uint32_t entries_max) : entries_max_(entries_max) {}

  std::optional<AccountId> Find(std::string_view address) const {
    const auto found = accounts_.find(address);
    return found == accounts_.end() ? std::nullopt : std::optional(found->second);
  }

  // A look-up notes removals() before it asks; if an account was removed meanwhile its answer may be old, and is not
  // kept.
  std::uint64_t removals() const { return removals_; }
  void Keep(const std::string& address, AccountId id, std::uint64_t removals_before) {
    if (removals_before == removals_) Put(address, id);
  }

  void Put(const std::string& address, AccountId id) {
    if (entries_max_ == 0) return;
    // Any entry will do: what is dropped costs one look-up.
    if (accounts_.size() >= entries_max_ && !accounts_.contains(address)) accounts_.erase(accounts_.begin());
    accounts_[address] = id;
  }
  void Remove(std::string_view address) {
    removals_ += 1;
    if (const auto found = accounts_.find(address); found != accounts_.end()) accounts_.erase(found);
  }

 private:
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the name that std asks for.
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::uint32_t entries_max_;
  std::uint64_t removals_ = 0;
  std::unordered_map<std::string, AccountId, Hash, std::equal_to<>> accounts_;
};

}  // namespace store
