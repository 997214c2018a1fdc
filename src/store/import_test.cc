// Mail that comes from another mail system: UIDs, UIDVALIDITYs and origins.
#include <gtest/gtest.h>

#include "store/apply_testing.h"
#include "store/flags.h"
#include "store/results.h"

namespace store {
namespace {

ImportEntry Entry(MailboxId mailbox, std::uint32_t uid, std::string_view origin) {
  return {.mailbox = IndexRig::Number(mailbox),
          .uid = uid,
          .flags = {.system = Flags::kSeen, .keywords = {"$Label1"}},
          .date_us = 7,
          .origin = origin,
          .uidl = {}};
}
constexpr std::string_view kFirst = "first-origin-16b";
constexpr std::string_view kSecond = "other-origin-16b";

base::Result<std::string> SetUids(IndexRig& rig, MailboxId mailbox, std::uint32_t uid_validity,
                                  std::uint32_t uid_next = 0) {
  return rig.Propose(
      EntryType::kSetUids,
      SetUidsEntry{.mailbox = IndexRig::Number(mailbox), .uid_validity = uid_validity, .uid_next = uid_next});
}

TEST(Import, KeepsTheUidOfTheMessageAndGoesOnBehindIt) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 501, kFirst), 90).has_value());
  rig.DeliverTo(alice);
  const Mailbox state = rig.MailboxOf(alice, "INBOX");
  EXPECT_EQ(state.uid_next, 503u);
  EXPECT_EQ(state.messages, 2u);
  const auto message = rig.Ask([&](const ReadView& v) { return QueryMessage(v, inbox, 501); });
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->flags.system, Flags::kSeen);
  EXPECT_EQ(message->flags.keywords, std::vector<std::string>{"$Label1"});
  EXPECT_EQ(message->size_bytes, 90u);
}

TEST(Import, RefusesAUidThatTheMailboxMayHaveGiven) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(SetUids(rig, inbox, 0, 100).has_value());
  const auto refused = rig.Propose(EntryType::kImport, Entry(inbox, 99, kFirst), 90);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), base::Errc::kExists);
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{rig.last_index()}) << "its body is of no use";
  EXPECT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 100, kFirst), 90).has_value());
}

TEST(Import, TakesAnOriginOnceEvenAfterItsMessageWasExpunged) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 5, kFirst), 90).has_value());
  const auto again = rig.Propose(EntryType::kImport, Entry(inbox, 5, kFirst), 90);
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(DecodeImported(*again)->was_there);
  EXPECT_EQ(DecodeImported(*again)->uid, 5u);
  const ExpungeEntry expunge{.mailbox = IndexRig::Number(inbox), .only_deleted = false, .uids = {5}};
  ASSERT_TRUE(rig.Propose(EntryType::kExpunge, expunge).has_value());
  ASSERT_TRUE(DecodeImported(*rig.Propose(EntryType::kImport, Entry(inbox, 0, kFirst), 90))->was_there);
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").messages, 0u);
  const std::vector<Origin> origins = [] {
    std::vector<Origin> made(2);
    std::ranges::copy(kSecond, made[0].begin());
    std::ranges::copy(kFirst, made[1].begin());
    return made;
  }();
  const auto known = rig.Ask([&](const ReadView& v) { return QueryOrigins(v, inbox, origins); });
  EXPECT_EQ(*known, (std::vector<bool>{false, true}));
}

TEST(Import, KeepsTheUidlOfTheMessageButNotOfItsCopies) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ImportEntry entry = Entry(inbox, 1, kFirst);
  entry.uidl = "UIDL-of-old";
  ASSERT_TRUE(rig.Propose(EntryType::kImport, entry, 90).has_value());
  const CopyEntry copy{.from = IndexRig::Number(inbox), .to = IndexRig::Number(inbox), .move = false, .uids = {1}};
  ASSERT_TRUE(rig.Propose(EntryType::kCopy, copy).has_value());
  const auto messages = rig.Ask([&](const ReadView& v) { return QueryMessages(v, inbox, 1, UINT32_MAX, 10); });
  ASSERT_EQ(messages->size(), 2u);
  EXPECT_EQ(messages->at(0).uidl, "UIDL-of-old");
  EXPECT_EQ(messages->at(1).uidl, "");
}

FlagsImported SetSourceFlags(IndexRig& rig, MailboxId mailbox, std::string_view origin, EntryFlags flags) {
  ImportFlagsEntry entry{.mailbox = IndexRig::Number(mailbox), .messages = {}};
  entry.messages.push_back({.origin = origin, .flags = std::move(flags)});
  const auto done = rig.Propose(EntryType::kImportFlags, entry);
  EXPECT_TRUE(done.has_value());
  return *DecodeFlagsImported(*done);
}
Flags FlagsOf(IndexRig& rig, MailboxId mailbox, std::uint32_t uid) {
  return rig.Ask([&](const ReadView& v) { return QueryMessage(v, mailbox, uid); })->flags;
}

TEST(ImportFlags, BringsWhatChangedAtTheSource) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 0, kFirst), 90).has_value());
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 0, kSecond), 90).has_value());
  const std::uint64_t modseq = rig.MailboxOf(alice, "INBOX").highest_modseq;
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kSeen, .keywords = {"$label1"}}).changed, 0u)
      << "the same but for the case of letters";
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").highest_modseq, modseq);
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kFlagged, .keywords = {"Work"}}).changed, 1u);
  EXPECT_EQ(FlagsOf(rig, inbox, 1), (Flags{.system = Flags::kFlagged, .keywords = {"Work"}}));
  EXPECT_EQ(FlagsOf(rig, inbox, 2), (Flags{.system = Flags::kSeen, .keywords = {"$Label1"}}));
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").unseen, 1u);
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").highest_modseq, modseq + 1) << "sessions are told";
  // And again, since what an import changed does not count as changed here.
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kSeen, .keywords = {}}).changed, 1u);
  EXPECT_EQ(FlagsOf(rig, inbox, 1), (Flags{.system = Flags::kSeen, .keywords = {}}));
  EXPECT_EQ(SetSourceFlags(rig, inbox, "an unknown one..", {.system = 1, .keywords = {}}).changed, 0u);
}

