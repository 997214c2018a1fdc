#include "store/apply.h"

#include <gtest/gtest.h>

#include "store/apply_testing.h"
#include "store/mail_store.h"

namespace store {
namespace {

using base::Errc;

base::Errc CodeOf(const base::Result<std::string>& result) {
  return result.has_value() ? Errc::kClosed : result.error().code();
}

Mailbox StateOf(IndexRig& rig, MailboxId id) {
  return *rig.Ask([&](const ReadView& view) { return QueryMailbox(view, id); });
}

std::vector<std::uint32_t> UidsOf(IndexRig& rig, MailboxId id) {
  return *rig.Ask([&](const ReadView& view) { return QueryUids(view, id); });
}

base::Result<std::string> StoreFlags(IndexRig& rig, MailboxId id, std::vector<std::uint32_t> uids, FlagsChange change,
                                     EntryFlags flags) {
  return rig.Propose(EntryType::kStoreFlags, StoreFlagsEntry{.mailbox = IndexRig::Number(id),
                                                             .change = static_cast<std::uint8_t>(change),
                                                             .flags = std::move(flags),
                                                             .uids = std::move(uids)});
}

std::vector<std::uint32_t> Expunge(IndexRig& rig, MailboxId id, std::vector<std::uint32_t> uids,
                                   bool only_deleted = false) {
  const auto applied =
      rig.Propose(EntryType::kExpunge,
                  ExpungeEntry{.mailbox = IndexRig::Number(id), .only_deleted = only_deleted, .uids = std::move(uids)});
  return DecodeUidsResult(*applied).value();
}

Copied Copy(IndexRig& rig, MailboxId from, MailboxId to, std::vector<std::uint32_t> uids, bool move = false) {
  const auto applied = rig.Propose(
      EntryType::kCopy,
      CopyEntry{.from = IndexRig::Number(from), .to = IndexRig::Number(to), .move = move, .uids = std::move(uids)});
  return DecodeCopied(*applied).value();
}

// ---- Accounts ----

TEST(ApplyAccounts, AnAccountIsMadeOnceWithAnInbox) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  EXPECT_EQ(CodeOf(rig.Propose(EntryType::kCreateAccount,
                               CreateAccountEntry{.address = "alice@example.test", .password_hash = "x"})),
            Errc::kExists);
  const Mailbox inbox = rig.MailboxOf(alice, "INBOX");
  EXPECT_EQ(inbox.id, IndexRig::InboxOf(alice));
  EXPECT_EQ(inbox.uid_validity, 1u);
  EXPECT_EQ(inbox.uid_next, 1u);
  EXPECT_EQ(inbox.highest_modseq, 1u);
}

TEST(ApplyAccounts, ThePasswordChangesAndOnlyThat) {
  IndexRig rig;
  rig.AddAccount("alice@example.test");
  ASSERT_TRUE(
      rig.Propose(EntryType::kSetPassword, SetPasswordEntry{.address = "alice@example.test", .password_hash = "new"})
          .has_value());
  EXPECT_EQ(CodeOf(rig.Propose(EntryType::kSetPassword,
                               SetPasswordEntry{.address = "bob@example.test", .password_hash = "new"})),
            Errc::kNotFound);
  const auto found =
      rig.Ask([](const ReadView& view) { return QueryAccount(view, IndexRig::kPartition, "alice@example.test"); });
  EXPECT_EQ(found->row.password_hash, "new");
}

TEST(ApplyAccounts, KeysComeWithAPasswordAndGoWithTheNextOne) {
  IndexRig rig;
  const auto change = [&](CredentialsChange how, std::string_view hash, std::string_view keys) {
    const auto applied = rig.Propose(
        EntryType::kCredentials,
        CredentialsEntry{.change = how, .address = "alice@example.test", .password_hash = hash, .scram_keys = keys});
    return applied.has_value() ? std::optional<Errc>() : CodeOf(applied);
  };
  const auto row = [&] {
    return rig.Ask([](const ReadView& view) { return QueryAccount(view, IndexRig::kPartition, "alice@example.test"); })
        ->row;
  };
  EXPECT_EQ(change(CredentialsChange::kReplace, "hash", "keys"), Errc::kNotFound);
  EXPECT_EQ(change(CredentialsChange::kAddKeys, "hash", "keys"), Errc::kNotFound);
  EXPECT_EQ(change(CredentialsChange::kCreateAccount, "hash", "keys"), std::nullopt);
  EXPECT_EQ(change(CredentialsChange::kCreateAccount, "hash", "keys"), Errc::kExists);
  EXPECT_EQ(row().password_hash, "hash");
  EXPECT_EQ(row().scram_keys, "keys");
  EXPECT_EQ(change(CredentialsChange::kReplace, "hash 2", "keys 2"), std::nullopt);
  EXPECT_EQ(row().scram_keys, "keys 2");
  // Another hash without keys: the old ones are of another password.
  ASSERT_TRUE(
      rig.Propose(EntryType::kSetPassword, SetPasswordEntry{.address = "alice@example.test", .password_hash = "hash 3"})
          .has_value());
  EXPECT_EQ(row().scram_keys, "");
  EXPECT_EQ(change(CredentialsChange::kAddKeys, "hash 2", "late"), std::nullopt);
  EXPECT_EQ(row().scram_keys, "") << "keys of a password that was changed meanwhile";
  EXPECT_EQ(change(CredentialsChange::kAddKeys, "hash 3", "keys 3"), std::nullopt);
  EXPECT_EQ(row().scram_keys, "keys 3");
  EXPECT_EQ(change(CredentialsChange::kAddKeys, "hash 3", "keys 4"), std::nullopt);
  EXPECT_EQ(row().scram_keys, "keys 3");
  EXPECT_EQ(row().password_hash, "hash 3");
}

TEST(ApplyAccounts, ARemovedAccountLeavesNothingAndItsAddressGetsGreaterUidValidities) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  ASSERT_TRUE(rig.CreateMailbox(alice, "Archive").has_value());
  rig.DeliverTo(alice);
  const std::uint32_t archive_validity = rig.MailboxOf(alice, "Archive").uid_validity;
  ASSERT_TRUE(rig.Propose(EntryType::kRemoveAccount, RemoveAccountEntry{.address = "alice@example.test"}).has_value());
  for (const MailboxId garbage : *rig.Ask([](const ReadView& view) { return QueryGarbage(view); })) {
    ASSERT_TRUE(rig.Propose(EntryType::kPurge, PurgeEntry{.mailbox = IndexRig::Number(garbage)}).has_value());
  }
  EXPECT_EQ(rig.released.size(), 0u);
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{3});
  EXPECT_TRUE(rig.Ask([](const ReadView& view) { return QueryGarbage(view); })->empty());
  const AccountId again = rig.AddAccount("alice@example.test");
  EXPECT_NE(again, alice);
  EXPECT_GT(rig.MailboxOf(again, "INBOX").uid_validity, archive_validity);
  EXPECT_TRUE(UidsOf(rig, IndexRig::InboxOf(again)).empty());
}

