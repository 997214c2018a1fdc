#include "queue/shared_strings.h"

#include <algorithm>

#include "base/check.h"

namespace queue {

StringId SharedStrings::Add(std::string_view text) {
  if (text.empty()) return 0;
  for (const StringId id : recent_) {
    if (texts_[id].text != text) continue;
    texts_[id].uses += 1;
    return id;
  }
  const auto found = ids_.find(text);
  if (found != ids_.end()) {
    texts_[found->second].uses += 1;
    Remember(found->second);
    return found->second;
  }
  StringId id = static_cast<StringId>(texts_.size());
  if (free_.empty()) {
    texts_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  texts_[id] = {std::string(text), 1};
  ids_.emplace(text, id);
  Remember(id);
  return id;
}

void SharedStrings::Drop(StringId id) {
  if (id == 0) return;
  Shared& shared = texts_[id];
  CHECK(shared.uses > 0);
  shared.uses -= 1;
  if (shared.uses > 0) return;
  ids_.erase(shared.text);
  shared.text = std::string();
  std::ranges::replace(recent_, id, StringId{0});
  free_.push_back(id);
}

std::optional<StringId> SharedStrings::Find(std::string_view text) const {
  if (text.empty()) return StringId{0};
  const auto found = ids_.find(text);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

void SharedStrings::Remember(StringId id) {
  recent_[1] = recent_[0];
  recent_[0] = id;
}

}  // namespace queue
