// Quotas as values, in the ledger of the shard, and through the store: what is refused, what is counted, who is warned.
#include "store/quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "store/apply_testing.h"
#include "store/inbox_testing.h"
#include "store/quota_ledger.h"
#include "store/quota_rows.h"
#include "store/testing.h"

namespace store {
namespace {

using base::Errc;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ---- Values ----

TEST(Quota, TakesWhatFitsAndNothingMore) {
  struct Row {
    const char* label;
    Usage usage;
    Usage more;
    QuotaLimits limits;
    bool has_room;
  };
  const Row rows[] = {
      {"no limits", {UINT64_MAX - 1, UINT64_MAX - 1}, {1, 1}, {0, 0}, true},
      {"the last byte", {90, 1}, {10, 1}, {100, 0}, true},
      {"a byte too many", {90, 1}, {11, 1}, {100, 0}, false},
      {"the last mail", {0, 9}, {5, 1}, {0, 10}, true},
      {"a mail too many", {0, 10}, {5, 1}, {0, 10}, false},
      {"bytes fit, mails do not", {0, 10}, {5, 1}, {100, 10}, false},
      {"over it already", {200, 1}, {0, 0}, {100, 0}, false},
      {"a sum past 64 bits", {UINT64_MAX, 1}, {UINT64_MAX, 1}, {UINT64_MAX, 0}, false},
  };
  for (const Row& row : rows) EXPECT_EQ(HasRoom(row.usage, row.more, row.limits), row.has_room) << row.label;
}

TEST(Quota, CountsPercentsOfTheNearerLimitRoundedUp) {
  struct Row {
    Usage usage;
    QuotaLimits limits;
    std::uint64_t percent;
  };
  const Row rows[] = {
      {{0, 0}, {100, 100}, 0},
      {{1, 0}, {1000, 0}, 1},
      {{800, 0}, {1000, 0}, 80},
      {{801, 0}, {1000, 0}, 81},
      {{991, 0}, {1000, 0}, 100},
      {{10, 9}, {1000, 10}, 90},
      {{2000, 0}, {1000, 0}, 200},
      {{500, 500}, {0, 0}, 0},
      {{UINT64_MAX, 0}, {UINT64_MAX, 0}, 100},
      {{UINT64_MAX / 2, 0}, {UINT64_MAX, 0}, 50},
      {{UINT64_MAX, 0}, {1, 0}, UINT64_MAX},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(PercentOf(row.usage, row.limits), row.percent) << row.usage.bytes << " of " << row.limits.bytes;
  }
}

TEST(Quota, ReachesTheGreatestPercentageThatIsNotAbove) {
  const WarnAt warn_at{80, 95, 100};
  EXPECT_EQ(ReachedOf(warn_at, 79), 0);
  EXPECT_EQ(ReachedOf(warn_at, 80), 80);
  EXPECT_EQ(ReachedOf(warn_at, 99), 95);
  EXPECT_EQ(ReachedOf(warn_at, 1000), 100);
  EXPECT_EQ(ReachedOf({}, 1000), 0);
}

TEST(Quota, TakesItsOwnLimitsBeforeTheConfiguredOnes) {
  const QuotaLimits configured{.bytes = 100, .mails = 10};
  EXPECT_EQ(LimitsOf({}, configured), configured);
  EXPECT_EQ(LimitsOf({.bytes = 0, .mails = 5}, configured), (QuotaLimits{.bytes = 0, .mails = 5}));
}

// ---- The ledger ----

constexpr AccountId kAccount{std::uint64_t{3} << 32 | 9};

Effects::QuotaChange Change(std::uint64_t bytes, std::uint64_t index) {
  return {.partition = PartitionOf(kAccount), .account = 9, .usage = {bytes, 1}, .own = {}, .index = index};
}

TEST(QuotaLedger, CountsWhatIsOnItsWay) {
  QuotaLedger ledger(10);
  ledger.SetRule({.limits = {.bytes = 100, .mails = 0}});
  EXPECT_FALSE(ledger.SurelyHasRoom(kAccount, {10, 1})) << "nothing is known of it";
  EXPECT_TRUE(ledger.HasRoom(kAccount, {10, 1})) << "which RCPT forgives";
  ledger.Applied(Change(50, 1));
  EXPECT_TRUE(ledger.SurelyHasRoom(kAccount, {50, 1}));
  EXPECT_FALSE(ledger.SurelyHasRoom(kAccount, {51, 1}));
  ledger.SetAside(kAccount, {30, 1});
  EXPECT_FALSE(ledger.SurelyHasRoom(kAccount, {21, 1}));
  EXPECT_FALSE(ledger.HasRoom(kAccount, {21, 1}));
  EXPECT_TRUE(ledger.HasRoom(kAccount, {20, 1}));
  ledger.Applied(Change(80, 2));
  ledger.Arrived({.partition = PartitionOf(kAccount), .account = 9, .usage = {30, 1}});
  EXPECT_TRUE(ledger.SurelyHasRoom(kAccount, {20, 1}));
  {
    const QuotaLedger::Passage append(&ledger, PartitionOf(kAccount), Usage{5, 1});
    EXPECT_TRUE(ledger.SurelyHasRoom(kAccount, {15, 1}));
    EXPECT_FALSE(ledger.SurelyHasRoom(kAccount, {16, 1}));
    const QuotaLedger::Passage copy(&ledger, PartitionOf(kAccount), std::nullopt);
    EXPECT_FALSE(ledger.SurelyHasRoom(kAccount, {1, 1}));
  }
  EXPECT_TRUE(ledger.SurelyHasRoom(kAccount, {20, 1}));
}

TEST(QuotaLedger, KeepsNoAnswerThatIsOlderThanWhatItKnows) {
  QuotaLedger ledger(1);
  ledger.SetRule({.limits = {.bytes = 100, .mails = 0}});
  const std::uint64_t evictions = ledger.evictions();
  ledger.Applied(Change(90, 7));
  ledger.Keep(kAccount, {.usage = {10, 1}}, 6, evictions);
  EXPECT_FALSE(ledger.SurelyHasRoom(kAccount, {20, 1}));
  Effects::QuotaChange other = Change(5, 8);
  other.account = 10;
  ledger.Applied(other);  // Takes the only place.
  EXPECT_FALSE(ledger.Knows(kAccount));
  ledger.Keep(kAccount, {.usage = {10, 1}}, 6, evictions);
  EXPECT_FALSE(ledger.Knows(kAccount)) << "what was known meanwhile was dropped";
  ledger.Keep(kAccount, {.usage = {10, 1}}, 8, ledger.evictions());
  EXPECT_TRUE(ledger.SurelyHasRoom(kAccount, {20, 1}));
}

TEST(QuotaLedger, CountsAccountsThatAreFull) {
  QuotaLedger ledger(10);
  ledger.Applied(Change(100, 1));
  EXPECT_EQ(ledger.full_accounts(), 0u);
  ledger.SetRule({.limits = {.bytes = 100, .mails = 0}});
  EXPECT_EQ(ledger.full_accounts(), 1u);
  ledger.Applied(Change(99, 2));
  EXPECT_EQ(ledger.full_accounts(), 0u);
  ledger.Applied(Change(100, 3));
  Effects::QuotaChange gone = Change(0, 4);
  gone.is_gone = true;
  ledger.Applied(gone);
  EXPECT_EQ(ledger.full_accounts(), 0u);
}

// ---- Applies ----

EntryQuota Rule(std::uint64_t bytes, bool is_enforced = true) {
  return {.is_enforced = is_enforced, .rule = {.limits = {.bytes = bytes, .mails = 0}, .warn_at = {80, 95, 100}}};
}

DeliverEntry DeliveryTo(AccountId account, std::uint64_t id, const EntryQuota& quota) {
  DeliverEntry entry;
  entry.ids_kept_hours = 48;
  entry.quota = quota;
  entry.targets.push_back({.account = IndexRig::Number(account), .delivery_id = mail::DeliveryId::Queued(1, id, 0)});
  return entry;
}

std::uint8_t DuePercent(IndexRig& rig, AccountId account) {
  const auto due = rig.Ask([&](const ReadView& v) { return QueryWarning(v, account); });
  return due.has_value() ? due->percent : 0;
}

base::Result<std::string> Warn(IndexRig& rig, AccountId account, std::uint8_t percent) {
  return rig.Propose(EntryType::kQuotaWarning,
                     QuotaWarningEntry{.account = IndexRig::Number(account), .percent = percent, .prefix = "P"}, 200);
}

TEST(QuotaApply, DecidesForEachTargetAndKnowsRepetitionsFirst) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  const AccountId bob = rig.AddAccount("bob@x");
  DeliverEntry both = DeliveryTo(alice, 1, Rule(100));
  both.targets.push_back({.account = IndexRig::Number(bob), .delivery_id = mail::DeliveryId::Queued(1, 1, 1)});
  EXPECT_EQ(rig.Propose(EntryType::kDeliver, DeliveryTo(alice, 2, Rule(100)), 70), std::string());
  EXPECT_THAT(*DecodeRefused(*rig.Propose(EntryType::kDeliver, both, 40)), ElementsAre(0));
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").messages, 1u);
  EXPECT_EQ(rig.MailboxOf(bob, "INBOX").messages, 1u);
  EXPECT_EQ(rig.Propose(EntryType::kDeliver, DeliveryTo(alice, 2, Rule(100)), 70), std::string())
      << "she has it already";
  // There is room again, and what was refused can come.
  ASSERT_TRUE(rig.Propose(EntryType::kExpunge,
                          ExpungeEntry{.mailbox = IndexRig::Number(alice), .only_deleted = false, .uids = {1}})
                  .has_value());
  EXPECT_EQ(rig.Propose(EntryType::kDeliver, both, 40), std::string());
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").messages, 1u);
  EXPECT_EQ(rig.MailboxOf(bob, "INBOX").messages, 1u);
}

TEST(QuotaApply, WarnsOncePerPercentageOnTheWayUp) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  std::uint64_t id = 0;
  const auto deliver = [&](std::uint64_t bytes) {
    ASSERT_EQ(rig.Propose(EntryType::kDeliver, DeliveryTo(alice, ++id, Rule(1000)), bytes), std::string());
  };
  const auto expunge = [&](std::vector<std::uint32_t> uids) {
    const ExpungeEntry entry{.mailbox = IndexRig::Number(alice), .only_deleted = false, .uids = std::move(uids)};
    ASSERT_TRUE(rig.Propose(EntryType::kExpunge, entry).has_value());
  };
  deliver(700);
  EXPECT_EQ(DuePercent(rig, alice), 0);
  deliver(100);  // 80 %
  EXPECT_EQ(DuePercent(rig, alice), 80);
  // Without the mail that a warning brings, which counts.
  ASSERT_TRUE(rig.Propose(EntryType::kQuotaWarning,
                          QuotaWarningEntry{.account = IndexRig::Number(alice), .percent = 80, .prefix = ""})
                  .has_value());
  EXPECT_EQ(DuePercent(rig, alice), 0);
  deliver(10);
  EXPECT_EQ(DuePercent(rig, alice), 0) << "she knows";
  deliver(185);  // 99.5 %: full.
  EXPECT_EQ(DuePercent(rig, alice), 100);
  ASSERT_TRUE(rig.Propose(EntryType::kQuotaWarning,
                          QuotaWarningEntry{.account = IndexRig::Number(alice), .percent = 100, .prefix = ""})
                  .has_value());
  expunge({1});
  deliver(1);
  EXPECT_EQ(DuePercent(rig, alice), 0);
  deliver(600);
  EXPECT_EQ(DuePercent(rig, alice), 80) << "it was below";
}