TEST(ApplyAccounts, AreListedInOrderAfterAnAddress) {
  IndexRig rig;
  for (const char* name : {"d@x", "a@x", "c@x", "b@x"}) rig.AddAccount(name);
  const auto listed = rig.Ask([](const ReadView& view) { return QueryAccounts(view, "a@x", 2); });
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0].address, "b@x");
  EXPECT_EQ((*listed)[1].address, "c@x");
}

// ---- Delivery ----

DeliverEntry DeliveryWith(AccountId account, mail::DeliveryId id, std::int64_t date_us = 0) {
  DeliverEntry entry;
  entry.date_us = date_us;
  entry.ids_kept_hours = 48;
  entry.targets.push_back({.account = IndexRig::Number(account), .delivery_id = id, .prefix = "P\r\n"});
  return entry;
}

mail::DeliveryId DirectId(std::uint8_t first) {
  mail::DeliveryId id;
  id.bytes[0] = first;
  return id;
}

TEST(ApplyDeliver, TheSameIdIsDeliveredOnceAndTheSecondBodyIsReleased) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  for (const mail::DeliveryId& id :
       {DirectId(1), DirectId(1), mail::DeliveryId::Queued(9, 5, 0), mail::DeliveryId::Queued(9, 5, 0)}) {
    ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryWith(alice, id), 10).has_value());
  }
  rig.Flush();
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)), (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(rig.released, (std::vector<std::uint64_t>{3, 5}));
  // Also when the first is in an older batch.
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryWith(alice, DirectId(1)), 10).has_value());
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 2u);
}

