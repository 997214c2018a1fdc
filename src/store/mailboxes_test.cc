// What CREATE, DELETE, RENAME and SUBSCRIBE do to an account's names: scripts and the tree that they leave.
#include <gtest/gtest.h>

#include "store/apply_testing.h"
#include "store/names.h"

namespace store {
namespace {

using base::Errc;
constexpr Errc kOk = Errc::kClosed;  // No call gives this one.

struct Step {
  const char* verb;
  const char* name;
  Errc expected = kOk;
  const char* to = "";
};

struct Script {
  const char* label;
  std::vector<Step> steps;
  const char* tree;  // Name, then - for no mailbox, then s for subscribed.
};

Errc RunStep(IndexRig& rig, AccountId account, const Step& step) {
  const std::uint32_t number = IndexRig::Number(account);
  const std::string_view verb = step.verb;
  base::Result<std::string> result;
  if (verb == "create") result = rig.CreateMailbox(account, step.name, 12);
  if (verb == "delete")
    result = rig.Propose(EntryType::kDeleteMailbox, DeleteMailboxEntry{.account = number, .name = step.name});
  if (verb == "rename") {
    result = rig.Propose(
        EntryType::kRenameMailbox,
        RenameMailboxEntry{.account = number, .from = step.name, .to = step.to, .names_max = 12, .name_bytes_max = 20});
  }
  if (verb == "subscribe" || verb == "unsubscribe") {
    result = rig.Propose(
        EntryType::kSubscribe,
        SubscribeEntry{.account = number, .name = step.name, .subscribed = verb == "subscribe", .names_max = 12});
  }
  return result.has_value() ? kOk : result.error().code();
}

std::string TreeOf(IndexRig& rig, AccountId account) {
  std::string tree;
  for (const Mailbox& mailbox : *rig.Ask([&](const ReadView& view) { return QueryMailboxes(view, account); })) {
    tree += (tree.empty() ? "" : " ") + mailbox.name + (mailbox.exists ? "" : "-") + (mailbox.subscribed ? "s" : "");
  }
  return tree;
}

TEST(Mailboxes, TreesAfterScripts) {
  const Script scripts[] = {
      {"parents are made", {{"create", "a/b/c"}}, "INBOX a a/b a/b/c"},
      {"twice", {{"create", "a"}, {"create", "a", Errc::kExists}, {"create", "INBOX", Errc::kExists}}, "INBOX a"},
      {"delete",
       {{"create", "a"}, {"delete", "a"}, {"delete", "a", Errc::kNotFound}, {"delete", "INBOX", Errc::kDenied}},
       "INBOX"},
      {"a deleted parent stays as a name",
       {{"create", "a/b"}, {"delete", "a"}, {"delete", "a", Errc::kDenied}},
       "INBOX a- a/b"},
      {"and goes when empty", {{"create", "a/b"}, {"delete", "a"}, {"delete", "a/b"}, {"delete", "a"}}, "INBOX"},
      {"and can be made again", {{"create", "a/b"}, {"delete", "a"}, {"create", "a"}}, "INBOX a a/b"},
      {"names that only start alike are no children",
       {{"create", "a"}, {"create", "a.b"}, {"delete", "a"}},
       "INBOX a.b"},
      {"rename moves children", {{"create", "a/b/c"}, {"rename", "a", kOk, "x/y"}}, "INBOX x x/y x/y/b x/y/b/c"},
      {"rename of a bare parent", {{"create", "a/b"}, {"delete", "a"}, {"rename", "a", kOk, "x"}}, "INBOX x- x/b"},
      {"rename refuses",
       {{"create", "a/b"},
        {"create", "c"},
        {"rename", "a", Errc::kExists, "c"},
        {"rename", "z", Errc::kNotFound, "y"},
        {"rename", "a", Errc::kInvalid, "a/b/c"},
        {"rename", "a", Errc::kExists, "a"},
        {"rename", "a", Errc::kExists, "INBOX"},
        {"rename", "a", Errc::kInvalid, "a-very-long-name-xyz"},
        {"rename", "INBOX", Errc::kDenied, "y"}},
       "INBOX a a/b c"},
      {"rename next to itself", {{"create", "a/b"}, {"rename", "a/b", kOk, "a/b2"}}, "INBOX a a/b2"},
      {"subscriptions belong to names",
       {{"subscribe", "INBOX"}, {"create", "a/b"}, {"subscribe", "a/b"}, {"rename", "a", kOk, "x"}},
       "INBOXs a/b-s x x/b"},
      {"subscriptions survive deletion",
       {{"create", "a"}, {"subscribe", "a"}, {"delete", "a"}, {"subscribe", "ghost"}},
       "INBOX a-s ghost-s"},
      {"and end",
       {{"create", "a"}, {"subscribe", "a"}, {"delete", "a"}, {"unsubscribe", "a"}, {"unsubscribe", "never"}},
       "INBOX"},
      {"a subscribed name can be made", {{"subscribe", "a"}, {"create", "a"}}, "INBOX as"},
      {"limits",
       {{"create", "1/2/3/4/5/6/7/8/9/10"},
        {"subscribe", "s"},
        {"create", "a", Errc::kLimit},
        {"subscribe", "t", Errc::kLimit},
        {"rename", "1", Errc::kLimit, "z"},
        {"unsubscribe", "s"},
        {"create", "a"}},
       "INBOX 1 1/2 1/2/3 1/2/3/4 1/2/3/4/5 1/2/3/4/5/6 1/2/3/4/5/6/7 1/2/3/4/5/6/7/8 1/2/3/4/5/6/7/8/9 "
       "1/2/3/4/5/6/7/8/9/10 a"},
  };
  for (const Script& script : scripts) {
    IndexRig rig;
    const AccountId account = rig.AddAccount("alice@example.test");
    for (const Step& step : script.steps) {
      EXPECT_EQ(RunStep(rig, account, step), step.expected) << script.label << ": " << step.verb << " " << step.name;
    }
    std::string expected = script.tree;
    // Names come in the order of their bytes.
    std::string tree = TreeOf(rig, account);
    const auto sorted = [](const std::string& text) {
      std::vector<std::string> words;
      for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end + 1;
      }
      std::ranges::sort(words);
      return words;
    };
    EXPECT_EQ(sorted(tree), sorted(expected)) << script.label;
  }
}

TEST(Mailboxes, AMailboxMadeAgainHasAGreaterUidValidity) {
  IndexRig rig;
  const AccountId account = rig.AddAccount("alice@example.test");
  ASSERT_TRUE(rig.CreateMailbox(account, "a").has_value());
  const Mailbox first = rig.MailboxOf(account, "a");
  ASSERT_EQ(RunStep(rig, account, {"delete", "a"}), kOk);
  ASSERT_TRUE(rig.CreateMailbox(account, "a").has_value());
  const Mailbox second = rig.MailboxOf(account, "a");
  EXPECT_GT(second.uid_validity, first.uid_validity);
  EXPECT_NE(second.id, first.id);
  EXPECT_EQ(rig.Ask([&](const ReadView& v) { return QueryMailbox(v, first.id); }).error().code(), Errc::kNotFound);
  EXPECT_TRUE(rig.Ask([&](const ReadView& v) { return QueryChanges(v, first.id, 0); })->mailbox_gone);
}

TEST(Mailboxes, ARenamedMailboxKeepsItsMessagesAndUidValidity) {
  IndexRig rig;
  const AccountId account = rig.AddAccount("alice@example.test");
  ASSERT_TRUE(rig.CreateMailbox(account, "a").has_value());
  const Mailbox before = rig.MailboxOf(account, "a");
  ASSERT_TRUE(rig.Propose(EntryType::kAppend,
                          AppendEntry{.mailbox = IndexRig::Number(before.id), .flags = {}, .date_us = 0}, 10)
                  .has_value());
  ASSERT_EQ(RunStep(rig, account, {"rename", "a", kOk, "b"}), kOk);
  const Mailbox after = rig.MailboxOf(account, "b");
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.uid_validity, before.uid_validity);
  EXPECT_EQ(after.messages, 1u);
}

