// Mailboxes of special use: how they are chosen, made, renamed and deleted, and that a user's choice is left alone.
#include "store/special_use.h"

#include <gtest/gtest.h>

#include "store/testing.h"

namespace store {
namespace {

constexpr char kAlice[] = "alice@example.test";
// By SpecialUse.
constexpr std::string_view kLetters[] = {"", "D", "S", "J", "T", "A"};

// "INBOX Sent:S": names with a letter for their use; "*" is said of what is subscribed to.
std::string Describe(TestNode& node, AccountId account) {
  std::string text;
  for (const Mailbox& mailbox : node.Do(node.store().ListMailboxes(account))) {
    text += (text.empty() ? "" : " ") + mailbox.name + (mailbox.subscribed ? "*" : "");
    if (mailbox.use != SpecialUse::kNone) {
      text += ":" + std::string(kLetters[static_cast<std::size_t>(mailbox.use)]);
    }
  }
  return text;
}

TestNodeOptions WithSpecial(bool special) {
  TestNodeOptions options;
  options.store.special_mailboxes = special;
  return options;
}

constexpr std::string_view kFive = "Archive*:A Drafts*:D INBOX Junk*:J Sent*:S Trash*:T";

TEST(SpecialUse, NamesAreChosenAmongThoseThatAreThere) {
  const struct {
    std::string_view label;
    std::vector<std::string> there;
    std::string_view expected;
  } rows[] = {
      {"a new account", {"INBOX"}, "Drafts Sent Junk Trash Archive"},
      {"as other servers call them",
       {"INBOX", "Deleted Items", "sent items", "INBOX/Spam"},
       "Drafts sent items INBOX/Spam Deleted Items Archive"},
      {"the usual name comes first", {"INBOX", "Sent Items", "Sent"}, "Drafts Sent Junk Trash Archive"},
      {"not below others", {"INBOX", "work/Sent"}, "Drafts Sent Junk Trash Archive"},
  };
  for (const auto& row : rows) {
    std::vector<Mailbox> mailboxes;
    for (const std::string& name : row.there) mailboxes.push_back({.name = name});
    std::string chosen;
    for (const SpecialName& name : ChooseSpecialNames(mailboxes)) chosen += (chosen.empty() ? "" : " ") + name.second;
    EXPECT_EQ(chosen, row.expected) << row.label;
  }
  EXPECT_EQ(ChooseSpecialNames({{.name = "x", .use = SpecialUse::kSent}}).size(), 4u) << "one is there";
}

TEST(SpecialUse, AreMadeWithTheAccountAndComeBackAfterARestart) {
  TestNode node(WithSpecial(true));
  const Account alice = node.AddAccount(kAlice);
  EXPECT_TRUE(alice.has_special_mailboxes);
  EXPECT_EQ(Describe(node, alice.id), kFive);
  node.Restart(TestIndex::kDeleted);
  EXPECT_EQ(Describe(node, alice.id), kFive);
  EXPECT_TRUE(node.Do(node.store().FindAccount(kAlice)).has_special_mailboxes);
}

TEST(SpecialUse, GoesWithItsMailboxAndIsNotMadeAgain) {
  TestNode node(WithSpecial(true));
  const Account alice = node.AddAccount(kAlice);
  node.Do(node.store().RenameMailbox(alice.id, "Sent", "Gesendet"));
  node.Do(node.store().DeleteMailbox(alice.id, "Archive"));
  node.Do(node.store().Subscribe(alice.id, "Archive", false));
  node.Do(node.store().Subscribe(alice.id, "Sent", false));
  node.Do(node.store().MakeSpecialMailboxes(alice.id));
  EXPECT_EQ(Describe(node, alice.id), "Drafts*:D Gesendet:S INBOX Junk*:J Trash*:T");
  node.Do(node.store().CreateMailbox(alice.id, "Archive"));
  EXPECT_EQ(Describe(node, alice.id), "Archive Drafts*:D Gesendet:S INBOX Junk*:J Trash*:T");
}

TEST(SpecialUse, AnOlderAccountKeepsWhatItHas) {
  TestNode node(WithSpecial(false));
  const Account alice = node.AddAccount(kAlice);
  node.Do(node.store().CreateMailbox(alice.id, "Sent Items"));
  node.Do(node.store().MakeSpecialMailboxes(alice.id));
  EXPECT_EQ(Describe(node, alice.id), "INBOX Sent Items") << "where the options say so nothing is made";
  node.options().store.special_mailboxes = true;
  node.Restart();
  EXPECT_FALSE(node.Do(node.store().FindAccount(kAlice)).has_special_mailboxes);
  node.Do(node.store().MakeSpecialMailboxes(alice.id));
  EXPECT_EQ(Describe(node, alice.id), "Archive*:A Drafts*:D INBOX Junk*:J Sent Items*:S Trash*:T");
  EXPECT_TRUE(node.Do(node.store().FindAccount(kAlice)).has_special_mailboxes);
}

}  // namespace
}  // namespace store