TEST(ApplyDeliver, OneBodyIsSharedByAllTargetsAndGoesWithTheLast) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const AccountId bob = rig.AddAccount("bob@example.test");
  DeliverEntry entry = DeliveryWith(alice, DirectId(1));
  entry.targets.push_back({.account = IndexRig::Number(bob), .delivery_id = DirectId(2), .prefix = "longer\r\n"});
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, entry, 10).has_value());
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return QueryMessage(v, IndexRig::InboxOf(bob), 1); })->size_bytes, 18u);
  Expunge(rig, IndexRig::InboxOf(alice), {1});
  rig.Flush();
  EXPECT_TRUE(rig.released.empty());
  Expunge(rig, IndexRig::InboxOf(bob), {1});
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{3});
}

TEST(ApplyDeliver, ATargetWhoseAccountIsGoneIsLeftOut) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  DeliverEntry entry = DeliveryWith(alice, DirectId(1));
  entry.targets.push_back({.account = 99, .delivery_id = DirectId(2), .prefix = ""});
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, entry, 10).has_value());
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 1u);
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryWith(AccountId(99), DirectId(3)), 10).has_value());
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{3});
}

TEST(ApplyDeliver, DirectIdsAreForgottenByThePartitionsOwnTimeOnly) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  constexpr std::int64_t kHour = 3600LL * 1'000'000;
  const std::int64_t start = 1000 * kHour;
  struct Step {
    std::uint8_t id;
    std::int64_t date;
    std::size_t messages;
  } steps[] = {
      {1, start, 1},
      {1, start + 48 * kHour, 1},  // Just in time.
      {2, start + 49 * kHour, 2},
      {1, start + 49 * kHour, 3},   // Forgotten.
      {2, start - 500 * kHour, 3},  // A clock that jumps back forgets nothing, ...
      {3, start - 500 * kHour, 4},
      {3, start + 96 * kHour, 4},  // ... and what came meanwhile is stamped with the partition's time.
  };
  for (const Step& step : steps) {
    ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryWith(alice, DirectId(step.id), step.date), 10).has_value());
    EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), step.messages)
        << "id " << int{step.id} << " at " << (step.date - start) / kHour;
  }
}

TEST(ApplyDeliver, QueuedIdsBelowTheWatermarkAreSettled) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  DeliverEntry entry = DeliveryWith(alice, mail::DeliveryId::Queued(9, 100'000, 0));
  entry.settled.push_back({.queue_partition = 9, .mark = {.below = 90'000, .except = {}}});
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, entry, 10).has_value());
  ASSERT_TRUE(
      rig.Propose(EntryType::kDeliver, DeliveryWith(alice, mail::DeliveryId::Queued(9, 89'999, 0)), 10).has_value());
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 1u);
  // Another queue partition, and the watermark itself, are not.
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryWith(alice, mail::DeliveryId::Queued(8, 5, 0)), 10).has_value());
  ASSERT_TRUE(
      rig.Propose(EntryType::kDeliver, DeliveryWith(alice, mail::DeliveryId::Queued(9, 90'000, 0)), 10).has_value());
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 3u);
}

std::size_t QueuedIdRows(IndexRig& rig) {
  rig.Flush();
  const std::string prefix = RowKey(IndexRig::kPartition, RowKind::kQueuedId).text();
  const std::unique_ptr<rocksdb::Iterator> rows(rig.index().db().NewIterator(rocksdb::ReadOptions()));
  std::size_t count = 0;
  for (rows->Seek(prefix); rows->Valid() && rows->key().starts_with(prefix); rows->Next()) ++count;
  return count;
}

TEST(ApplyDeliver, IdsOfMailThatStaysBehindAreKept) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const auto deliver = [&](std::uint64_t index, std::vector<DeliverEntry::Settled> settled = {}) {
    DeliverEntry entry = DeliveryWith(alice, mail::DeliveryId::Queued(9, index, 0));
    entry.settled = std::move(settled);
    ASSERT_TRUE(rig.Propose(EntryType::kDeliver, entry, 10).has_value());
  };
  for (const std::uint64_t index : {3, 5, 7, 9}) deliver(index);
  deliver(20, {{.queue_partition = 9, .mark = {.below = 15, .except = {5, 9, 11}}}});
  EXPECT_EQ(QueuedIdRows(rig), 3u);
  for (const std::uint64_t index : {3, 4, 5, 7, 9, 14}) deliver(index);  // Settled, or there already.
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 5u);
  deliver(11);  // Neither.
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 6u);
  // One that stayed behind is settled later.
  deliver(21, {{.queue_partition = 9, .mark = {.below = 16, .except = {9}}}});
  EXPECT_EQ(QueuedIdRows(rig), 3u);
  for (const std::uint64_t index : {5, 9, 11}) deliver(index);
  // An older mark, which took a longer way, brings nothing back.
  deliver(22, {{.queue_partition = 9, .mark = {.below = 15, .except = {5, 9, 11}}}});
  for (const std::uint64_t index : {5, 9, 11}) deliver(index);
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), 8u);
  EXPECT_EQ(QueuedIdRows(rig), 4u);
}

TEST(ApplyDeliver, TheSetOfQueuedIdsStaysBoundedOverRestarts) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  constexpr std::uint64_t kStuck = 2;  // It waits in the queue all the time.
  constexpr std::uint64_t kStep = 50;
  for (std::uint64_t index = kStuck; index < 3000; ++index) {
    DeliverEntry entry = DeliveryWith(alice, mail::DeliveryId::Queued(9, index, 0));
    if (index % kStep == 0)
      entry.settled.push_back({.queue_partition = 9, .mark = {.below = index, .except = {kStuck}}});
    ASSERT_TRUE(rig.Propose(EntryType::kDeliver, entry, 10).has_value());
    if (index % 700 == 0) rig.FlushToDisk();
    if (index % 1000 == 999) {
      if (index % 2000 == 999) rig.Crash();
      if (index % 2000 == 1999) rig.DeleteIndex();
      rig.ReplayAll();
    }
    if (index % kStep == 0) ASSERT_LE(QueuedIdRows(rig), 2u);
  }
  const std::size_t messages = UidsOf(rig, IndexRig::InboxOf(alice)).size();
  for (std::uint64_t index = kStuck; index < 3000; ++index) {
    ASSERT_TRUE(
        rig.Propose(EntryType::kDeliver, DeliveryWith(alice, mail::DeliveryId::Queued(9, index, 0)), 10).has_value());
  }
  EXPECT_EQ(UidsOf(rig, IndexRig::InboxOf(alice)).size(), messages);
}

