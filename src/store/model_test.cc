// Random operations on the index against a simple model in memory, with crashes and deletions of the index in between.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "store/apply_testing.h"
#include "store/flags.h"
#include "store/mail_store.h"
#include "store/quota_rows.h"
#include "store/results.h"
#include "store/testing.h"

namespace store {
namespace {

struct ModelMessage {
  std::uint64_t modseq = 0;
  std::uint8_t system = 0;
  std::set<std::string> keywords;
  std::uint64_t body = 0;
  std::uint64_t size = 0;
  std::string uidl = {};
  bool is_touched = false;  // Its flags were changed, not by an import.
};

struct ModelMailbox {
  std::uint32_t uid_next = 1;
  std::uint64_t modseq = 1;
  std::map<std::uint32_t, ModelMessage> messages;
  std::map<std::uint32_t, std::uint64_t> expunged;  // UID -> MODSEQ.
  std::map<std::uint64_t, std::uint32_t> origins;   // Number of the origin -> UID.
};

using Uids = std::vector<std::uint32_t>;

// Runs one operation on the rig and on the model at a time.
class ModelRun {
 public:
  explicit ModelRun(std::uint64_t seed) : random_(seed) {
    for (const char* address : {"alice@x", "bob@x"}) {
      const AccountId account = rig_.AddAccount(address);
      accounts_.push_back(account);
      mailboxes_[IndexRig::InboxOf(account)];
      for (const char* name : {"A", "B"}) {
        CHECK(rig_.CreateMailbox(account, name).has_value());
        mailboxes_[rig_.MailboxOf(account, name).id];
      }
    }
  }

  void Step() {
    switch (random_.Below(17)) {
      case 0:
      case 1:
      case 2:
        Deliver();
        break;
      case 3:
        Append();
        break;
      case 4:
      case 5:
      case 6:
        Store();
        break;
      case 7:
      case 8:
        Copy(false);
        break;
      case 9:
        Copy(true);
        break;
      case 10:
        Expunge(random_.OneIn(2));
        break;
      case 11:
        Import();
        break;
      case 12:
        SetUids();
        break;
      case 13:
        ImportFlags();
        break;
      case 14:
        StoreIf();
        break;
      case 15:
        SetQuota();
        break;
      default:
        Disturb();
        break;
    }
  }

  void Check() {
    for (const auto& [id, model] : mailboxes_) CheckMailbox(id, model);
    for (const AccountId account : accounts_) CheckUsage(account);
    // Released is what no message refers to, each body once.
    rig_.Flush();
    std::set<std::uint64_t> live;
    for (const auto& [id, model] : mailboxes_) {
      for (const auto& [uid, message] : model.messages) live.insert(message.body);
    }
    const std::set<std::uint64_t> released(rig_.released.begin(), rig_.released.end());
    EXPECT_EQ(released.size(), rig_.released.size()) << "a body was released twice";
    for (const std::uint64_t body : bodies_) EXPECT_NE(live.contains(body), released.contains(body)) << "body " << body;
  }

 private:
  void Deliver() {
    DeliverEntry entry;
    entry.ids_kept_hours = 48;
    entry.quota = SomeQuota();
    std::vector<std::uint32_t> refused;
    const std::uint64_t body = rig_.last_index() + 1;
    for (std::uint32_t i = 0, count = 1 + static_cast<std::uint32_t>(random_.Below(3)); i < count; ++i) {
      const AccountId account = accounts_[random_.Below(accounts_.size())];
      // One in four repeats an id.
      const std::uint64_t id = random_.OneIn(4) ? random_.Below(ids_) : ids_++;
      entry.targets.push_back(
          {.account = IndexRig::Number(account), .delivery_id = mail::DeliveryId::Queued(1, id, 0), .prefix = "xy"});
      if (seen_.contains(id)) continue;
      if (!Takes(account, entry.quota, {.bytes = 52, .mails = 1})) {
        refused.push_back(i);
        continue;
      }
      seen_.insert(id);
      Add(IndexRig::InboxOf(account), {.body = body, .size = 52});
    }
    const auto delivered = rig_.Propose(EntryType::kDeliver, entry, 50);
    ASSERT_TRUE(delivered.has_value());
    EXPECT_EQ(DecodeRefused(*delivered), refused);
    bodies_.push_back(body);
  }

