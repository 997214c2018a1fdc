// FlatTable: a map from text to text for a million entries: one block of bytes and one array of positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routing {

// Written once, then only read. Thread: any, once it is no longer written.
// Memory: key, value, 12 bytes an entry, and 5 to 11 for its place.
class FlatTable {
 public:
  // Where an entry was read.
  struct Origin {
    std::uint16_t file = 0;  // The caller's number for it.
    std::uint32_t line = 0;

    friend bool operator==(const Origin&, const Origin&) = default;
  };
  struct Entry {
    std::string_view key;
    std::string_view value;
    Origin origin;
  };
  static constexpr std::size_t kKeyBytesMax = 0xffff;
  static constexpr std::uint64_t kBytesMax = 0xffff'ffff;  // Of bytes(): positions have 32 bits.

  // Adds an entry; when the key is there already nothing changes, and that entry is returned. The key has at most
  // kKeyBytesMax, and all entries together stay below kBytesMax: the caller's to see to, with CostOf().
  std::optional<Entry> Add(std::string_view key, std::string_view value, Origin origin);
  // The bytes() that an entry takes.
  static std::uint64_t CostOf(std::string_view key, std::string_view value);
  // Gives back what growing took more than is needed.
  void Seal();

  std::optional<Entry> Find(std::string_view key) const;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::uint64_t bytes() const { return bytes_.size(); }

  // Calls `visit(entry)` for each, in the order of Add().
  template <class Visit>
  void ForEach(Visit visit) const {
    for (std::size_t at = 0; at < bytes_.size();) {
      const Entry entry = EntryAt(at);
      visit(entry);
      at += static_cast<std::size_t>(CostOf(entry.key, entry.value));
    }
  }

 private:
  Entry EntryAt(std::size_t at) const;
  // The slot that holds the key, or the empty one where it belongs. There is always an empty one.
  std::size_t SlotOf(std::string_view key) const;
  void Grow();

  std::string bytes_;                 // Per entry: sizes and origin, key, value.
  std::vector<std::uint32_t> slots_;  // A power of two; 0: empty, else 1 + where the entry begins.
  std::size_t size_ = 0;
};

}  // namespace routing
