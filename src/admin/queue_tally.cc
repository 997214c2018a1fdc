#include "admin/queue_tally.h"

#include <algorithm>

namespace admin {

using queue::QueuedMail;
using queue::RecipientState;
using queue::RecipientStatus;

namespace {

std::size_t AgeIndexOf(base::WallTime::duration age) {
  const auto end = std::ranges::upper_bound(
      kAgeEnds, age, {}, [](std::chrono::seconds seconds) { return base::WallTime::duration(seconds); });
  return static_cast<std::size_t>(end - kAgeEnds.begin());
}

std::string_view KeyOf(TallyBy by, const QueuedMail& mail, const RecipientStatus& recipient) {
  switch (by) {
    case TallyBy::kSender:
      return mail.envelope.sender;
    case TallyBy::kClass:
      return ToString(mail.cls);
    case TallyBy::kDestination:
      break;
  }
  return recipient.destination;
}

}  // namespace

std::string_view ToText(TallyBy by) {
  switch (by) {
    case TallyBy::kDestination:
      return "destination";
    case TallyBy::kSender:
      return "sender";
    case TallyBy::kClass:
      return "class";
  }
  return "unknown";
}

std::optional<TallyBy> ParseTallyBy(std::string_view text) {
  for (const auto by : {TallyBy::kDestination, TallyBy::kSender, TallyBy::kClass}) {
    if (text == ToText(by)) return by;
  }
  return std::nullopt;
}

QueueTally::QueueTally(TallyBy by, base::WallTime now, std::size_t groups_max)
    : by_(by), now_(now), groups_max_(groups_max) {}

void QueueTally::Add(const QueuedMail& mail, const QueueSelection& selection) {
  if (!selection.Matches(mail, now_)) return;
  mail_number_ += 1;
  for (const RecipientStatus& recipient : mail.recipients) {
    if (!selection.MatchesRecipient(recipient)) continue;
    Count(mail, recipient, GroupOf(KeyOf(by_, mail, recipient)));
    Count(mail, recipient, &total_);
  }
}

std::vector<TallyGroup> QueueTally::Groups(std::size_t limit) const {
  std::vector<const TallyGroup*> sorted;
  sorted.reserve(groups_.size());
  for (const auto& [key, counted] : groups_) sorted.push_back(&counted.group);
  const auto is_before = [](const TallyGroup* a, const TallyGroup* b) {
    return a->mails != b->mails ? a->mails > b->mails : a->key < b->key;
  };
  const std::size_t count = std::min(limit, sorted.size());
  std::ranges::partial_sort(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(count), is_before);
  std::vector<TallyGroup> groups;
  for (const TallyGroup* const group : std::span(sorted).first(count)) groups.push_back(*group);
  return groups;
}

QueueTally::Counted* QueueTally::GroupOf(std::string_view key) {
  std::string name(key);
  if (const auto found = groups_.find(name); found != groups_.end()) return &found->second;
  if (groups_.size() >= groups_max_) return &rest_;
  Counted& made = groups_[name];
  made.group.key = std::move(name);
  return &made;
}

void QueueTally::Count(const QueuedMail& mail, const RecipientStatus& recipient, Counted* counted) {
  TallyGroup& group = counted->group;
  if (counted->last_mail != mail_number_) {
    counted->last_mail = mail_number_;
    group.mails += 1;
    group.bytes += mail.size_bytes;
    group.mails_by_age[AgeIndexOf(now_ - mail.queued_at)] += 1;
    group.oldest = std::min(group.oldest, mail.queued_at);
  }
  const bool waits = recipient.state == RecipientState::kWaiting;
  if (waits) group.waiting += 1;
  if (recipient.state == RecipientState::kClaimed) group.claimed += 1;
  if (recipient.state == RecipientState::kHeld) group.held += 1;
  if (waits) {
    group.next_attempt = std::min(group.next_attempt.value_or(recipient.next_attempt), recipient.next_attempt);
  }
  if (recipient.last_answer.empty()) return;
  const bool tells_more = waits != counted->answer_waits ? waits : recipient.attempts >= counted->answer_attempts;
  if (!tells_more && !group.last_answer.empty()) return;
  group.last_answer = recipient.last_answer;
  counted->answer_waits = waits;
  counted->answer_attempts = recipient.attempts;
}

}  // namespace admin