  void Append() {
    const MailboxId id = Any();
    const AppendEntry entry{.mailbox = IndexRig::Number(id),
                            .flags = {.system = Flags::kSeen, .keywords = {"K1"}},
                            .date_us = 3,
                            .quota = SomeQuota()};
    const bool takes = Takes(OwnerOf(id), entry.quota, {.bytes = 70, .mails = 1});
    ASSERT_EQ(rig_.Propose(EntryType::kAppend, entry, 70).has_value(), takes);
    bodies_.push_back(rig_.last_index());
    if (takes) Add(id, {.system = Flags::kSeen, .keywords = {"K1"}, .body = rig_.last_index(), .size = 70});
  }

  // Without one, one that is not enforced, and one that is.
  std::optional<EntryQuota> SomeQuota() {
    if (random_.OneIn(4)) return std::nullopt;
    return EntryQuota{.is_enforced = random_.OneIn(2),
                      .rule = {.limits = {.bytes = random_.OneIn(3) ? 0 : 1000 + random_.Below(1000),
                                          .mails = random_.OneIn(3) ? 0 : 10 + random_.Below(10)},
                               .warn_at = {50, 80}}};
  }

  void SetQuota() {
    const std::size_t which = random_.Below(accounts_.size());
    OwnQuota own;
    if (random_.OneIn(2)) own.bytes = random_.OneIn(2) ? 0 : 500 + random_.Below(3000);
    if (random_.OneIn(2)) own.mails = random_.OneIn(2) ? 0 : 5 + random_.Below(30);
    const char* const address = which == 0 ? "alice@x" : "bob@x";
    ASSERT_TRUE(rig_.Propose(EntryType::kSetQuota, SetQuotaEntry{.address = address, .own = own}).has_value());
    own_[accounts_[which]] = own;
  }

  AccountId OwnerOf(MailboxId id) const { return id.value() < accounts_[1].value() ? accounts_[0] : accounts_[1]; }
  Usage UsageOf(AccountId account) const {
    Usage usage;
    for (const auto& [id, model] : mailboxes_) {
      if (OwnerOf(id) != account) continue;
      for (const auto& [uid, message] : model.messages) usage += {.bytes = message.size, .mails = 1};
    }
    return usage;
  }
  bool Takes(AccountId account, const std::optional<EntryQuota>& quota, const Usage& more) {
    if (!quota.has_value() || !quota->is_enforced) return true;
    const Usage all = UsageOf(account) + more;
    const QuotaLimits limits = LimitsOf(own_[account], quota->rule.limits);
    return (limits.bytes == 0 || all.bytes <= limits.bytes) && (limits.mails == 0 || all.mails <= limits.mails);
  }

  // What the row says, what the mailboxes' rows say and what the model has are the same.
  void CheckUsage(AccountId account) {
    const Usage usage = UsageOf(account);
    const auto found = rig_.Ask([&](const ReadView& v) { return QueryAccountById(v, account); });
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->usage, usage);
    EXPECT_EQ(found->own_quota, own_[account]);
    ASSERT_TRUE(CountUsage(rig_.index().db(), IndexRig::kPartition, [&](std::uint32_t number, const Usage& counted) {
                  if (number == IndexRig::Number(account)) EXPECT_EQ(counted, usage);
                }).has_value());
  }

