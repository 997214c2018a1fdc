#include "imap/server/mailbox_view.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "base/check.h"
#include "imap/proto/response.h"

namespace imap {

static_assert(kSeen == store::Flags::kSeen && kAnswered == store::Flags::kAnswered &&
              kFlagged == store::Flags::kFlagged && kDeleted == store::Flags::kDeleted &&
              kDraft == store::Flags::kDraft);

MailboxView::MailboxView(std::vector<std::uint32_t> uids, std::uint64_t modseq, std::uint32_t first_recent_uid,
                         std::vector<std::string> keywords)
    : uids_(std::move(uids)), modseq_(modseq), flags_{.system = kAllSystemFlags, .keywords = std::move(keywords)} {
  CHECK(std::ranges::is_sorted(uids_));
  if (last_uid() >= first_recent_uid) recent_.push_back({first_recent_uid, last_uid()});
}

std::optional<std::uint32_t> MailboxView::SequenceOf(std::uint32_t uid) const {
  const auto found = std::ranges::lower_bound(uids_, uid);
  if (found == uids_.end() || *found != uid) return std::nullopt;
  return static_cast<std::uint32_t>(found - uids_.begin()) + 1;
}

bool MailboxView::IsRecent(std::uint32_t uid) const {
  const auto after = std::ranges::upper_bound(recent_, uid, {}, &NumberRange::first);
  return after != recent_.begin() && uid <= std::prev(after)->last;
}

std::uint32_t MailboxView::recent_count() const {
  std::ptrdiff_t count = 0;
  for (const NumberRange& range : recent_) {
    count += std::ranges::upper_bound(uids_, range.last) - std::ranges::lower_bound(uids_, range.first);
  }
  return static_cast<std::uint32_t>(count);
}

std::vector<std::uint32_t> MailboxView::Numbers(const SequenceSet& set, bool by_uid) const {
  std::vector<std::uint32_t> numbers;
  for (const NumberRange& range : set.Resolve(by_uid ? last_uid() : size())) {
    if (!by_uid) {
      for (std::uint32_t n = range.first; n <= std::min(range.last, size()); ++n) numbers.push_back(n);
      continue;
    }
    for (auto it = std::ranges::lower_bound(uids_, range.first); it != uids_.end() && *it <= range.last; ++it) {
      numbers.push_back(static_cast<std::uint32_t>(it - uids_.begin()) + 1);
    }
  }
  return numbers;
}

void MailboxView::Apply(const store::Changes& changes, Expunges expunges, std::uint32_t first_recent_uid,
                        std::string& out) {
  modseq_ = std::max(modseq_, changes.highest_modseq);
  for (const std::uint32_t uid : changes.expunged) {
    if (SequenceOf(uid).has_value()) gone_.insert(uid);
  }
  if (expunges == Expunges::kAllowed) TellExpunged(out);
  const std::uint32_t last_known = last_uid();
  const std::uint32_t size_before = size();
  for (const store::Message& message : changes.changed) {
    LearnKeywords(message, out);
    if (message.uid > last_known) {
      if (message.uid >= first_recent_uid) AddRecent(message.uid);
      uids_.push_back(message.uid);
    } else if (const auto sequence = SequenceOf(message.uid)) {
      TellChanged(message, *sequence, out);
    }
  }
  told_.clear();
  if (size() == size_before) return;
  out += CountLine(size(), "EXISTS");
  out += CountLine(recent_count(), "RECENT");
}

// A message behind all that are known. Two sessions that take turns at being told make a range of each message.
void MailboxView::AddRecent(std::uint32_t uid) {
  if (!recent_.empty() && recent_.back().last == last_uid()) {
    recent_.back().last = uid;
  } else {
    recent_.push_back({uid, uid});
  }
}

void MailboxView::TellExpunged(std::string& out) {
  if (gone_.empty()) return;
  // From the end, so that no number that is still to be told changes.
  for (std::uint32_t number = size(); number > 0; --number) {
    if (gone_.contains(uid(number))) out += CountLine(number, "EXPUNGE");
  }
  std::erase_if(uids_, [this](std::uint32_t uid) { return gone_.contains(uid); });
  gone_.clear();
}

void MailboxView::TellChanged(const store::Message& message, std::uint32_t sequence, std::string& out) {
  const auto told = told_.find(message.uid);
  if (told != told_.end() && told->second >= message.modseq) return;
  FetchLine line(out, sequence);
  line.Uid(message.uid);
  line.Flags(ToFlagSet(message.flags), IsRecent(message.uid));
  if (tells_modseqs_) line.Modseq(message.modseq);
  line.End();
}

void MailboxView::LearnKeywords(const store::Message& message, std::string& out) {
  bool learnt = false;
  for (const std::string& keyword : message.flags.keywords) {
    if (flags_.HasKeyword(keyword)) continue;
    flags_.keywords.push_back(keyword);
    learnt = true;
  }
  if (learnt) out += FlagsLine(flags_);
}

FlagSet ToFlagSet(const store::Flags& flags) {
  return {.system = flags.system, .keywords = flags.keywords};
}

store::Flags ToStoreFlags(const FlagSet& flags) {
  store::Flags out{.system = flags.system, .keywords = flags.keywords};
  std::ranges::sort(out.keywords, [](const std::string& a, const std::string& b) {
    return std::ranges::lexicographical_compare(a, b, {}, ToLowerAscii, ToLowerAscii);
  });
  return out;
}

}  // namespace imap