TEST(QuotaApply, BringsAWarningOnceAndWhateverTheQuotaSays) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryTo(alice, 1, Rule(100)), 100).has_value());
  ASSERT_EQ(DuePercent(rig, alice), 100);
  ASSERT_TRUE(Warn(rig, alice, 80).has_value());  // Of an older one.
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").messages, 1u);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Warn(rig, alice, 100).has_value());
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").messages, 2u);
  EXPECT_EQ(rig.MailboxOf(alice, "INBOX").bytes, 301u);
  EXPECT_EQ(DuePercent(rig, alice), 0) << "a warning never warns";
  EXPECT_EQ(rig.released.size(), 3u);
}

TEST(QuotaApply, ForgetsTheQuotaOfAnAccountThatIsRemoved) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  ASSERT_TRUE(rig.Propose(EntryType::kDeliver, DeliveryTo(alice, 1, Rule(100)), 100).has_value());
  ASSERT_TRUE(rig.Propose(EntryType::kRemoveAccount, RemoveAccountEntry{.address = "alice@x"}).has_value());
  EXPECT_EQ(DuePercent(rig, alice), 0);
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return v.Get(QuotaKey(IndexRig::kPartition, IndexRig::Number(alice))); })
                .error()
                .code(),
            Errc::kNotFound);
  const AccountId again = rig.AddAccount("alice@x");
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return QueryAccountById(v, again); })->usage, Usage());
}