  // Some with a UID of their own, which may be used already, some that were imported before.
  void Import() {
    const MailboxId id = Any();
    ModelMailbox& model = mailboxes_[id];
    const std::uint32_t uid =
        random_.OneIn(3) ? 0
                         : model.uid_next + static_cast<std::uint32_t>(random_.Below(5)) - (random_.OneIn(4) ? 1 : 0);
    const std::uint64_t number = random_.OneIn(4) ? random_.Below(origins_) : origins_++;
    const std::string origin = OriginOf(number);
    const auto imported = rig_.Propose(EntryType::kImport,
                                       ImportEntry{.mailbox = IndexRig::Number(id),
                                                   .uid = uid,
                                                   .flags = {.system = Flags::kAnswered, .keywords = {"K2"}},
                                                   .date_us = 4,
                                                   .origin = origin,
                                                   .uidl = "u"},
                                       90);
    bodies_.push_back(rig_.last_index());
    const auto known = model.origins.find(number);
    if (known != model.origins.end()) {
      ASSERT_TRUE(imported.has_value());
      EXPECT_TRUE(DecodeImported(*imported)->was_there);
      EXPECT_EQ(DecodeImported(*imported)->uid, known->second);
      return;
    }
    ASSERT_EQ(imported.has_value(), uid == 0 || uid >= model.uid_next) << uid << " of " << model.uid_next;
    if (!imported.has_value()) return;
    if (uid != 0) model.uid_next = uid;
    model.origins[number] = model.uid_next;
    EXPECT_EQ(DecodeImported(*imported)->uid, model.uid_next);
    Add(id, {.system = Flags::kAnswered, .keywords = {"K2"}, .body = rig_.last_index(), .size = 90, .uidl = "u"});
  }

  static std::string OriginOf(std::uint64_t number) {
    std::string origin(kOriginBytes, '\0');
    origin.replace(0, 8, std::to_string(10'000'000 + number));
    return origin;
  }

  void ImportFlags() {
    const MailboxId id = Any();
    ModelMailbox& model = mailboxes_[id];
    const auto system = static_cast<std::uint8_t>(random_.Below(32));
    const std::string keyword = "K" + std::to_string(random_.Below(4));
    std::vector<std::string> origins;
    FlagsImported expected;
    for (std::uint64_t number = 0; number <= origins_; ++number) {
      if (!random_.OneIn(3)) continue;
      origins.push_back(OriginOf(number));
      const auto known = model.origins.find(number);
      const auto found = known != model.origins.end() ? model.messages.find(known->second) : model.messages.end();
      if (found == model.messages.end()) continue;
      ModelMessage& message = found->second;
      if (message.system == system && message.keywords == std::set{keyword}) continue;
      (message.is_touched ? expected.kept : expected.changed) += 1;
      if (message.is_touched) continue;
      if (expected.changed == 1) model.modseq += 1;
      message.modseq = model.modseq;
      message.system = system;
      message.keywords = {keyword};
    }
    ImportFlagsEntry entry{.mailbox = IndexRig::Number(id), .messages = {}};
    for (const std::string& origin : origins) {
      entry.messages.push_back({.origin = origin, .flags = {.system = system, .keywords = {keyword}}});
    }
    const auto done = rig_.Propose(EntryType::kImportFlags, entry);
    ASSERT_TRUE(done.has_value());
    EXPECT_EQ(DecodeFlagsImported(*done)->changed, expected.changed);
    EXPECT_EQ(DecodeFlagsImported(*done)->kept, expected.kept);
  }

  void SetUids() {
    const MailboxId id = Any();
    ModelMailbox& model = mailboxes_[id];
    const std::uint32_t uid_next = static_cast<std::uint32_t>(random_.Below(model.uid_next + 4));
    ASSERT_TRUE(rig_.Propose(EntryType::kSetUids, SetUidsEntry{.mailbox = IndexRig::Number(id), .uid_next = uid_next})
                    .has_value());
    model.uid_next = std::max(model.uid_next, uid_next);
  }

