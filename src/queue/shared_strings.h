// SharedStrings: text that many mails have in common (destinations, answers, where they came from), kept once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace queue {

using StringId = std::uint32_t;

// Thread: one. Number 0 is the empty text. Every Add is paid back by a Drop.
class SharedStrings {
 public:
  SharedStrings() : texts_(1) {}

  StringId Add(std::string_view text);
  void Drop(StringId id);
  const std::string& Text(StringId id) const { return texts_[id].text; }
  // Nothing: nobody has added it.
  std::optional<StringId> Find(std::string_view text) const;
  std::size_t size() const { return ids_.size(); }

 private:
  void Remember(StringId id);

  struct Shared {
    std::string text;
    std::uint32_t uses = 0;
  };
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the name that std asks for.
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::vector<Shared> texts_;
  std::vector<StringId> free_;
  StringId recent_[2] = {0, 0};  // Added last: mails that come together mostly have the same origin and destination.
  std::unordered_map<std::string, StringId, Hash, std::equal_to<>> ids_;
};

}  // namespace queue
