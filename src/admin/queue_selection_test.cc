#include "admin/queue_selection.h"

#include <string>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

namespace admin {
namespace {

using queue::QueuedMail;
using queue::RecipientState;
using std::chrono::seconds;

const base::WallTime kNow(seconds(1'800'000'000));

// To a@x.test, which waits, and B@y.test, which is held; c@z.test has it.
QueuedMail SomeMail() {
  QueuedMail mail{.cls = mail::Class::kBulk, .queued_at = kNow - seconds(600)};
  mail.envelope.sender = "Sender@Example.test";
  mail.recipients = {{.address = "a@x.test", .state = RecipientState::kWaiting, .destination = "x.test"},
                     {.address = "B@y.test", .state = RecipientState::kHeld, .destination = "smtp:smarthost.test:25"},
                     {.address = "c@z.test", .state = RecipientState::kDelivered, .destination = "z.test"}};
  return mail;
}

TEST(QueueSelection, PatternsMatchByTheTable) {
  const struct {
    std::string pattern;
    std::string text;
    bool matches;
  } rows[] = {{"a@x.test", "a@x.test", true},
              {"a@x.test", "A@X.TEST", true},
              {"a@x.test", "aa@x.test", false},
              {"a@x.test", "a@x.tes", false},
              {"a@x.test", "a@x.test2", false},
              {"@x.test", "anybody@x.test", true},
              {"@x.test", "anybody@yx.test", false},
              {"@x.test", "a@x.test.example", false},
              {"*", "", true},
              {"*", "anything", true},
              {"", "", true},
              {"", "a", false},
              {"*@*.x.test", "a@mail.x.test", true},
              {"*@*.x.test", "a@x.test", false},
              {"a*b*c", "aXbXbXc", true},
              {"a*b*c", "aXbXbX", false},
              {"**a**", "a", true},
              {"?", "a", false},
              {std::string(300, '*') + "x", std::string(300, 'a'), false},
              {"\xc3\xa4*", "\xc3\xa4\xff", true}};
  for (const auto& row : rows) {
    EXPECT_EQ(MatchesPattern(row.pattern, row.text), row.matches) << row.pattern << " for " << row.text;
  }
}

TEST(QueueSelection, AHostilePatternCostsNoMoreThanItsSizeTimesTheTexts) {
  std::string pattern;
  for (int i = 0; i < 150; ++i) pattern += "*a";
  pattern += 'b';
  EXPECT_FALSE(MatchesPattern(pattern, std::string(1000, 'a')));
}

TEST(QueueSelection, CriteriaMustAllHold) {
  using State = RecipientState;
  const struct {
    QueueSelection selection;
    bool matches;
    bool matches_all_recipients;
  } rows[] = {
      {{}, true, true},
      {{.sender = "sender@example.test"}, true, true},
      {{.sender = "<>"}, false, true},
      {{.sender = "other@example.test"}, false, true},
      {{.recipient = "a@x.test"}, true, false},
      {{.recipient = "b@Y.test"}, true, false},
      {{.recipient = "*.test"}, true, true},
      {{.recipient = "c@z.test"}, false, false},  // It has the mail.
      {{.destination = "smtp:smarthost.test:25"}, true, false},
      {{.destination = "smarthost.test:25"}, true, false},
      {{.destination = "smarthost.test"}, false, false},
      {{.destination = "smtp:*"}, true, false},
      {{.destination = "y.test"}, false, false},
      {{.destination = "z.test"}, false, false},
      {{.state = State::kHeld}, true, false},
      {{.state = State::kClaimed}, false, false},
      // Of one recipient together: a@x.test is not the one that is held.
      {{.recipient = "a@x.test", .state = State::kHeld}, false, false},
      {{.recipient = "b@y.test", .destination = "smarthost.test*", .state = State::kHeld}, true, false},
      {{.cls = mail::Class::kBulk}, true, true},
      {{.cls = mail::Class::kNormal}, false, true},
      {{.sender = "@example.test", .cls = mail::Class::kNormal}, false, true},
      {{.older_than = seconds(599)}, true, true},
      {{.older_than = seconds(600)}, false, true},
      {{.newer_than = seconds(601)}, true, true},
      {{.newer_than = seconds(600)}, false, true},
      {{.older_than = seconds(500), .newer_than = seconds(700)}, true, true},
      {{.older_than = seconds(700), .newer_than = seconds(500)}, false, true},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(row.selection.Matches(SomeMail(), kNow), row.matches) << row.selection.ToText();
    EXPECT_EQ(row.selection.MatchesAllRecipients(SomeMail()), row.matches_all_recipients) << row.selection.ToText();
  }
}

TEST(QueueSelection, TheEmptySenderIsNamedByItsBrackets) {
  QueuedMail bounce = SomeMail();
  bounce.envelope.sender.clear();
  EXPECT_TRUE((QueueSelection{.sender = "<>"}).Matches(bounce, kNow));
  EXPECT_FALSE((QueueSelection{.sender = "a@x.test"}).Matches(bounce, kNow));
}

TEST(QueueSelection, IsReadFromArgumentsAndTold) {
  const auto selection = QueueSelection::Parse(Arguments({{"sender", "@x.test"},
                                                          {"recipient", "a*"},
                                                          {"destination", "y.test"},
                                                          {"state", "held"},
                                                          {"class", "suspect"},
                                                          {"older_than_seconds", 60},
                                                          {"newer_than_seconds", 3600}}));
  ASSERT_TRUE(selection.has_value()) << selection.error().message();
  EXPECT_FALSE(selection->IsEverything());
  EXPECT_EQ(selection->ToText(),
            "sender=@x.test recipient=a* destination=y.test state=held class=suspect older_than=60s newer_than=3600s");
  EXPECT_TRUE(QueueSelection::Parse(Arguments({}))->IsEverything());
  EXPECT_EQ(QueueSelection{}.ToText(), "all");
}

TEST(QueueSelection, RefusesWhatMakesNoSense) {
  const struct {
    boost::json::object arguments;
    std::string part;
  } rows[] = {{{{"state", "delivered"}}, "waiting, claimed, held"},
              {{{"state", "flying"}}, "waiting, claimed, held"},
              {{{"class", "first"}}, "known, normal"},
              {{{"older_than_seconds", 0}}, "older_than_seconds"},
              {{{"newer_than_seconds", "1h"}}, "newer_than_seconds"},
              {{{"sender", std::string(401, 'a')}}, "sender"},
              {{{"recipient", 7}}, "recipient"}};
  for (const auto& row : rows) {
    const auto selection = QueueSelection::Parse(Arguments(row.arguments));
    ASSERT_FALSE(selection.has_value());
    EXPECT_NE(selection.error().message().find(row.part), std::string::npos) << selection.error().message();
  }
}

}  // namespace
}  // namespace admin