  void Store() {
    const MailboxId id = Any();
    ModelMailbox& model = mailboxes_[id];
    const auto change = static_cast<FlagsChange>(random_.Below(3));
    const auto system = static_cast<std::uint8_t>(random_.Below(32));
    const std::string keyword = "K" + std::to_string(random_.Below(4));
    const Uids uids = SomeUids(model);
    ASSERT_TRUE(rig_.Propose(EntryType::kStoreFlags, StoreFlagsEntry{.mailbox = IndexRig::Number(id),
                                                                     .change = static_cast<std::uint8_t>(change),
                                                                     .flags = {.system = system, .keywords = {keyword}},
                                                                     .uids = uids})
                    .has_value());
    bool changed = false;
    for (const std::uint32_t uid : uids) {
      const auto found = model.messages.find(uid);
      if (found == model.messages.end()) continue;
      ModelMessage next = found->second;
      if (change == FlagsChange::kReplace) {
        next.system = system;
        next.keywords = {keyword};
      }
      if (change == FlagsChange::kAdd) {
        next.system |= system;
        next.keywords.insert(keyword);
      }
      if (change == FlagsChange::kRemove) {
        next.system &= static_cast<std::uint8_t>(~system);
        next.keywords.erase(keyword);
      }
      if (next.system == found->second.system && next.keywords == found->second.keywords) continue;
      if (!changed) model.modseq += 1;
      changed = true;
      next.modseq = model.modseq;
      next.is_touched = true;
      found->second = next;
    }
  }

  // Half of the time with a MODSEQ that some messages have passed.
  void StoreIf() {
    const MailboxId id = Any();
    ModelMailbox& model = mailboxes_[id];
    const std::uint64_t since = random_.Below(model.modseq + 2);
    const Uids uids = SomeUids(model);
    const StoreFlagsIfEntry entry{.change = {.mailbox = IndexRig::Number(id),
                                             .change = static_cast<std::uint8_t>(FlagsChange::kAdd),
                                             .flags = {.system = Flags::kFlagged, .keywords = {}},
                                             .uids = uids},
                                  .unchanged_since = since};
    const auto done = rig_.Propose(EntryType::kStoreFlagsIf, entry);
    ASSERT_TRUE(done.has_value());
    Uids modified;
    bool changed = false;
    for (const std::uint32_t uid : uids) {
      const auto found = model.messages.find(uid);
      if (found == model.messages.end()) continue;
      ModelMessage& message = found->second;
      if (message.modseq > since) modified.push_back(uid);
      if (message.modseq > since || (message.system & Flags::kFlagged) != 0) continue;
      if (!changed) model.modseq += 1;
      changed = true;
      message.system |= Flags::kFlagged;
      message.modseq = model.modseq;
      message.is_touched = true;
    }
    EXPECT_EQ(DecodeFlagsStored(*done)->modified, modified);
  }

  void Copy(bool move) {
    const AccountId account = accounts_[random_.Below(accounts_.size())];
    const MailboxId from = MailboxId(account.value() + random_.Below(3));
    MailboxId to = MailboxId(account.value() + random_.Below(3));
    const Uids uids = SomeUids(mailboxes_[from]);
    const std::optional<EntryQuota> quota = SomeQuota();
    Uids gone;
    std::vector<ModelMessage> copies;
    for (const std::uint32_t uid : uids) {
      const auto found = mailboxes_[from].messages.find(uid);
      if (found == mailboxes_[from].messages.end()) continue;
      gone.push_back(uid);
      copies.push_back(found->second);
      copies.back().uidl.clear();
    }
    Usage more;
    for (const ModelMessage& copy : copies) more += {.bytes = copy.size, .mails = 1};
    const bool takes = move || Takes(account, quota, more);
    const auto copied = rig_.Propose(
        EntryType::kCopy,
        CopyEntry{
            .from = IndexRig::Number(from), .to = IndexRig::Number(to), .move = move, .uids = uids, .quota = quota});
    ASSERT_EQ(copied.has_value(), takes);
    if (!takes) return;
    for (const ModelMessage& copy : copies) Add(to, copy);
    if (move) Remove(from, gone);
  }

  void Expunge(bool only_deleted) {
    const MailboxId id = Any();
    ModelMailbox& model = mailboxes_[id];
    const Uids uids = SomeUids(model);
    ASSERT_TRUE(rig_.Propose(EntryType::kExpunge,
                             ExpungeEntry{.mailbox = IndexRig::Number(id), .only_deleted = only_deleted, .uids = uids})
                    .has_value());
    Uids gone;
    for (const std::uint32_t uid : uids) {
      const auto found = model.messages.find(uid);
      if (found == model.messages.end()) continue;
      if (!only_deleted || (found->second.system & Flags::kDeleted) != 0) gone.push_back(uid);
    }
    Remove(id, gone);
  }