// An account from before there were such mailboxes: what it has gets the use, what it lacks is made, once.
TEST(Mailboxes, SpecialOnesAreMadeAroundThoseThatAreThere) {
  IndexRig rig;
  const AccountId account = rig.AddAccount("alice@example.test");
  ASSERT_TRUE(rig.CreateMailbox(account, "Sent Items/2026").has_value());
  ASSERT_EQ(RunStep(rig, account, {"subscribe", "Trash"}), kOk);
  const SpecialMailboxesEntry entry{.account = IndexRig::Number(account),
                                    .names_max = 5,
                                    .items = {{SpecialUse::kSent, "Sent Items"},
                                              {SpecialUse::kTrash, "Trash"},
                                              {SpecialUse::kJunk, "no/such"},
                                              {SpecialUse::kDrafts, "Drafts"},
                                              {SpecialUse::kArchive, "Archive"}}};
  ASSERT_TRUE(rig.Propose(EntryType::kSpecialMailboxes, entry).has_value());
  EXPECT_EQ(TreeOf(rig, account), "Draftss INBOX Sent Itemss Sent Items/2026 Trashs");
  EXPECT_EQ(rig.MailboxOf(account, "Sent Items").use, SpecialUse::kSent);
  EXPECT_EQ(rig.MailboxOf(account, "Trash").use, SpecialUse::kTrash);
  ASSERT_EQ(RunStep(rig, account, {"delete", "Trash"}), kOk);
  ASSERT_TRUE(rig.Propose(EntryType::kSpecialMailboxes, entry).has_value());
  EXPECT_EQ(TreeOf(rig, account), "Draftss INBOX Sent Itemss Sent Items/2026 Trash-s")
      << "deleted by the user, it stays so";
}

