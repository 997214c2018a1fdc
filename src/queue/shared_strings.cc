#include "queue/shared_strings.h"

#include "base/check.h"

namespace queue {

StringId SharedStrings::Add(std::string_view text) {
  if (text.empty()) return 0;
  if (last_ != 0 && texts_[last_].text == text) {
    texts_[last_].uses += 1;
    return last_;
  }
  const auto found = ids_.find(text);
  if (found != ids_.end()) {
    texts_[found->second].uses += 1;
    return last_ = found->second;
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
  return last_ = id;
}

void SharedStrings::Drop(StringId id) {
  if (id == 0) return;
  Shared& shared = texts_[id];
  CHECK(shared.uses > 0);
  shared.uses -= 1;
  if (shared.uses > 0) return;
  ids_.erase(shared.text);
  shared.text = std::string();
  if (last_ == id) last_ = 0;
  free_.push_back(id);
}

}  // namespace queue
