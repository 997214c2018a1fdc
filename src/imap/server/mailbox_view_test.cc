#include "imap/server/mailbox_view.h"

#include <gtest/gtest.h>

#include "imap/server/recent_tracker.h"

namespace imap {
namespace {

store::Message Changed(std::uint32_t uid, std::uint64_t modseq, std::uint8_t flags) {
  store::Message message;
  message.uid = uid;
  message.modseq = modseq;
  message.flags.system = flags;
  return message;
}

MailboxView ViewOf(std::vector<std::uint32_t> uids) {
  return MailboxView(std::move(uids), 10, 8, {"Work"});
}

std::string Apply(MailboxView& view, const store::Changes& changes,
                  MailboxView::Expunges expunges = MailboxView::Expunges::kAllowed) {
  std::string out;
  view.Apply(changes, expunges, 8, out);
  return out;
}

TEST(MailboxView, NumbersMessagesInTheOrderOfTheirUids) {
  const MailboxView view = ViewOf({3, 5, 9});
  EXPECT_EQ(view.size(), 3u);
  EXPECT_EQ(view.uid(2), 5u);
  EXPECT_EQ(view.SequenceOf(9), 3u);
  EXPECT_EQ(view.SequenceOf(4), std::nullopt);
  EXPECT_EQ(view.last_uid(), 9u);
  EXPECT_EQ(view.recent_count(), 1u);
  const auto numbers = [&view](std::string_view set, bool by_uid) {
    return view.Numbers(*SequenceSet::Parse(set, 10), by_uid);
  };
  EXPECT_EQ(numbers("2:*", false), (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(numbers("4:7,100", true), (std::vector<std::uint32_t>{2}));
  EXPECT_EQ(numbers("100:*", true), (std::vector<std::uint32_t>{3}));
  EXPECT_EQ(numbers("1:4294967295", true), (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_TRUE(ViewOf({}).Numbers(*SequenceSet::Parse("1:*", 10), true).empty());
}

TEST(MailboxView, TellsOfNewChangedAndExpungedMessages) {
  MailboxView view = ViewOf({3, 5, 9});
  EXPECT_EQ(Apply(view, {.highest_modseq = 14,
                         .uid_next = 12,
                         .changed = {Changed(9, 13, kSeen), Changed(11, 14, 0)},
                         .expunged = {3, 5, 77}}),
            "* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 FETCH (UID 9 FLAGS (\\Seen \\Recent))\r\n* 2 EXISTS\r\n* 2 RECENT\r\n");
  EXPECT_EQ(view.modseq(), 14u);
  EXPECT_EQ(view.uid(1), 9u);
  EXPECT_EQ(Apply(view, {.highest_modseq = 14, .uid_next = 12}), "");
}

TEST(MailboxView, TellsModseqsToWhoWantsThem) {
  MailboxView view = ViewOf({3, 5});
  view.TellModseqs(true);
  EXPECT_EQ(Apply(view, {.highest_modseq = 14, .uid_next = 7, .changed = {Changed(5, 13, kSeen), Changed(6, 14, 0)}}),
            "* 2 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (13))\r\n* 3 EXISTS\r\n* 0 RECENT\r\n");
}

TEST(MailboxView, HoldsExpungesBackWhileNumbersMustNotChange) {
  MailboxView view = ViewOf({3, 5, 7});
  EXPECT_EQ(Apply(view, {.highest_modseq = 12, .uid_next = 9, .changed = {Changed(8, 12, 0)}, .expunged = {3}},
                  MailboxView::Expunges::kHeldBack),
            "* 4 EXISTS\r\n* 1 RECENT\r\n");
  EXPECT_TRUE(view.has_held_back());
  EXPECT_EQ(view.uid(1), 3u);
  EXPECT_EQ(Apply(view, {.highest_modseq = 12, .uid_next = 9}), "* 1 EXPUNGE\r\n");
  EXPECT_EQ(view.uid(1), 5u);
  EXPECT_FALSE(view.has_held_back());
}

TEST(MailboxView, DoesNotRepeatWhatTheClientHasBeenTold) {
  MailboxView view = ViewOf({3, 5});
  view.Told(3, 12);
  view.Told(5, 12);
  EXPECT_EQ(
      Apply(view, {.highest_modseq = 13, .uid_next = 6, .changed = {Changed(3, 12, kSeen), Changed(5, 13, kDraft)}}),
      "* 2 FETCH (UID 5 FLAGS (\\Draft))\r\n");
  EXPECT_EQ(Apply(view, {.highest_modseq = 14, .uid_next = 6, .changed = {Changed(3, 14, kSeen)}}),
            "* 1 FETCH (UID 3 FLAGS (\\Seen))\r\n");
}

TEST(MailboxView, AnnouncesKeywordsBeforeTheyAreUsed) {
  MailboxView view = ViewOf({3});
  store::Message message = Changed(3, 11, 0);
  message.flags.keywords = {"$Junk", "work"};
  EXPECT_EQ(Apply(view, {.highest_modseq = 11, .uid_next = 4, .changed = {message}}),
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Work $Junk)\r\n"
            "* 1 FETCH (UID 3 FLAGS ($Junk work))\r\n");
}

TEST(MailboxView, KnowsWhichOfTheNewMessagesAreRecentHere) {
  MailboxView view = ViewOf({3, 8, 9});
  std::string out;
  const auto add = [&](std::uint32_t uid, std::uint32_t first_recent) {
    view.Apply({.highest_modseq = uid, .uid_next = uid + 1, .changed = {Changed(uid, uid, 0)}},
               MailboxView::Expunges::kAllowed, first_recent, out);
  };
  add(11, 10);
  add(12, 13);  // Another session was told of it first.
  add(13, 13);
  add(15, 14);
  std::vector<std::uint32_t> recent;
  for (std::uint32_t uid = 1; uid < 20; ++uid) {
    if (view.SequenceOf(uid).has_value() && view.IsRecent(uid)) recent.push_back(uid);
  }
  EXPECT_EQ(recent, (std::vector<std::uint32_t>{8, 9, 11, 13, 15}));
  EXPECT_EQ(view.recent_count(), 5u);
  view.Apply({.highest_modseq = 20, .uid_next = 16, .expunged = {9, 15}}, MailboxView::Expunges::kAllowed, 16, out);
  EXPECT_EQ(view.recent_count(), 3u);
  add(16, 16);
  EXPECT_EQ(view.recent_count(), 4u);
  EXPECT_FALSE(view.IsRecent(12));
  EXPECT_FALSE(view.IsRecent(17));
}

TEST(ToStoreFlags, SortsKeywordsWithoutRegardToCase) {
  EXPECT_EQ(ToStoreFlags({.system = kSeen, .keywords = {"b", "C", "A"}}),
            (store::Flags{.system = store::Flags::kSeen, .keywords = {"A", "b", "C"}}));
}

TEST(RecentTracker, AMessageIsRecentForOneSessionOnly) {
  RecentTracker tracker(2);
  const store::MailboxId a(1), b(2), c(3);
  EXPECT_EQ(tracker.Peek(a), 1u);
  EXPECT_EQ(tracker.Claim(a, 5), 1u);
  EXPECT_EQ(tracker.Claim(a, 5), 5u);
  EXPECT_EQ(tracker.Claim(a, 9), 5u);
  EXPECT_EQ(tracker.Peek(a), 9u);
  EXPECT_EQ(tracker.Claim(b, 3), 1u);
  EXPECT_EQ(tracker.Claim(c, 3), 1u);  // The third of two: all is forgotten.
  EXPECT_EQ(tracker.Peek(a), 1u);
}

}  // namespace
}  // namespace imap