TEST(ImportFlags, NeverUndoesAUsersChange) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 0, kFirst), 90).has_value());
  ASSERT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = 0, .keywords = {}}).changed, 1u);
  const auto store = [&](FlagsChange change, std::uint8_t system) {
    const StoreFlagsEntry entry{.mailbox = IndexRig::Number(inbox),
                                .change = static_cast<std::uint8_t>(change),
                                .flags = {.system = system, .keywords = {}},
                                .uids = {1}};
    ASSERT_TRUE(rig.Propose(EntryType::kStoreFlags, entry).has_value());
  };
  store(FlagsChange::kRemove, Flags::kSeen);  // Changes nothing.
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kSeen, .keywords = {}}).changed, 1u);
  // Read here, and marked unread again: there it is read still, and stays unread here.
  store(FlagsChange::kAdd, Flags::kFlagged);
  store(FlagsChange::kRemove, Flags::kFlagged | Flags::kSeen);
  const FlagsImported done = SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kSeen, .keywords = {}});
  EXPECT_EQ(done.changed, 0u);
  EXPECT_EQ(done.kept, 1u);
  EXPECT_EQ(FlagsOf(rig, inbox, 1), Flags{});
  rig.DeleteIndex();
  rig.ReplayAll();
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kSeen, .keywords = {}}).kept, 1u);
}

TEST(ImportFlags, LeavesMessagesThatAreGone) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 0, kFirst), 90).has_value());
  const ExpungeEntry expunge{.mailbox = IndexRig::Number(inbox), .only_deleted = false, .uids = {1}};
  ASSERT_TRUE(rig.Propose(EntryType::kExpunge, expunge).has_value());
  const FlagsImported done = SetSourceFlags(rig, inbox, kFirst, {.system = Flags::kFlagged, .keywords = {}});
  EXPECT_EQ(done.changed + done.kept + done.refused, 0u);
  const ImportFlagsEntry nowhere{.mailbox = 999, .messages = {}};
  EXPECT_EQ(rig.Propose(EntryType::kImportFlags, nowhere).error().code(), base::Errc::kNotFound);
}

TEST(ImportFlags, SaysWhenTheMailboxHasTooManyKeywords) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ImportEntry full = Entry(inbox, 0, kFirst);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kKeywordsPerMailboxMax; ++i) names.push_back("K" + std::to_string(i));
  full.flags.keywords = {names.begin(), names.end()};
  ASSERT_TRUE(rig.Propose(EntryType::kImport, full, 90).has_value());
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = 0, .keywords = {"One"}}).refused, 1u);
  EXPECT_EQ(FlagsOf(rig, inbox, 1).keywords.size(), kKeywordsPerMailboxMax);
  EXPECT_EQ(SetSourceFlags(rig, inbox, kFirst, {.system = 0, .keywords = {"K7"}}).changed, 1u);
}

TEST(SetUids, ChangesTheUidValidityOfAMailboxWithoutAPastOnly) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(SetUids(rig, inbox, 1'700'000'000).has_value());
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").uid_validity, 1'700'000'000u);
  EXPECT_TRUE(SetUids(rig, inbox, 1'700'000'000).has_value()) << "again, after a break";
  rig.DeliverTo(alice);
  EXPECT_TRUE(SetUids(rig, inbox, 1'700'000'000).has_value()) << "it is so already";
  const auto refused = SetUids(rig, inbox, 1'800'000'000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), base::Errc::kExists);
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").uid_validity, 1'700'000'000u);
}

TEST(SetUids, NeverRepeatsAUidValidityInAnAccount) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  ASSERT_TRUE(rig.CreateMailbox(alice, "A").has_value());
  const MailboxId first = rig.MailboxOf(alice, "A").id;
  ASSERT_TRUE(SetUids(rig, first, 1'000).has_value());
  ASSERT_TRUE(
      rig.Propose(EntryType::kDeleteMailbox, DeleteMailboxEntry{.account = IndexRig::Number(alice), .name = "A"})
          .has_value());
  ASSERT_TRUE(rig.CreateMailbox(alice, "A").has_value());
  const Mailbox again = rig.MailboxOf(alice, "A");
  EXPECT_EQ(again.uid_validity, 1'001u);
  EXPECT_EQ(SetUids(rig, again.id, 1'000).error().code(), base::Errc::kExists);
  // Nor when the address is made anew.
  ASSERT_TRUE(rig.Propose(EntryType::kRemoveAccount, RemoveAccountEntry{.address = "alice@x"}).has_value());
  EXPECT_GT(rig.MailboxOf(rig.AddAccount("alice@x"), "INBOX").uid_validity, 1'001u);
}

TEST(SetUids, ComesBackWithTheIndex) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  ASSERT_TRUE(SetUids(rig, inbox, 1'700'000'000, 400).has_value());
  ASSERT_TRUE(rig.Propose(EntryType::kImport, Entry(inbox, 501, kFirst), 90).has_value());
  const std::uint32_t digest = rig.Digest();
  rig.DeleteIndex();
  rig.ReplayAll();
  EXPECT_EQ(rig.Digest(), digest);
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").uid_validity, 1'700'000'000u);
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").uid_next, 502u);
}

}  // namespace
}  // namespace store
