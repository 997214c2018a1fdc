// The store over a real log on a simulated disk.
#include "store/mail_store.h"

#include <gtest/gtest.h>

#include "store/testing.h"

namespace store {
namespace {

using base::Errc;

constexpr char kAlice[] = "alice@example.test";

std::string ReadAll(TestNode& node, MailboxId mailbox, std::uint32_t uid) {
  return node.Do(node.store().ReadMessage(mailbox, uid, 0, 1u << 20));
}

MailboxId InboxOf(TestNode& node, AccountId account) {
  return node.Do(node.store().FindMailbox(account, "inbox")).id;
}

TEST(MailStore, DeliversAndReadsBack) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  EXPECT_EQ(node.store().FindCachedAccount(kAlice), alice.id);
  node.Deliver(kAlice, "Subject: one\r\n\r\nhello\r\n");
  const MailboxId inbox = InboxOf(node, alice.id);
  const std::string prefix = "Return-Path: <sender@example.test>\r\nDelivered-To: alice@example.test\r\n";
  EXPECT_EQ(ReadAll(node, inbox, 1), prefix + "Subject: one\r\n\r\nhello\r\n");
  EXPECT_EQ(node.Do(node.store().ReadMessage(inbox, 1, 7, 4)), prefix.substr(7, 4));
  EXPECT_EQ(node.Do(node.store().ReadMessage(inbox, 1, prefix.size() - 2, 5)), "\r\nSub");
  EXPECT_EQ(node.Do(node.store().ReadMessage(inbox, 1, 10'000, 5)), "");
  EXPECT_EQ(node.Run(node.store().ReadMessage(inbox, 2, 0, 5)).error().code(), Errc::kNotFound);
  const Account sums = node.Do(node.store().FindAccount(kAlice));
  EXPECT_EQ(sums.mails, 1u);
  EXPECT_EQ(sums.bytes, prefix.size() + 23);
}

TEST(MailStore, ALargeMailInPartsIsReadBackInPieces) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  std::string text;
  for (int i = 0; text.size() < 900'000; ++i) text += "line " + std::to_string(i) + "\r\n";
  node.Deliver(kAlice, text);
  const MailboxId inbox = InboxOf(node, alice.id);
  const Message message = node.Do(node.store().FindMessage(inbox, 1));
  EXPECT_GT(message.body.extents.size(), 1u);
  std::string read;
  while (read.size() < message.size_bytes) read += node.Do(node.store().ReadMessage(inbox, 1, read.size(), 300'000));
  EXPECT_EQ(read, message.prefix + text);
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(ReadAll(node, inbox, 1), message.prefix + text);
}

TEST(MailStore, RefusesDeliveryToUnknownAccounts) {
  TestNode node;
  Delivery delivery;
  delivery.targets.push_back({.address = "nobody@example.test", .delivery_id = node.RandomDeliveryId(), .prefix = ""});
  delivery.body = node.MakeBody("x\r\n");
  EXPECT_EQ(node.Run(node.store().Deliver(std::move(delivery))).error().code(), Errc::kNotFound);
}

TEST(MailStore, TheAccountCacheForgetsWhatIsRemoved) {
  TestNode node;
  node.AddAccount(kAlice);
  node.Do(node.store().RemoveAccount(kAlice));
  EXPECT_FALSE(node.store().FindCachedAccount(kAlice).has_value());
  EXPECT_EQ(node.Run(node.store().FindAccount(kAlice)).error().code(), Errc::kNotFound);
  node.AddAccount(kAlice);
  node.Restart();
  EXPECT_FALSE(node.store().FindCachedAccount(kAlice).has_value());
  node.Do(node.store().FindAccount(kAlice));
  EXPECT_TRUE(node.store().FindCachedAccount(kAlice).has_value());
}

TEST(MailStore, RenamingInboxMovesItsMessagesAndLeavesItEmpty) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  for (int i = 0; i < 3; ++i) node.Deliver(kAlice, "mail " + std::to_string(i) + "\r\n");
  const Mailbox before = node.Do(node.store().FindMailbox(alice.id, "INBOX"));
  node.Do(node.store().RenameMailbox(alice.id, "INBOX", "Old"));
  const Mailbox inbox = node.Do(node.store().FindMailbox(alice.id, "INBOX"));
  const Mailbox old = node.Do(node.store().FindMailbox(alice.id, "Old"));
  EXPECT_EQ(inbox.messages, 0u);
  EXPECT_EQ(inbox.uid_next, before.uid_next);
  EXPECT_GT(inbox.highest_modseq, before.highest_modseq);
  EXPECT_EQ(old.messages, 3u);
  EXPECT_EQ(node.Do(node.store().ReadMessage(old.id, 2, 70, 4)), "mail");
}

TEST(MailStore, MovesInOneEntryAndKeepsTheMessage) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  for (int i = 0; i < 3; ++i) node.Deliver(kAlice, "Subject: x\r\n\r\nhello\r\n");
  const MailboxId inbox = InboxOf(node, alice.id);
  node.Do(node.store().CreateMailbox(alice.id, "Box"));
  const MailboxId box = node.Do(node.store().FindMailbox(alice.id, "Box")).id;
  node.Do(node.store().StoreFlags(inbox, {2}, FlagsChange::kAdd, {.system = Flags::kFlagged, .keywords = {"k"}}));
  const std::string text = ReadAll(node, inbox, 2);
  const std::uint64_t entries = node.log().Status().entries_committed;
  const Copied moved = node.Do(node.store().Move(inbox, {3, 2, 9, 2}, box));
  EXPECT_EQ(node.log().Status().entries_committed, entries + 1);
  EXPECT_EQ(moved.uids, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{2, 1}, {3, 2}}));
  EXPECT_EQ(node.Do(node.store().ListUids(inbox)), std::vector<std::uint32_t>{1});
  EXPECT_EQ(ReadAll(node, box, 1), text);
  const Message message = node.Do(node.store().FindMessage(box, 1));
  EXPECT_EQ(message.flags, (Flags{.system = Flags::kFlagged, .keywords = {"k"}}));
  // Within a mailbox a move gives new UIDs.
  EXPECT_EQ(node.Do(node.store().Move(box, {1}, box)).uids.front().second, 3u);
  EXPECT_EQ(node.Do(node.store().ListUids(box)), (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(ReadAll(node, box, 3), text);
  EXPECT_EQ(node.Run(node.store().Move(inbox, {1}, MailboxId(box.value() + 77))).error().code(), Errc::kNotFound);
}

TEST(MailStore, FlagsChangeOnlyWhereNobodyElseHasChangedThem) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  for (int i = 0; i < 3; ++i) node.Deliver(kAlice, "x\r\n");
  const MailboxId inbox = InboxOf(node, alice.id);
  const Flags seen{.system = Flags::kSeen, .keywords = {}};
  const std::uint64_t before = node.Do(node.store().MailboxState(inbox)).highest_modseq;
  node.Do(node.store().StoreFlags(inbox, {2}, FlagsChange::kAdd, seen));
  EXPECT_EQ(node.Do(node.store().ChangedUids(inbox, before)), std::vector<std::uint32_t>{2});
  const Flags flagged{.system = Flags::kFlagged, .keywords = {}};
  const FlagsStored stored =
      node.Do(node.store().StoreFlagsIf(inbox, {1, 2, 3, 4}, FlagsChange::kAdd, flagged, before));
  EXPECT_EQ(stored.modified, std::vector<std::uint32_t>{2});
  ASSERT_EQ(stored.changed.size(), 2u);
  EXPECT_EQ(stored.changed[0].flags, flagged);
  EXPECT_GT(stored.changed[0].modseq, before + 1);
  EXPECT_EQ(node.Do(node.store().FindMessage(inbox, 2)).flags, seen);
}

TEST(MailStore, AReadSeesWhatWasCommittedBeforeIt) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  const MailboxId inbox = InboxOf(node, alice.id);
  for (std::uint32_t i = 1; i <= 50; ++i) {
    node.Deliver(kAlice, "x\r\n");  // Returns at the commit.
    ASSERT_EQ(node.Do(node.store().ListUids(inbox)).size(), i);
  }
}

async::Task<void> WaitAndNote(MailStore* store, MailboxId mailbox, std::uint64_t modseq, bool* woken) {
  co_await store->WaitForChange(mailbox, modseq, std::chrono::hours(1));
  *woken = true;
}

TEST(MailStore, WakesWhoWaitsForAChangeOfThatMailbox) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  node.Do(node.store().CreateMailbox(alice.id, "Other"));
  const Mailbox inbox = node.Do(node.store().FindMailbox(alice.id, "INBOX"));
  const Mailbox other = node.Do(node.store().FindMailbox(alice.id, "Other"));
  bool inbox_woken = false;
  bool other_woken = false;
  async::TaskGroup group(node.executor(), "waiters");
  group.Spawn(WaitAndNote(&node.store(), inbox.id, inbox.highest_modseq, &inbox_woken));
  group.Spawn(WaitAndNote(&node.store(), other.id, other.highest_modseq, &other_woken));
  node.Do(node.store().ListUids(inbox.id));
  EXPECT_FALSE(inbox_woken);
  node.Deliver(kAlice, "x\r\n");
  while (!inbox_woken) ASSERT_GT(node.context().run_one(), 0u);
  EXPECT_FALSE(other_woken);
  // Too late is at once.
  node.Run(node.store().WaitForChange(inbox.id, inbox.highest_modseq, std::chrono::hours(1)));
  node.Run(group.Stop());
}

// ---- Stalled workers ----

TEST(MailStore, StalledWorkersDoNotBlockTheShard) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  const MailboxId inbox = InboxOf(node, alice.id);
  node.store().HoldWorkers(true);
  node.Deliver(kAlice, "x\r\n");  // Commits though nothing can be applied.
  EXPECT_TRUE(node.store().FindCachedAccount(kAlice).has_value());
  bool listed = false;
  async::TaskGroup group(node.executor(), "reader");
  struct Read {
    static async::Task<void> Once(MailStore* store, MailboxId mailbox, bool* done) {
      const auto uids = co_await store->ListUids(mailbox);
      EXPECT_EQ(uids->size(), 1u);
      *done = true;
    }
  };
  group.Spawn(Read::Once(&node.store(), inbox, &listed));
  const auto start = std::chrono::steady_clock::now();
  node.context().restart();
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(200)) {
    node.context().run_one_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(listed);
  node.store().HoldWorkers(false);
  node.Run(group.Join());
  EXPECT_TRUE(listed);
}