TEST(MailboxNames, AreCheckedAndSpeltOneWay) {
  struct {
    const char* label;
    std::string name;
    std::string expected;
  } rows[] = {
      {"plain", "Archive", "Archive"},
      {"inbox", "iNbOx", "INBOX"},
      {"below inbox", "inbox/Sub", "INBOX/Sub"},
      {"not inbox", "inboxes", "inboxes"},
      {"below another", "a/inbox", "a/inbox"},
      {"trailing separator", "a/b/", "a/b"},
      {"utf-8", "Entw\xc3\xbcrfe/\xe6\x97\xa5", "Entw\xc3\xbcrfe/\xe6\x97\xa5"},
      {"four bytes", "\xf0\x9f\x93\xac", "\xf0\x9f\x93\xac"},
      {"empty", "", ""},
      {"only separator", "/", ""},
      {"empty level", "a//b", ""},
      {"leading separator", "/a", ""},
      {"latin-1", "Entw\xfcrfe", ""},
      {"overlong", "\xc0\xaf", ""},
      {"surrogate", "\xed\xa0\x80", ""},
      {"cut", "a\xe6\x97", ""},
      {"beyond unicode", "\xf4\x90\x80\x80", ""},
      {"control", "a\nb", ""},
      {"c1 control", "a\xc2\x85", ""},
      {"nul", std::string("a\0b", 3), ""},
      {"too long", std::string(41, 'x'), ""},
  };
  for (const auto& row : rows) {
    const auto name = CanonicalMailboxName(row.name, 40);
    EXPECT_EQ(name.has_value(), !row.expected.empty()) << row.label;
    if (name.has_value()) EXPECT_EQ(*name, row.expected) << row.label;
  }
  EXPECT_FALSE(CanonicalMailboxName(
                   std::string(200, 'a').replace(1, 1, "/") +
                       [] {
                         std::string deep;
                         for (int i = 0; i < 70; ++i) deep += "/a";
                         return deep;
                       }(),
                   1024)
                   .has_value());
}

}  // namespace
}  // namespace store