TEST(QuotaApply, CountsDeletedMailboxesAsGoneAtOnce) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  ASSERT_TRUE(rig.CreateMailbox(alice, "A").has_value());
  const auto box = IndexRig::Number(rig.MailboxOf(alice, "A").id);
  ASSERT_TRUE(
      rig.Propose(EntryType::kAppend, AppendEntry{.mailbox = box, .date_us = 1, .quota = Rule(100)}, 90).has_value());
  EXPECT_EQ(
      rig.Propose(EntryType::kAppend, AppendEntry{.mailbox = box, .date_us = 1, .quota = Rule(100)}, 90).error().code(),
      Errc::kDenied);
  EXPECT_EQ(
      rig.Propose(EntryType::kCopy, CopyEntry{.from = box, .to = box, .uids = {1}, .quota = Rule(100)}).error().code(),
      Errc::kDenied);
  EXPECT_TRUE(
      rig.Propose(EntryType::kCopy, CopyEntry{.from = box, .to = box, .move = true, .uids = {1}, .quota = Rule(100)})
          .has_value());
  ASSERT_TRUE(
      rig.Propose(EntryType::kDeleteMailbox, DeleteMailboxEntry{.account = IndexRig::Number(alice), .name = "A"})
          .has_value());
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return QueryAccountById(v, alice); })->usage, Usage());
  ASSERT_TRUE(rig.Propose(EntryType::kPurge, PurgeEntry{.mailbox = box}).has_value());
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return QueryAccountById(v, alice); })->usage, Usage());
}