TEST(ApplyDeliver, MoreSettledIdsThanOneEntryForgetsGoWithTheNext) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  constexpr std::uint64_t kMails = 20'000;
  for (std::uint64_t index = 1; index <= kMails; ++index) {
    ASSERT_TRUE(
        rig.Propose(EntryType::kDeliver, DeliveryWith(alice, mail::DeliveryId::Queued(9, index, 0))).has_value());
  }
  std::size_t rows_left = QueuedIdRows(rig);
  for (std::uint64_t index = kMails + 1; rows_left > 1; ++index) {
    DeliverEntry entry = DeliveryWith(alice, mail::DeliveryId::Queued(9, index, 0));
    entry.settled.push_back({.queue_partition = 9, .mark = {.below = index, .except = {}}});
    ASSERT_TRUE(rig.Propose(EntryType::kDeliver, entry).has_value());
    const std::size_t rows_now = QueuedIdRows(rig);
    ASSERT_LT(rows_now, rows_left);
    rows_left = rows_now;
  }
}

// ---- Messages ----

TEST(ApplyAppend, TellsWhereTheMessageIsAndReleasesTheBodyWithoutAMailbox) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const AppendEntry entry{
      .mailbox = IndexRig::Number(alice), .flags = {.system = Flags::kSeen, .keywords = {"$Work"}}, .date_us = 5};
  const auto applied = rig.Propose(EntryType::kAppend, entry, 10);
  EXPECT_EQ(DecodeAppended(*applied)->uid, 1u);
  EXPECT_EQ(DecodeAppended(*applied)->uid_validity, 1u);
  const auto message = rig.Ask([&](const ReadView& v) { return QueryMessage(v, IndexRig::InboxOf(alice), 1); });
  EXPECT_EQ(message->flags.system, Flags::kSeen);
  EXPECT_EQ(message->flags.keywords, std::vector<std::string>{"$Work"});
  EXPECT_EQ(message->body.extents.size(), 1u);
  EXPECT_EQ(StateOf(rig, IndexRig::InboxOf(alice)).unseen, 0u);
  EXPECT_EQ(CodeOf(rig.Propose(EntryType::kAppend, AppendEntry{.mailbox = 99, .flags = {}, .date_us = 0}, 10)),
            Errc::kNotFound);
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{3});
}

