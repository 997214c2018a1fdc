#include "admin/queue_tally.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace admin {
namespace {

using queue::QueuedMail;
using queue::RecipientState;
using queue::RecipientStatus;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const base::WallTime kNow(seconds(1'800'000'000));

RecipientStatus RecipientAt(std::string address, std::string destination, RecipientState state) {
  return {.address = std::move(address),
          .state = state,
          .next_attempt = kNow + minutes(10),
          .destination = std::move(destination)};
}

QueuedMail MailOfAge(base::WallTime::duration age, std::vector<RecipientStatus> recipients) {
  QueuedMail mail{.queued_at = kNow - age, .size_bytes = 1000, .recipients = std::move(recipients)};
  mail.envelope.sender = "sender@example.test";
  return mail;
}

TEST(QueueTally, CountsAMailOnceInEachDestinationAndRecipientsByState) {
  QueueTally tally(TallyBy::kDestination, kNow);
  tally.Add(MailOfAge(minutes(1), {RecipientAt("a@x.test", "x.test", RecipientState::kWaiting),
                                   RecipientAt("b@y.test", "y.test", RecipientState::kHeld),
                                   RecipientAt("c@x.test", "x.test", RecipientState::kClaimed),
                                   RecipientAt("d@z.test", "z.test", RecipientState::kDelivered)}),
            {});
  tally.Add(MailOfAge(hours(2), {RecipientAt("e@x.test", "x.test", RecipientState::kWaiting)}), {});
  const std::vector<TallyGroup> groups = tally.Groups(10);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].key, "x.test");
  EXPECT_EQ(groups[0].mails, 2u);
  EXPECT_EQ(groups[0].bytes, 2000u);
  EXPECT_EQ(groups[0].waiting, 2u);
  EXPECT_EQ(groups[0].claimed, 1u);
  EXPECT_EQ(groups[0].mails_by_age, (std::array<std::uint64_t, kAgeCount>{1, 0, 0, 1, 0, 0}));
  EXPECT_EQ(groups[0].oldest, kNow - hours(2));
  EXPECT_EQ(groups[0].next_attempt, kNow + minutes(10));
  EXPECT_EQ(groups[1].key, "y.test");
  EXPECT_EQ(groups[1].held, 1u);
  EXPECT_FALSE(groups[1].next_attempt.has_value()) << "what is held is not tried";
  EXPECT_EQ(tally.total().mails, 2u) << "not three: one has two destinations";
  EXPECT_EQ(tally.total().waiting + tally.total().claimed + tally.total().held, 4u);
}

TEST(QueueTally, AgesAreCountedUpToEachEnd) {
  const struct {
    base::WallTime::duration age;
    std::size_t column;
  } rows[] = {{seconds(-5), 0}, {seconds(0), 0}, {seconds(299), 0},           {minutes(5), 1}, {minutes(20), 2},
              {hours(1), 3},    {hours(4), 4},   {hours(24) - seconds(1), 4}, {hours(24), 5},  {hours(24 * 400), 5}};
  for (const auto& row : rows) {
    QueueTally tally(TallyBy::kClass, kNow);
    tally.Add(MailOfAge(row.age, {RecipientAt("a@x.test", "x.test", RecipientState::kWaiting)}), {});
    EXPECT_EQ(tally.total().mails_by_age[row.column], 1u) << seconds(1) * (row.age / seconds(1));
  }
}

TEST(QueueTally, TellsTheAnswerOfWhatWaitsAndWasTriedMost) {
  const auto answered = [](RecipientState state, std::uint32_t attempts, const char* answer) {
    RecipientStatus status = RecipientAt("a@x.test", "x.test", state);
    status.attempts = attempts;
    status.last_answer = answer;
    return status;
  };
  QueueTally tally(TallyBy::kDestination, kNow);
  tally.Add(MailOfAge(hours(1), {answered(RecipientState::kHeld, 30, "550 no such user")}), {});
  EXPECT_EQ(tally.total().last_answer, "550 no such user");
  tally.Add(MailOfAge(hours(1), {answered(RecipientState::kWaiting, 7, "connection refused")}), {});
  tally.Add(MailOfAge(hours(1), {answered(RecipientState::kWaiting, 2, "451 busy")}), {});
  tally.Add(MailOfAge(hours(1), {answered(RecipientState::kWaiting, 0, "")}), {});
  tally.Add(MailOfAge(hours(1), {answered(RecipientState::kHeld, 40, "550 no")}), {});
  EXPECT_EQ(tally.total().last_answer, "connection refused");
  EXPECT_EQ(tally.Groups(1)[0].last_answer, "connection refused");
}

TEST(QueueTally, GroupsHaveALimitAndTheRestIsCountedTogether) {
  QueueTally tally(TallyBy::kSender, kNow, 3);
  for (int i = 0; i < 10; ++i) {
    QueuedMail mail = MailOfAge(minutes(1), {RecipientAt("a@x.test", "x.test", RecipientState::kWaiting)});
    mail.envelope.sender = std::to_string(i % 5);
    tally.Add(mail, {});
  }
  EXPECT_EQ(tally.group_count(), 3u);
  EXPECT_EQ(tally.Groups(2).size(), 2u);
  EXPECT_EQ(tally.rest().mails, 4u);
  EXPECT_EQ(tally.total().mails, 10u);
}

TEST(QueueTally, GroupsWithMostMailsComeFirst) {
  QueueTally tally(TallyBy::kSender, kNow);
  for (const char* const sender : {"c", "a", "b", "b", "", "a", "b"}) {
    QueuedMail mail = MailOfAge(minutes(1), {RecipientAt("a@x.test", "x.test", RecipientState::kWaiting)});
    mail.envelope.sender = sender;
    tally.Add(mail, {});
  }
  std::vector<std::string> keys;
  for (const TallyGroup& group : tally.Groups(10)) keys.push_back(group.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"b", "a", "", "c"}));
}

TEST(QueueTally, OnlyWhatIsSelectedCounts) {
  QueueTally tally(TallyBy::kDestination, kNow);
  const QueueSelection selection{.state = RecipientState::kHeld};
  tally.Add(MailOfAge(minutes(1), {RecipientAt("a@x.test", "x.test", RecipientState::kWaiting),
                                   RecipientAt("b@y.test", "y.test", RecipientState::kHeld)}),
            selection);
  tally.Add(MailOfAge(minutes(1), {RecipientAt("a@x.test", "x.test", RecipientState::kWaiting)}), selection);
  EXPECT_EQ(tally.group_count(), 1u);
  EXPECT_EQ(tally.total().mails, 1u);
  EXPECT_EQ(tally.total().waiting, 0u);
}

}  // namespace
}  // namespace admin