  // The index falls behind, or goes, and comes back from the log; or it is written to files.
  void Disturb() {
    rig_.Flush();
    if (random_.OneIn(2)) {
      rig_.FlushToDisk();
      return;
    }
    // What is released again at a replay was released before: the model counts once.
    std::vector<std::uint64_t> released = rig_.released;
    if (random_.OneIn(3)) {
      rig_.DeleteIndex();
    } else {
      rig_.Crash();
    }
    rig_.ReplayAll();
    rig_.released = std::move(released);
  }

  MailboxId Any() {
    return std::next(mailboxes_.begin(), static_cast<std::ptrdiff_t>(random_.Below(mailboxes_.size())))->first;
  }

  Uids SomeUids(const ModelMailbox& model) {
    Uids uids;
    for (std::uint32_t uid = 1; uid <= model.uid_next; ++uid) {
      if (random_.OneIn(3)) uids.push_back(uid);
    }
    return uids;
  }

  void Add(MailboxId id, ModelMessage message) {
    ModelMailbox& model = mailboxes_[id];
    message.modseq = ++model.modseq;
    model.messages[model.uid_next++] = std::move(message);
  }

  void Remove(MailboxId id, const Uids& gone) {
    if (gone.empty()) return;
    ModelMailbox& model = mailboxes_[id];
    model.modseq += 1;
    for (const std::uint32_t uid : gone) {
      model.messages.erase(uid);
      model.expunged[uid] = model.modseq;
    }
  }

