// BoundedTable: a map that forgets its oldest entries, for what is remembered of strangers.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace base {

// Thread: the owner's. Age counts from the last Touch().
template <class Value>
class BoundedTable {
 public:
  explicit BoundedTable(std::size_t entries_max) : entries_max_(entries_max) { CHECK(entries_max > 0); }

  // Null when there is none. Valid until the next Touch() or EraseIf().
  Value* Find(std::string_view key) {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->second;
  }

  // The entry, made if there is none, and now the youngest.
  Value& Touch(std::string_view key) {
    if (const auto found = index_.find(key); found != index_.end()) {
      entries_.splice(entries_.end(), entries_, found->second);
      return entries_.back().second;
    }
    if (entries_.size() >= entries_max_) {
      index_.erase(entries_.front().first);
      entries_.pop_front();
    }
    entries_.emplace_back(std::string(key), Value{});
    index_.emplace(entries_.back().first, std::prev(entries_.end()));
    return entries_.back().second;
  }

  // Erases each entry for which `is_doomed(key, value)`.
  template <class Predicate>
  void EraseIf(Predicate is_doomed) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const auto current = entry++;
      if (!is_doomed(current->first, current->second)) continue;
      index_.erase(current->first);
      entries_.erase(current);
    }
  }

  std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, Value>>;  // Oldest first.

  const std::size_t entries_max_;
  Entries entries_;
  std::unordered_map<std::string_view, typename Entries::iterator> index_;  // Keys are views of the entries' own.
};

}  // namespace base