TEST(ApplyStoreFlags, ChangesFlagsCountersAndModseqsOfWhatChanged) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  for (int i = 0; i < 3; ++i) rig.DeliverTo(alice);
  const std::uint64_t before = StateOf(rig, inbox).highest_modseq;
  const auto first =
      DecodeFlagsResult(*StoreFlags(rig, inbox, {1, 2, 9}, FlagsChange::kAdd, {Flags::kSeen, {"B", "a"}}));
  ASSERT_EQ(first->size(), 2u);
  EXPECT_EQ((*first)[0].flags.keywords, (std::vector<std::string>{"a", "B"}));
  EXPECT_EQ((*first)[0].modseq, before + 1);
  EXPECT_EQ(StateOf(rig, inbox).unseen, 1u);
  // The same again changes nothing, in any case.
  const auto again = DecodeFlagsResult(*StoreFlags(rig, inbox, {1, 2}, FlagsChange::kAdd, {Flags::kSeen, {"A"}}));
  EXPECT_EQ((*again)[0].modseq, before + 1);
  EXPECT_EQ(StateOf(rig, inbox).highest_modseq, before + 1);
  // Only one of the two is changed by this.
  ASSERT_TRUE(StoreFlags(rig, inbox, {1}, FlagsChange::kRemove, {Flags::kSeen, {"b", "unknown"}}).has_value());
  const auto replaced = DecodeFlagsResult(*StoreFlags(rig, inbox, {1, 2}, FlagsChange::kReplace, {0, {"a"}}));
  EXPECT_EQ((*replaced)[0].modseq, before + 2);
  EXPECT_EQ((*replaced)[1].modseq, before + 3);
  EXPECT_EQ((*replaced)[1].flags, (Flags{.system = 0, .keywords = {"a"}}));
  EXPECT_EQ(StateOf(rig, inbox).unseen, 3u);
  EXPECT_EQ(StateOf(rig, inbox).keywords, (std::vector<std::string>{"B", "a"}));
}

TEST(ApplyStoreFlags, RefusesMoreKeywordsThanAMailboxMayHave) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  rig.DeliverTo(alice);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kKeywordsPerMailboxMax; ++i) names.push_back("k" + std::to_string(i));
  ASSERT_TRUE(
      StoreFlags(rig, IndexRig::InboxOf(alice), {1}, FlagsChange::kAdd, {0, {names.begin(), names.end()}}).has_value());
  EXPECT_EQ(CodeOf(StoreFlags(rig, IndexRig::InboxOf(alice), {1}, FlagsChange::kAdd, {Flags::kSeen, {"one-more"}})),
            Errc::kLimit);
  EXPECT_EQ(StateOf(rig, IndexRig::InboxOf(alice)).unseen, 1u);
}

TEST(ApplyExpunge, RemovesWhatIsDeletedAndKeepsAMark) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  for (int i = 0; i < 4; ++i) rig.DeliverTo(alice);
  ASSERT_TRUE(StoreFlags(rig, inbox, {2, 3}, FlagsChange::kAdd, {Flags::kDeleted, {}}).has_value());
  const std::uint64_t before = StateOf(rig, inbox).highest_modseq;
  EXPECT_EQ(Expunge(rig, inbox, {1, 2}, true), std::vector<std::uint32_t>{2});
  EXPECT_EQ(Expunge(rig, inbox, {4, 7}), std::vector<std::uint32_t>{4});
  EXPECT_EQ(UidsOf(rig, inbox), (std::vector<std::uint32_t>{1, 3}));
  const Mailbox state = StateOf(rig, inbox);
  EXPECT_EQ(state.messages, 2u);
  EXPECT_EQ(state.uid_next, 5u);
  EXPECT_EQ(state.highest_modseq, before + 2);
  const auto changes = rig.Ask([&](const ReadView& v) { return QueryChanges(v, inbox, before); });
  EXPECT_EQ(changes->expunged, (std::vector<std::uint32_t>{2, 4}));
  EXPECT_TRUE(changes->changed.empty());
  EXPECT_TRUE(Expunge(rig, inbox, {2}).empty());
  EXPECT_EQ(StateOf(rig, inbox).highest_modseq, before + 2);
}