  void CheckMailbox(MailboxId id, const ModelMailbox& model) {
    const auto state = rig_.Ask([&](const ReadView& v) { return QueryMailbox(v, id); });
    ASSERT_TRUE(state.has_value());
    EXPECT_EQ(state->uid_next, model.uid_next);
    EXPECT_EQ(state->highest_modseq, model.modseq);
    EXPECT_EQ(state->messages, model.messages.size());
    const auto messages = rig_.Ask([&](const ReadView& v) { return QueryMessages(v, id, 1, UINT32_MAX, 10'000); });
    ASSERT_EQ(messages->size(), model.messages.size());
    std::uint32_t unseen = 0;
    auto expected = model.messages.begin();
    for (const Message& message : *messages) {
      const auto& [uid, wanted] = *expected++;
      EXPECT_EQ(message.uid, uid);
      EXPECT_EQ(message.modseq, wanted.modseq);
      EXPECT_EQ(message.flags.system, wanted.system);
      EXPECT_EQ(std::set<std::string>(message.flags.keywords.begin(), message.flags.keywords.end()), wanted.keywords);
      EXPECT_EQ(message.body.id.value(), wanted.body);
      EXPECT_EQ(message.size_bytes, wanted.size);
      EXPECT_EQ(message.uidl, wanted.uidl);
      unseen += (wanted.system & Flags::kSeen) == 0 ? 1 : 0;
    }
    EXPECT_EQ(state->unseen, unseen);
    CheckChanges(id, model, random_.Below(model.modseq + 2));
  }

  void CheckChanges(MailboxId id, const ModelMailbox& model, std::uint64_t since) {
    const auto changes = rig_.Ask([&](const ReadView& v) { return QueryChanges(v, id, since); });
    Uids changed;
    for (const Message& message : changes->changed) changed.push_back(message.uid);
    Uids wanted_changed;
    for (const auto& [uid, message] : model.messages) {
      if (message.modseq > since) wanted_changed.push_back(uid);
    }
    Uids wanted_expunged;
    for (const auto& [uid, modseq] : model.expunged) {
      if (modseq > since) wanted_expunged.push_back(uid);
    }
    EXPECT_EQ(changed, wanted_changed) << "since " << since;
    EXPECT_EQ(changes->expunged, wanted_expunged) << "since " << since;
    EXPECT_EQ(*rig_.Ask([&](const ReadView& v) { return QueryChangedUids(v, id, since); }), wanted_changed);
  }

  base::Random random_;
  IndexRig rig_;
  std::vector<AccountId> accounts_;
  std::map<AccountId, OwnQuota> own_;
  std::map<MailboxId, ModelMailbox> mailboxes_;
  std::vector<std::uint64_t> bodies_;
  std::uint64_t ids_ = 1;
  std::uint64_t origins_ = 1;
  std::set<std::uint64_t> seen_;
};

TEST(StoreModel, RandomOperationsAgreeWithTheModel) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ModelRun run(seed);
    for (int step = 0; step < 250 && !testing::Test::HasFailure(); ++step) {
      run.Step();
      if (step % 10 == 9) run.Check();
    }
    run.Check();
    if (testing::Test::HasFailure()) return;
  }
}

// ---- Snapshots of the index ----

std::uint32_t DigestOf(IndexRig& rig) {
  StateDigest digest;
  for (const std::string& piece : rig.Pieces()) digest.Add(piece);
  return digest.value();
}

void FillForSnapshot(IndexRig& rig) {
  const AccountId alice = rig.AddAccount("alice@x");
  ASSERT_TRUE(rig.CreateMailbox(alice, "A").has_value());
  for (int i = 0; i < 6000; ++i) rig.DeliverTo(alice, 4000);
  ASSERT_TRUE(rig.Propose(EntryType::kStoreFlags, StoreFlagsEntry{.mailbox = IndexRig::Number(alice),
                                                                  .change = 1,
                                                                  .flags = {.system = Flags::kSeen, .keywords = {"k"}},
                                                                  .uids = {1, 2, 500}})
                  .has_value());
  ASSERT_TRUE(rig.Propose(EntryType::kExpunge,
                          ExpungeEntry{.mailbox = IndexRig::Number(alice), .only_deleted = false, .uids = {7, 8, 900}})
                  .has_value());
}

TEST(StoreSnapshot, ComesBackAsItWasInPiecesOfBoundedSize) {
  IndexRig rig;
  FillForSnapshot(rig);
  const std::vector<std::string> pieces = rig.Pieces();
  ASSERT_GT(pieces.size(), 1u);
  for (const std::string& piece : pieces) EXPECT_LE(piece.size(), kSnapshotPieceBytes);
  const std::uint32_t digest = DigestOf(rig);

  IndexRig other;
  const AccountId stale = other.AddAccount("stale@x");  // Goes when the snapshot is loaded.
  other.DeliverTo(stale);
  other.Flush();
  SnapshotLoader loader;
  loader.Begin(other.changes(), IndexRig::kPartition);
  for (const std::string& piece : pieces) ASSERT_TRUE(loader.Load(other.changes(), piece).has_value());
  EXPECT_EQ(other.changes().Partition(IndexRig::kPartition).index, 0u) << "nothing counts before the end";
  other.changes().ForgetPartition(IndexRig::kPartition);
  ASSERT_TRUE(loader.End(other.changes()).has_value());
  EXPECT_EQ(DigestOf(other), digest);
  EXPECT_EQ(other.changes().Partition(IndexRig::kPartition).index, rig.last_index());
}

TEST(StoreSnapshot, RefusesWhatIsNoSnapshot) {
  IndexRig rig;
  FillForSnapshot(rig);
  const std::string good = rig.Pieces().front();
  SnapshotLoader loader;
  loader.Begin(rig.changes(), IndexRig::kPartition);
  EXPECT_EQ(loader.Load(rig.changes(), "\x02").error().code(), base::Errc::kUnsupported);
  for (const std::size_t size : {std::size_t{2}, good.size() / 2, good.size() - 1}) {
    EXPECT_EQ(loader.Load(rig.changes(), good.substr(0, size)).error().code(), base::Errc::kCorrupt) << size;
  }
}

}  // namespace
}  // namespace store