// ---- An index without quotas ----

TEST(QuotaUpgrade, CountsWhatAnOlderProgramHasLeft) {
  const TestFolder folder;
  const std::string path = folder / "index";
  const replog::PartitionId partition{7};
  const auto put = [](rocksdb::DB& db, const RowKey& key, const auto& row) {
    std::string text;
    row.EncodeTo(text);
    ASSERT_TRUE(db.Put(UnloggedWrites(), key.text(), text).ok());
  };
  {
    auto index = Index::Open(path, 8u << 20);
    ASSERT_TRUE(index.has_value());
    rocksdb::DB& db = (*index)->db();
    put(db, RowKey(partition, RowKind::kPartition), PartitionRow{.index = 5});
    for (const std::uint32_t box : {1u, 2u, 4u}) {
      put(db, RowKey(partition, RowKind::kMailbox).U32(box),
          MailboxRow{.account = box == 4 ? 4u : 1u, .messages = box, .bytes = box * 100ull, .name = "x"});
      put(db, RowKey(partition, RowKind::kName).U32(box == 4 ? 4 : 1).Text(std::to_string(box)),
          NameRow{.mailbox = box});
    }
    put(db, RowKey(partition, RowKind::kName).U32(4).Text("only subscribed"), NameRow{.subscribed = true});
    ASSERT_TRUE(db.Put(UnloggedWrites(), IndexVersionKey().text(), "1").ok());
  }
  for (int open = 0; open < 2; ++open) {
    auto index = Index::Open(path, 8u << 20);
    ASSERT_TRUE(index.has_value());
    const ReadView view(&(*index)->db());
    EXPECT_EQ(view.GetRow<QuotaRow>(QuotaKey(partition, 1))->usage, (Usage{.bytes = 300, .mails = 3}));
    EXPECT_EQ(view.GetRow<QuotaRow>(QuotaKey(partition, 4))->usage, (Usage{.bytes = 400, .mails = 4}));
    EXPECT_EQ(*view.Get(IndexVersionKey()), std::to_string(Index::kFormatVersion));
  }
}