TEST(MailStore, ProposalsWaitWhenTheWorkerIsBehind) {
  TestNode node({.store = {.index_memory_bytes = 8u << 20, .apply_backlog_bytes_max = 10'000}});
  const Account alice = node.AddAccount(kAlice);
  const MailboxId inbox = InboxOf(node, alice.id);
  node.store().HoldWorkers(true);
  std::uint32_t delivered = 0;
  async::TaskGroup group(node.executor(), "deliveries");
  struct Work {
    static async::Task<void> Deliver(TestNode* node, std::uint32_t* count) {
      for (int i = 0; i < 100; ++i) {
        Delivery delivery;
        delivery.targets.push_back({.address = kAlice, .delivery_id = node->RandomDeliveryId(), .prefix = "p\r\n"});
        replog::BodyWriter writer = node->store().NewBody();
        EXPECT_TRUE((co_await writer.Write("x\r\n")).has_value());
        auto body = co_await writer.Finish();
        delivery.body = *std::move(body);
        const auto result = co_await node->store().Deliver(std::move(delivery));
        EXPECT_TRUE(result.has_value());
        *count += 1;
      }
    }
  };
  group.Spawn(Work::Deliver(&node, &delivered));
  const auto start = std::chrono::steady_clock::now();
  node.context().restart();
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(200)) {
    node.context().run_one_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(delivered, 10u);
  EXPECT_LT(delivered, 60u);
  node.store().HoldWorkers(false);
  node.Run(group.Join());
  EXPECT_EQ(node.Do(node.store().ListUids(inbox)).size(), 100u);
}

TEST(MailStore, AnswersBusyWhenTooManyReadsWait) {
  TestNode node({.store = {.index_memory_bytes = 8u << 20, .jobs_max = 3}});
  const Account alice = node.AddAccount(kAlice);
  const MailboxId inbox = InboxOf(node, alice.id);
  node.store().HoldWorkers(true);
  std::uint32_t ended = 0;
  async::TaskGroup group(node.executor(), "readers");
  struct Read {
    static async::Task<void> Once(MailStore* store, MailboxId mailbox, std::uint32_t* count) {
      EXPECT_TRUE((co_await store->ListUids(mailbox)).has_value());
      *count += 1;
    }
  };
  for (int i = 0; i < 3; ++i) group.Spawn(Read::Once(&node.store(), inbox, &ended));
  node.context().restart();
  while (node.context().poll() > 0) {
  }
  EXPECT_EQ(node.Run(node.store().ListUids(inbox)).error().code(), Errc::kBusy);
  node.store().HoldWorkers(false);
  node.Run(group.Join());
  EXPECT_EQ(ended, 3u);
}

// ---- Keys for SCRAM ----

TEST(MailStore, CountsTheAccountsThatLackKeysOverRestarts) {
  TestNode node;
  const auto count = [&] { return node.store().AccountsWithoutScramKeys(); };
  EXPECT_EQ(count(), 0u);
  node.Do(node.store().CreateAccount("a@example.test", {.password_hash = "$y$a", .scram_keys = "keys"}));
  EXPECT_EQ(count(), 0u);
  for (const char* address : {"b@example.test", "c@example.test", "d@example.test"}) node.AddAccount(address, "$y$b");
  node.AddAccount("locked@example.test", "!");
  EXPECT_EQ(count(), 3u);
  for (const TestIndex index : {TestIndex::kKept, TestIndex::kDeleted, TestIndex::kFlushed}) {
    node.Restart(index);
    EXPECT_EQ(count(), 3u);
  }
  node.Do(node.store().AddScramKeys("b@example.test", {.password_hash = "$y$old", .scram_keys = "keys"}));
  EXPECT_EQ(count(), 3u);
  node.Do(node.store().AddScramKeys("b@example.test", {.password_hash = "$y$b", .scram_keys = "keys"}));
  EXPECT_EQ(count(), 2u);
  node.Do(node.store().SetCredentials("c@example.test", {.password_hash = "$y$c", .scram_keys = "keys"}));
  node.Do(node.store().SetCredentials("c@example.test", {.password_hash = "$y$c", .scram_keys = "keys 2"}));
  EXPECT_EQ(count(), 1u);
  node.Do(node.store().SetCredentials("a@example.test", {.password_hash = "$y$a2"}));
  EXPECT_EQ(count(), 2u);
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(count(), 2u);
  for (const char* address : {"d@example.test", "a@example.test"}) node.Do(node.store().RemoveAccount(address));
  EXPECT_EQ(count(), 0u);
  EXPECT_EQ(node.Do(node.store().FindCredentials("c@example.test")).scram_keys, "keys 2");
  EXPECT_TRUE(node.Do(node.store().FindAccount("c@example.test")).has_scram_keys);
  EXPECT_FALSE(node.Do(node.store().FindAccount("locked@example.test")).has_scram_keys);
  EXPECT_EQ(node.Run(node.store().SetCredentials("x@example.test", {.password_hash = "$y$"})).error().code(),
            Errc::kNotFound);
}

// ---- Restart ----

// Waits until background purges have ended: the log stands still.
void Settle(TestNode& node) {
  for (std::uint64_t committed = 0, still = 0; still < 50; ++still) {
    node.Do(node.store().ListAccounts("", 1));
    const std::uint64_t now = node.log().Status().entries_committed;
    if (now != committed) still = 0;
    committed = now;
  }
}

std::uint32_t DigestOf(TestNode& node) {
  Settle(node);
  std::uint32_t digest = 0;
  for (std::uint32_t partition = 0; partition < 4; ++partition) {
    StateDigest writer(digest);
    node.Do(node.store().WriteSnapshot(replog::PartitionId(partition), &writer));
    digest = writer.value();
  }
  return digest;
}

// Every message of the four users can be read to its end, and what is read is what was written.
void ExpectAllReadable(TestNode& node) {
  for (int i = 0; i < 4; ++i) {
    const Account account = node.Do(node.store().FindAccount("user" + std::to_string(i) + "@example.test"));
    for (const Mailbox& mailbox : node.Do(node.store().ListMailboxes(account.id))) {
      for (const Message& message : node.Do(node.store().ListMessages(mailbox.id, 1, UINT32_MAX, 1000))) {
        const std::string text = ReadAll(node, mailbox.id, message.uid);
        EXPECT_EQ(text.size(), message.size_bytes);
        EXPECT_EQ(text.find_first_not_of('m', message.prefix.size()), text.size() - 2);
      }
    }
  }
}

void DoMixedWork(TestNode& node, int rounds) {
  base::Random random(7);
  for (int i = 0; i < 4; ++i) node.AddAccount("user" + std::to_string(i) + "@example.test");
  for (int round = 0; round < rounds; ++round) {
    const std::string address = "user" + std::to_string(random.Below(4)) + "@example.test";
    const Account account = node.Do(node.store().FindAccount(address));
    const MailboxId inbox = InboxOf(node, account.id);
    for (int i = 0; i < 3; ++i) node.Deliver(address, std::string(100 + random.Below(3000), 'm') + "\r\n");
    const auto uids = node.Do(node.store().ListUids(inbox));
    base::Ignore(node.Run(node.store().CreateMailbox(account.id, "Box" + std::to_string(random.Below(3)))));
    const auto box = node.Run(node.store().FindMailbox(account.id, "Box0"));
    if (box.has_value()) node.Do(node.store().Copy(inbox, {uids[random.Below(uids.size())]}, box->id));
    if (box.has_value()) node.Do(node.store().Move(inbox, {uids[random.Below(uids.size())]}, box->id));
    node.Do(node.store().StoreFlagsIf(inbox, uids, FlagsChange::kAdd, {.system = Flags::kFlagged, .keywords = {}},
                                      5 + random.Below(100)));
    node.Do(node.store().StoreFlags(inbox, uids, FlagsChange::kAdd,
                                    {.system = Flags::kSeen, .keywords = {"k" + std::to_string(round % 5)}}));
    node.Do(node.store().Expunge(inbox, {uids[random.Below(uids.size())]}, false));
    if (random.OneIn(6)) base::Ignore(node.Run(node.store().DeleteMailbox(account.id, "Box1")));
  }
}

TEST(MailStoreRestart, TheIndexIsTheSameKeptDeletedOrBehind) {
  TestNode node;
  DoMixedWork(node, 30);
  const std::uint32_t digest = DigestOf(node);
  node.Restart(TestIndex::kKept);
  EXPECT_EQ(DigestOf(node), digest) << "kept";
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(DigestOf(node), digest) << "deleted";
  ExpectAllReadable(node);
  node.Crash(3);
  EXPECT_EQ(DigestOf(node), digest) << "behind";
  ExpectAllReadable(node);
  node.Crash(4, TestIndex::kDeleted);
  EXPECT_EQ(DigestOf(node), digest) << "crashed and deleted";
  ExpectAllReadable(node);
}

TEST(MailStoreRestart, SnapshotsOfTheLogAreLoadedAndTheTailIsReplayed) {
  TestNode node;
  DoMixedWork(node, 10);
  for (std::uint32_t partition = 0; partition < 4; ++partition)
    node.Do(node.log().SnapshotNow(replog::PartitionId(partition)));
  for (int i = 0; i < 5; ++i) node.Deliver("user1@example.test", "after\r\n");
  const std::uint32_t tail = DigestOf(node);
  const std::uint64_t replayed_before = node.log().Status().replayed_entries;
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(DigestOf(node), tail);
  EXPECT_LT(node.log().Status().replayed_entries, replayed_before + 30);
}

TEST(MailStoreRestart, ADamagedIndexIsRebuilt) {
  TestNode node;
  DoMixedWork(node, 5);
  const std::uint32_t digest = DigestOf(node);
  node.Crash(1);
  for (const auto& file : std::filesystem::directory_iterator(node.index_folder())) {
    if (file.path().filename().string().starts_with("MANIFEST")) std::filesystem::resize_file(file.path(), 10);
  }
  node.Crash(2);
  EXPECT_EQ(DigestOf(node), digest);
}

TEST(MailStoreRestart, ReleasesAreRepeatedWhenTheIndexIsAhead) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  const MailboxId inbox = InboxOf(node, alice.id);
  node.Deliver(kAlice, std::string(3000, 'm') + "\r\n");
  node.Deliver(kAlice, "stays\r\n");
  node.Do(node.log().SnapshotNow(store::PartitionOf(inbox)));
  const mffs::Location place = node.Do(node.store().FindMessage(inbox, 1)).body.extents.front();
  node.Do(node.store().Expunge(inbox, {1}, false));
  EXPECT_FALSE(node.volume().IsLive(place));
  // The volume forgets the release, since no checkpoint followed; the index has the expunge and will not apply it
  // again.
  node.Crash(1, TestIndex::kFlushed);
  EXPECT_FALSE(node.volume().IsLive(place));
  EXPECT_EQ(node.Do(node.store().ListUids(inbox)), std::vector<std::uint32_t>{2});
  // The other one was not released, wherever cleaning has moved it by now: the log alone has it.
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(node.Do(node.store().ListUids(inbox)), std::vector<std::uint32_t>{2});
  EXPECT_TRUE(ReadAll(node, inbox, 2).ends_with("stays\r\n"));
}

TEST(MailStoreRestart, AnIndexOfAnotherVolumeIsForgotten) {
  TestNode node;
  DoMixedWork(node, 5);
  node.ReplaceVolume();
  EXPECT_TRUE(node.Do(node.store().ListAccounts("", 100)).empty());
  node.AddAccount(kAlice);
  node.Deliver(kAlice, "x\r\n");
  const std::uint32_t digest = DigestOf(node);
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(DigestOf(node), digest);
}

TEST(MailStoreRestart, DeletedMailboxesArePurgedAlsoAfterACrash) {
  TestNode node;
  const Account alice = node.AddAccount(kAlice);
  node.Do(node.store().CreateMailbox(alice.id, "A"));
  const MailboxId box = node.Do(node.store().FindMailbox(alice.id, "A")).id;
  for (int i = 0; i < 20; ++i) {
    node.Do(node.store().Append(box, {}, node.clock().WallNow(), node.MakeBody(std::string(3000, 'x'))));
  }
  const std::uint64_t live = node.volume().Status().space.live_bytes;
  node.Do(node.store().DeleteMailbox(alice.id, "A"));
  node.Crash(5);
  node.Do(node.store().FindAccount(kAlice));
  // The purge runs by itself: its entry is the one after which nothing is left.
  for (int i = 0; i < 100'000 && node.volume().Status().space.live_bytes > live - 20 * 3000; ++i) {
    node.Do(node.store().FindAccount(kAlice));
    for (std::uint32_t p = 0; p < 4 && i % 50 == 10; ++p) node.Do(node.log().SnapshotNow(replog::PartitionId(p)));
  }
  EXPECT_LE(node.volume().Status().space.live_bytes, live - 20 * 3000);
}

}  // namespace
}  // namespace store
