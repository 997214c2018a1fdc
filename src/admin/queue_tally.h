// QueueTally: why mail waits: the queue counted by destination, sender or class, and by age. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "admin/queue_selection.h"
#include "base/clock.h"
#include "queue/mail_queue.h"

namespace admin {

enum class TallyBy : std::uint8_t { kDestination, kSender, kClass };
std::string_view ToText(TallyBy by);
std::optional<TallyBy> ParseTallyBy(std::string_view text);

// Mails by age are counted up to these, and behind the last. A mail is first tried again after a minute and at last
// every four hours: the columns tell mail on its first tries from mail that something keeps.
inline constexpr std::array<std::chrono::seconds, 5> kAgeEnds{std::chrono::minutes(5), std::chrono::minutes(20),
                                                              std::chrono::hours(1), std::chrono::hours(4),
                                                              std::chrono::hours(24)};
inline constexpr std::size_t kAgeCount = kAgeEnds.size() + 1;
inline constexpr std::array<std::string_view, kAgeCount> kAgeNames{"5m", "20m", "1h", "4h", "1d", "1d+"};

struct TallyGroup {
  std::string key;  // A destination, a sender ("" is the empty one) or a class.
  std::uint64_t mails = 0;
  std::uint64_t bytes = 0;    // Of the mails.
  std::uint64_t waiting = 0;  // Recipients.
  std::uint64_t claimed = 0;
  std::uint64_t held = 0;
  std::array<std::uint64_t, kAgeCount> mails_by_age{};
  base::WallTime oldest = base::WallTime::max();
  std::optional<base::WallTime> next_attempt;
  std::string last_answer;  // Of the recipient that was tried most; of one that waits, if any does.
};

// Thread: one. Memory: that of groups_max groups; what has no group of its own is counted in `rest()`.
class QueueTally {
 public:
  QueueTally(TallyBy by, base::WallTime now, std::size_t groups_max = 10'000);

  // Counts the recipients of a mail that are in the selection, each mail once a group.
  void Add(const queue::QueuedMail& mail, const QueueSelection& selection);

  // Those with most mails first, at most `limit`.
  std::vector<TallyGroup> Groups(std::size_t limit) const;
  std::size_t group_count() const { return groups_.size(); }
  const TallyGroup& total() const { return total_.group; }
  // Mail of groups past the limit; its count of mails is 0 mostly.
  const TallyGroup& rest() const { return rest_.group; }
  TallyBy by() const { return by_; }
  base::WallTime taken_at() const { return now_; }

 private:
  struct Counted {
    TallyGroup group;
    std::uint64_t last_mail = 0;  // Number of the mail that was counted last.
    bool answer_waits = false;
    std::uint32_t answer_attempts = 0;
  };
  Counted* GroupOf(std::string_view key);
  void Count(const queue::QueuedMail& mail, const queue::RecipientStatus& recipient, Counted* counted);

  TallyBy by_;
  base::WallTime now_;
  std::size_t groups_max_;
  std::uint64_t mail_number_ = 0;
  std::unordered_map<std::string, Counted> groups_;
  Counted total_;
  Counted rest_;
};

}  // namespace admin