TEST(QuotaUpgrade, CountsASnapshotThatAnOlderProgramWrote) {
  IndexRig rig;
  const AccountId alice = rig.AddAccount("alice@x");
  rig.DeliverTo(alice, 100);
  ASSERT_TRUE(rig.Propose(EntryType::kSetQuota, SetQuotaEntry{.address = "alice@x", .own = {.bytes = 5, .mails = {}}})
                  .has_value());
  const Usage usage = rig.Ask([&](const ReadView& v) { return QueryAccountById(v, alice); })->usage;
  for (const bool has_rows : {true, false}) {
    SnapshotLoader loader;
    IndexRig other;
    loader.Begin(other.changes(), IndexRig::kPartition);
    for (const std::string& piece : rig.Pieces()) {
      std::string older(1, piece.front());
      base::Decoder in(std::string_view(piece).substr(1));
      base::Encoder out(older);
      while (in.remaining() > 0) {
        const std::string_view key = in.Text();
        const std::string_view value = in.Text();
        if (!has_rows && key.size() == 6 && key.ends_with('Q')) continue;
        out.Text(key);
        out.Text(value);
      }
      ASSERT_TRUE(loader.Load(other.changes(), older).has_value());
    }
    ASSERT_TRUE(loader.End(other.changes()).has_value());
    const auto found = other.Ask([&](const ReadView& v) { return QueryAccountById(v, alice); });
    EXPECT_EQ(found->usage, usage);
    EXPECT_EQ(found->own_quota.bytes.has_value(), has_rows);
  }
}

// ---- Through the store ----

constexpr const char* kAlice = "alice@example.test";

std::vector<std::size_t> DeliverTo(TestNode& node, const std::vector<std::string>& addresses, std::size_t bytes) {
  Delivery delivery;
  delivery.internal_date = node.clock().WallNow();
  for (const std::string& address : addresses) {
    delivery.targets.push_back({.address = address, .delivery_id = node.RandomDeliveryId(), .prefix = {}});
  }
  delivery.body = node.MakeBody(std::string(bytes, 'x'));
  return node.Do(node.store().Deliver(std::move(delivery)));
}

Usage UsageOf(TestNode& node, const std::string& address) {
  return node.Do(node.store().FindAccount(address)).usage;
}

std::size_t Warnings(TestNode& node, const Account& account) {
  return static_cast<std::size_t>(std::ranges::count_if(MailsOfInbox(node, account.id), [](const std::string& mail) {
    return mail.contains("\r\nAuto-Submitted: auto-generated\r\n");
  }));
}

TEST(QuotaStore, RefusesATargetWithoutRoomAndDeliversToTheOthers) {
  TestNode node({.mailbox_partitions = 1});
  node.store().SetQuotaRule({.limits = {.bytes = 1000, .mails = 0}});
  node.AddAccount(kAlice);
  node.AddAccount("bob@example.test");
  EXPECT_THAT(DeliverTo(node, {kAlice}, 600), IsEmpty());
  EXPECT_TRUE(node.store().HasRoom(kAlice, 400));
  EXPECT_FALSE(node.store().HasRoom(kAlice, 401));
  EXPECT_TRUE(node.store().SurelyHasRoom(kAlice, 400));
  EXPECT_FALSE(node.store().SurelyHasRoom(kAlice, 401));
  EXPECT_THAT(DeliverTo(node, {"bob@example.test", kAlice, kAlice}, 600), ElementsAre(1, 2));
  EXPECT_EQ(UsageOf(node, kAlice), (Usage{.bytes = 600, .mails = 1}));
  EXPECT_EQ(UsageOf(node, "bob@example.test"), (Usage{.bytes = 600, .mails = 1}));
  node.Do(node.store().SetQuota(kAlice, {.bytes = 0, .mails = {}}));
  EXPECT_THAT(DeliverTo(node, {kAlice}, 6000), IsEmpty());
  node.Restart();
  EXPECT_EQ(UsageOf(node, kAlice), (Usage{.bytes = 6600, .mails = 2}));
  EXPECT_EQ(node.Do(node.store().FindAccount(kAlice)).own_quota, (OwnQuota{.bytes = 0, .mails = {}}));
}