TEST(ApplyCopy, SharesBytesAndKeepsFlagsAndDate) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  rig.DeliverTo(alice);
  rig.DeliverTo(alice);
  ASSERT_TRUE(rig.CreateMailbox(alice, "A").has_value());
  const MailboxId archive = rig.MailboxOf(alice, "A").id;
  ASSERT_TRUE(StoreFlags(rig, inbox, {2}, FlagsChange::kAdd, {Flags::kFlagged, {"x", "y"}}).has_value());
  const Copied copied = Copy(rig, inbox, archive, {2, 5});
  EXPECT_EQ(copied.uids, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{2, 1}}));
  EXPECT_EQ(copied.uid_validity, rig.MailboxOf(alice, "A").uid_validity);
  const auto message = rig.Ask([&](const ReadView& v) { return QueryMessage(v, archive, 1); });
  EXPECT_EQ(message->flags, (Flags{.system = Flags::kFlagged, .keywords = {"x", "y"}}));
  EXPECT_EQ(message->prefix, "P: x\r\n");
  // Within one mailbox, and in two steps of removal.
  EXPECT_EQ(Copy(rig, inbox, inbox, {2}).uids.front().second, 3u);
  EXPECT_EQ(Expunge(rig, inbox, {2, 3}).size(), 2u);
  rig.Flush();
  EXPECT_TRUE(rig.released.empty());
  Expunge(rig, archive, {1});
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{3});
}

TEST(ApplyCopy, MovesWithoutTouchingTheBody) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  const MailboxId inbox = IndexRig::InboxOf(alice);
  rig.DeliverTo(alice);
  ASSERT_TRUE(rig.CreateMailbox(alice, "A").has_value());
  const MailboxId archive = rig.MailboxOf(alice, "A").id;
  const std::uint64_t before = StateOf(rig, inbox).highest_modseq;
  EXPECT_EQ(Copy(rig, inbox, archive, {1}, true).uids.size(), 1u);
  rig.Flush();
  EXPECT_TRUE(rig.released.empty());
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return QueryChanges(v, inbox, before); })->expunged,
            std::vector<std::uint32_t>{1});
  Expunge(rig, archive, {1});
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{2});
}

TEST(ApplyMoves, ChangeWhereABodyLiesOnceAndOnlyFromThere) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  rig.DeliverTo(alice);
  const mffs::Location first = IndexRig::BodyOf(2, 1).extents[0];
  const mffs::Location second{.segment = 5, .generation = 2, .offset = 4096, .size = 64};
  const mffs::Location third{.segment = 6, .generation = 2, .offset = 4096, .size = 64};
  ApplyMoves(rig.changes(), IndexRig::kPartition, {{.body = 2, .part = 0, .from = first, .to = second}});
  ApplyMoves(rig.changes(), IndexRig::kPartition, {{.body = 2, .part = 0, .from = second, .to = third}});
  ApplyMoves(rig.changes(), IndexRig::kPartition,
             {{.body = 2, .part = 0, .from = first, .to = second},
              {.body = 2, .part = 9, .from = third, .to = second},
              {.body = 77, .part = 0, .from = first, .to = second}});
  const auto message = rig.Ask([&](const ReadView& v) { return QueryMessage(v, IndexRig::InboxOf(alice), 1); });
  EXPECT_EQ(message->body.extents[0], third);
}

TEST(ApplyEntries, ANewerVersionStopsTheStore) {
  IndexRig rig;
  EXPECT_EQ(CodeOf(rig.Apply({.index = 1, .type = EntryType::kPurge, .meta = "\x02\x01", .body = {}})),
            Errc::kUnsupported);
  EXPECT_EQ(rig.changes().Flush().error().code(), Errc::kUnsupported);
}

TEST(ApplyEntries, UnreadableOnesChangeNothingAndUnknownTypesStopTheStore) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@example.test");
  LoggedEntry torn{.index = 50, .type = EntryType::kExpunge, .meta = "\x01\xff\xff", .body = IndexRig::BodyOf(50, 9)};
  EXPECT_EQ(CodeOf(rig.Apply(torn)), Errc::kInvalid);
  rig.Flush();
  EXPECT_EQ(rig.released, std::vector<std::uint64_t>{50});
  EXPECT_EQ(rig.changes().Partition(IndexRig::kPartition).index, 50u);
  EXPECT_EQ(StateOf(rig, IndexRig::InboxOf(alice)).uid_next, 1u);
  EXPECT_EQ(CodeOf(rig.Apply({.index = 51, .type = static_cast<EntryType>(200), .meta = "", .body = {}})),
            Errc::kUnsupported);
  EXPECT_EQ(rig.changes().Flush().error().code(), Errc::kUnsupported);
}

}  // namespace
}  // namespace store