TEST(QuotaStore, ManyDeliveriesAtOnceNeverPassTheLimit) {
  TestNode node({.mailbox_partitions = 1});
  node.store().SetQuotaRule({.limits = {.bytes = 0, .mails = 25}});
  const Account alice = node.AddAccount(kAlice);
  std::size_t refused = 0;
  const auto deliver = [](TestNode* on, replog::Body body, std::size_t* count) -> async::Task<void> {
    Delivery delivery;
    delivery.targets.push_back({.address = kAlice, .delivery_id = on->RandomDeliveryId(), .prefix = {}});
    delivery.body = std::move(body);
    const auto delivered = co_await on->store().Deliver(std::move(delivery));
    CHECK(delivered.has_value());
    *count += delivered->size();
  };
  async::TaskGroup group(node.executor(), "deliveries");
  for (int i = 0; i < 60; ++i) group.Spawn(deliver(&node, node.MakeBody("mail"), &refused));
  node.Run(group.Join());
  EXPECT_EQ(refused, 35u);
  EXPECT_EQ(UsageOf(node, kAlice).mails, 25u);
  EXPECT_EQ(node.store().full_accounts(), 1u);
  // Nothing stays set aside.
  node.Do(node.store().Expunge(IndexRig::InboxOf(alice.id), {1, 2, 3}, false));
  EXPECT_TRUE(node.store().SurelyHasRoom(kAlice, 1));
  for (int i = 0; i < 3; ++i) EXPECT_THAT(DeliverTo(node, {kAlice}, 1), IsEmpty());
  EXPECT_THAT(DeliverTo(node, {kAlice}, 1), ElementsAre(0));
}

TEST(QuotaStore, WarnsByMailExactlyOnceAcrossCrashes) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    TestNode node({.seed = seed,
                   .mailbox_partitions = 1,
                   .store = {.index_memory_bytes = 8u << 20,
                             .special_mailboxes = false,
                             .quota = {.limits = {.bytes = 10'000, .mails = 0}, .warn_at = {80}}}});
    const Account alice = node.AddAccount(kAlice);
    EXPECT_THAT(DeliverTo(node, {kAlice}, 8500), IsEmpty());
    // The warning is at any point of its way when the power goes.
    base::Random random(seed);
    for (std::uint64_t i = random.Below(20); i > 0; --i) node.context().poll_one();
    node.Crash(seed, seed % 2 == 0 ? TestIndex::kDeleted : TestIndex::kKept);
    for (int i = 0; i < 200 && Warnings(node, alice) == 0; ++i) UsageOf(node, kAlice);
    EXPECT_EQ(Warnings(node, alice), 1u);
    node.Restart();
    EXPECT_THAT(DeliverTo(node, {kAlice}, 10), IsEmpty());
    for (int i = 0; i < 20; ++i) UsageOf(node, kAlice);
    EXPECT_EQ(Warnings(node, alice), 1u);
    const std::string mail = MailsOfInbox(node, alice.id)[1];
    EXPECT_THAT(mail, ::testing::StartsWith("Return-Path: <>\r\nDelivered-To: alice@example.test\r\n"));
    EXPECT_THAT(mail, HasSubstr("Subject: Your mailbox is 8"));
    EXPECT_THAT(mail, HasSubstr("\r\n  8.3 KB of 9.8 KB\r\n"));
  }
}

}  // namespace
}  // namespace store
