#include "routing/address_book.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "routing/testing.h"

namespace routing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kAliases =
    "# The aliases of the test\n"
    "postmaster: root\n"
    "root: bob\n"
    "bob: bob, archive@remote.test\n"
    "staff: bob,\n"
    "   carol, \\dave\n"
    "owner-staff: alice\n"
    "dave: nobody@elsewhere.test\n"
    "\"two words\": alice\n"
    "ring: ring2\nring2: ring3\nring3: ring\n"
    "twice: carol, carol+x, carol, staff2\nstaff2: carol\n"
    "abroad: a@remote.test\n"
    "gone: x@relay.test\n"
    "half: x@relay.test, known@relay.test\n";
constexpr std::string_view kVirtual =
    "info@example.test  alice, bob@remote.test\n"
    "sales@hosted.test  alice@example.test\n"
    "exact+detail@example.test  carol\n"
    "sub@example.test  alice\n"
    "postmaster@hosted.test  alice@example.test\n"
    "old@renamed.test  alice\n"
    "moved@example.test  @remote.test\n"
    "@hosted.test  catcher@example.test\n"
    "@relay.test  alice\n"
    "ghost@relay.test carol\n";

class Book : public ::testing::Test {
 protected:
  Sources TestSources() {
    return {.domains = {"example.test", "hosted.test"},
            .domain_aliases = {"renamed.test = example.test", "relayed.test=relay.test"},
            .relay_domains = {"relay.test", "open.test"},
            .alias_files = {folder_.Write("aliases", kAliases)},
            .virtual_files = {folder_.Write("virtual", kVirtual)},
            .sender_login_files = {folder_.Write("senders", "news@example.test bob, carol\n@hosted.test carol\n")},
            .relay_recipient_files = {folder_.Write("recipients", "known@relay.test OK\n@open.test\n")},
            .trusted_networks = {"192.0.2.0/24"},
            .postmaster = "alice@example.test",
            .limits = {}};
  }
  static std::shared_ptr<const AddressBook> Load(const Sources& sources) {
    auto book = AddressBook::Load(sources);
    EXPECT_TRUE(book) << book.error().message();
    return book ? *book : nullptr;
  }
  static mail::Address Parse(std::string_view text) {
    return *mail::Address::Parse(text, {.utf8 = true, .bare_postmaster = true});
  }
  // "local: bob@example.test; remote: a@remote.test".
  static std::string Describe(const Expansion& expansion) {
    constexpr std::string_view kOutcomes[] = {"", "unknown", "not ours: ", "loop", "table error"};
    std::vector<std::string> all;
    for (const Destination& destination : expansion.destinations) {
      const std::string address = destination.address.ToString();
      const bool plain = destination.account == address;
      all.push_back(destination.is_local() ? (plain ? address : address + " of " + destination.account)
                                           : "->" + address);
    }
    return fmt::format("{}{}{}{}", kOutcomes[static_cast<int>(expansion.outcome)], fmt::join(all, ", "),
                       expansion.missing.empty() ? "" : fmt::format(" without {}", fmt::join(expansion.missing, ", ")),
                       expansion.owner.empty() ? "" : " owned by " + expansion.owner);
  }

  TableFolder folder_;
};

TEST_F(Book, ResolvesEachKindOfAddress) {
  const auto book = Load(TestSources());
  ASSERT_NE(book, nullptr);
  struct Row {
    std::string_view address;
    std::string_view expected;
  };
  for (const Row& row : {
           // Accounts.
           Row{"alice@example.test", "alice@example.test"},
           Row{"Alice@EXAMPLE.test", "Alice@example.test of alice@example.test"},
           Row{"alice+x@example.test", "alice+x@example.test of alice@example.test"},
           Row{"anybody@hosted.test", "anybody@hosted.test"},
           // Aliases of the first domain, not of the others.
           Row{"root@example.test", "bob@example.test, ->archive@remote.test"},
           Row{"root@hosted.test", "root@hosted.test"},
           Row{"ROOT@example.test", "bob@example.test, ->archive@remote.test"},
           Row{"bob@example.test", "bob@example.test, ->archive@remote.test"},
           Row{"bob+x@example.test", "bob@example.test, ->archive@remote.test"},
           Row{"staff@example.test",
               "bob@example.test, ->archive@remote.test, carol@example.test, dave@example.test owned by "
               "owner-staff@example.test"},
           Row{"owner-staff@example.test", "alice@example.test"},
           Row{"dave@example.test", "->nobody@elsewhere.test"},
           Row{"\"two words\"@example.test", "alice@example.test"},
           Row{"ring@example.test", "loop"},
           Row{"ring2@example.test", "loop"},
           Row{"twice@example.test", "carol@example.test, carol+x@example.test of carol@example.test"},
           // Virtual users.
           Row{"info@example.test", "alice@example.test, ->bob@remote.test"},
           Row{"info+q@example.test", "alice+q@example.test of alice@example.test, ->bob@remote.test"},
           Row{"exact+detail@example.test", "carol@example.test"},
           Row{"exact+other@example.test", "exact+other@example.test of exact@example.test"},
           Row{"sales@hosted.test", "alice@example.test"},
           Row{"moved@example.test", "->moved@remote.test"},
           // Domains.
           Row{"alice@renamed.test", "alice@example.test"},
           Row{"root@renamed.test", "bob@example.test, ->archive@remote.test"},
           Row{"old@renamed.test", "alice@example.test"},
           Row{"known@relayed.test", "->known@relay.test"},
           // Postmaster.
           Row{"postmaster", "bob@example.test, ->archive@remote.test"},
           Row{"postmaster@hosted.test", "alice@example.test"},
           // Relay domains.
           Row{"known@relay.test", "->known@relay.test"},
           Row{"known+x@relay.test", "->known+x@relay.test"},
           Row{"other@relay.test", "alice@example.test"},
           Row{"ghost@relay.test", "carol@example.test"},
           Row{"any@open.test", "->any@open.test"},
           Row{"gone@example.test", "alice@example.test"},
           Row{"half@example.test", "alice@example.test, ->known@relay.test"},
           Row{"abroad@example.test", "->a@remote.test"},
           // Others.
           Row{"x@remote.test", "not ours: ->x@remote.test"},
           Row{"x@sub.example.test", "not ours: ->x@sub.example.test"},
           Row{"x@[192.0.2.1]", "not ours: ->x@[192.0.2.1]"},
           Row{"x%remote.test@example.test", "x%remote.test@example.test"},
           Row{"\"x@remote.test\"@example.test", "\"x@remote.test\"@example.test"},
       }) {
    EXPECT_EQ(Describe(book->Resolve(Parse(row.address))), row.expected) << row.address;
  }
}

TEST_F(Book, CatchesWhatHasNoAccount) {
  const auto book = Load(TestSources());
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(Describe(book->ResolveUnknown(Parse("x@hosted.test"))), "catcher@example.test");
  EXPECT_EQ(Describe(book->ResolveUnknown(Parse("x@example.test"))), "unknown");
  EXPECT_EQ(Describe(book->ResolveUnknown(Parse("x@renamed.test"))), "unknown");
}

TEST_F(Book, KnowsWhichRelayRecipientsThereAre) {
  Sources sources = TestSources();
  sources.virtual_files = {folder_.Write("virtual", "ok@example.test known@relay.test, x@relay.test\n")};
  const auto book = Load(sources);
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(Describe(book->Resolve(Parse("x@relay.test"))), "unknown without x@relay.test");
  EXPECT_EQ(Describe(book->Resolve(Parse("ok@example.test"))), "->known@relay.test without x@relay.test");
  EXPECT_EQ(Describe(book->Resolve(Parse("gone@example.test"))), "unknown without x@relay.test");
  sources.relay_recipient_files.clear();
  EXPECT_EQ(Describe(Load(sources)->Resolve(Parse("x@relay.test"))), "->x@relay.test");
}

TEST_F(Book, LimitsDepthAndWidth) {
  Sources sources{.domains = {"d.test"}, .limits = {.depth_max = 3, .recipients_max = 4}};
  sources.alias_files = {folder_.Write("aliases",
                                       "a: b\nb: c\nc: x\n"  // Three deep.
                                       "z: a\n"              // Four.
                                       "w: 1, 2, 3, 4, 1\nv: w, 5\n")};
  const auto book = Load(sources);
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(Describe(book->Resolve(Parse("a@d.test"))), "x@d.test");
  EXPECT_EQ(Describe(book->Resolve(Parse("z@d.test"))), "table error");
  EXPECT_THAT(book->Resolve(Parse("w@d.test")).destinations, SizeIs(4));
  EXPECT_EQ(Describe(book->Resolve(Parse("v@d.test"))), "table error");
}

TEST_F(Book, FollowsEachEntryOnceHoweverOftenItIsNamed) {
  // Without that, 2^18 steps.
  std::string text;
  for (int i = 0; i < 18; ++i) text += fmt::format("l{}: l{}, m{}\nm{}: l{}, m{}\n", i, i + 1, i + 1, i, i + 1, i + 1);
  const auto book = Load({.domains = {"d.test"}, .alias_files = {folder_.Write("aliases", text)}, .limits = {}});
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(Describe(book->Resolve(Parse("l0@d.test"))), "l18@d.test, m18@d.test");
}

TEST_F(Book, IncludesFiles) {
  const std::string list = folder_.Write("list", "# members\nbob, carol\n\n\\dave\nx@remote.test\n");
  const std::string nested = folder_.Write("nested", "bob\n:include:" + list + "\n");
  Sources sources{.domains = {"d.test"}, .limits = {}};
  sources.alias_files = {folder_.Write("aliases", "list: alice, :include:" + list + ", eve\n")};
  EXPECT_EQ(Describe(Load(sources)->Resolve(Parse("list@d.test"))),
            "alice@d.test, bob@d.test, carol@d.test, dave@d.test, ->x@remote.test, eve@d.test");
  sources.alias_files = {folder_.Write("aliases", "a: :include:" + nested + "\nb: :include:/nonexistent/list\n")};
  const auto problems = AddressBook::Check(sources);
  ASSERT_THAT(problems, SizeIs(2));
  EXPECT_THAT(problems[0].ToString(),
              AllOf(HasSubstr("aliases:1: :include: of \""), HasSubstr("line 2: an :include: may")));
  EXPECT_THAT(problems[1].ToString(), AllOf(HasSubstr("aliases:2: "), HasSubstr("cannot be opened")));
}

TEST_F(Book, SaysWhoMaySendAsWhom) {
  const auto book = Load(TestSources());
  ASSERT_NE(book, nullptr);
  struct Row {
    std::string_view account;
    std::string_view sender;
    bool may;
  };
  for (const Row& row : {
           Row{"alice@example.test", "alice@example.test", true},
           Row{"alice@example.test", "Alice+news@example.test", true},
           Row{"alice@example.test", "alice@renamed.test", true},
           Row{"alice@example.test", "info@example.test", true},  // Its alias.
           Row{"alice@example.test", "bob@example.test", false},
           Row{"alice@example.test", "alice@hosted.test", false},  // Another account.
           Row{"alice@example.test", "alice@remote.test", false}, Row{"alice@example.test", "root@example.test", false},
           Row{"bob@example.test", "root@example.test", true}, Row{"bob@example.test", "staff@example.test", true},
           Row{"dave@example.test", "dave@example.test", true},   // Though its mail goes elsewhere.
           Row{"carol@example.test", "news@example.test", true},  // By the file.
           Row{"carol@example.test", "news+2026@example.test", true},
           Row{"carol@example.test", "anything@hosted.test", true},
           Row{"alice@example.test", "news@example.test", false}, Row{"alice@example.test", "ring@example.test", false},
           Row{"catcher@example.test", "anything@hosted.test", false},  // A catch-all gives nothing.
       }) {
    EXPECT_EQ(book->MaySendAs(row.account, Parse(row.sender)), row.may) << row.account << " " << row.sender;
  }
  EXPECT_TRUE(book->IsTrusted("192.0.2.9"));
  EXPECT_FALSE(book->IsTrusted("127.0.0.1"));
}

TEST_F(Book, IsOnlyTheConfigurationWithoutFiles) {
  const auto book = Load({.domains = {"d.test"}, .limits = {}});
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(Describe(book->Resolve(Parse("a+x@d.test"))), "a+x@d.test of a@d.test");
  EXPECT_EQ(Describe(book->Resolve(Parse("postmaster"))), "postmaster@d.test");
  EXPECT_EQ(book->size(), 0u);
}

TEST_F(Book, NamesFileAndLineOfEachProblem) {
  struct Row {
    std::string_view aliases;
    std::string_view virtuals;
    std::string_view part;
  };
  for (const Row& row : {
           Row{"# r\n\na: |x\n", "", "aliases:3: \"|x\" is a command"},
           Row{"a: b\nno colon\n", "", "aliases:2: there is no colon"},
           Row{"a: b\nb: c\nA: d\n", "", "aliases:3: \"a@d.test\" is in"},
           Row{"a: b\n", "a@d.test x@y.test\n", "virtual:1: \"a@d.test\" is in"},
           Row{"a@d.test: b\n", "", "aliases:1: \"a@d.test\" has a domain"},
           Row{"a: :include:/no\tfile\n", "", "aliases:1: :include: of \"/no?file\": it cannot be opened"},
           Row{"a b: c\n", "", "aliases:1: \"a b\" has white space"},
           Row{"", "a@d.test\n", "virtual:1: there is no target"},
           Row{"", "a@other.test b@d.test\n", "virtual:1: \"other.test\" is in none of mail.domains"},
           Row{"", "@other.test b@d.test\n", "is in none of"},
           Row{"", "a b\n", "virtual:1: \"a\": the address has no domain"},
           Row{"", "a@d.test :include:/x\n", "may stand in an alias only"},
           Row{"", "@relay.test b@d.test\n", "mail.relay_recipient_files, and there are none"},
           Row{"", "@alias.test b@d.test\n", "is in mail.domain_aliases"},
       }) {
    Sources sources{
        .domains = {"d.test"}, .domain_aliases = {"alias.test=d.test"}, .relay_domains = {"relay.test"}, .limits = {}};
    sources.alias_files = {folder_.Write("aliases", row.aliases)};
    sources.virtual_files = {folder_.Write("virtual", row.virtuals)};
    const auto problems = AddressBook::Check(sources);
    ASSERT_THAT(problems, SizeIs(1)) << row.part;
    EXPECT_THAT(problems[0].ToString(), HasSubstr(std::string(row.part)));
    const auto book = AddressBook::Load(sources);
    ASSERT_FALSE(book);
    EXPECT_EQ(book.error().message(), problems[0].ToString());
  }
}

TEST_F(Book, SaysWhatIsWrongWithTheConfiguration) {
  struct Row {
    Sources sources;
    std::string_view part;
  };
  const std::string fifo = folder_.Path("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string senders = folder_.Write("senders", "a@d.test b@remote.test\n");
  const std::string recipients = folder_.Write("recipients", "a@d.test\n");
  const std::string aliases = folder_.Write("aliases", "a: b\n");
  const std::vector<std::string> ours = {"d.test"};
  for (const Row& row : std::vector<Row>{
           {{.domains = ours, .domain_aliases = {"x.test"}, .limits = {}}, "has no '='"},
           {{.domains = ours, .domain_aliases = {"x.test = y.test"}, .limits = {}}, "neither in mail.domains"},
           {{.domains = ours, .domain_aliases = {"d.test = d.test"}, .limits = {}}, "itself"},
           {{.domains = ours, .domain_aliases = {"x.test=d.test", "X.test=d.test"}, .limits = {}}, "has been renamed"},
           {{.domains = ours, .relay_domains = {"d.test"}, .limits = {}}, "is in mail.domains too"},
           {{.domains = ours, .trusted_networks = {"10.0.0.0/0"}, .limits = {}}, "is everybody"},
           {{.domains = ours, .alias_files = {"/nonexistent"}, .limits = {}}, "/nonexistent: it cannot be opened"},
           {{.domains = ours, .alias_files = {fifo}, .limits = {}}, "is no regular file"},
           {{.domains = ours, .alias_files = {aliases}, .limits = {.file_bytes_max = 3}}, "longer than 3 bytes"},
           {{.domains = ours, .alias_files = {aliases}, .limits = {.entries_max = 0}}, "more than 0 entries"},
           {{.domains = ours, .alias_files = {aliases}, .limits = {.table_bytes_max = 9}}, "more than 9 bytes"},
           {{.domains = ours, .sender_login_files = {senders}, .limits = {}}, "is no login"},
           {{.domains = ours, .relay_recipient_files = {recipients}, .limits = {}}, "not in mail.relay_domains"},
           {{.alias_files = {aliases}, .limits = {}}, "set mail.domains"},
       }) {
    const auto problems = AddressBook::Check(row.sources);
    ASSERT_THAT(problems, SizeIs(1)) << row.part;
    EXPECT_THAT(problems[0].ToString(), HasSubstr(std::string(row.part)));
  }
}

TEST_F(Book, TellsEntriesThatLeadInCirclesWhenItIsChecked) {
  Sources sources{.domains = {"d.test"}, .limits = {}};
  sources.alias_files = {folder_.Write("aliases", "fine: x\na: b\nb: a\n")};
  sources.virtual_files = {folder_.Write("virtual", "@d.test c@d.test\nc@d.test e@d.test\ne@d.test c@d.test\n")};
  EXPECT_TRUE(AddressBook::Load(sources));
  const auto problems = AddressBook::Check(sources);
  ASSERT_THAT(problems, SizeIs(5));
  EXPECT_THAT(problems[0].ToString(), HasSubstr("aliases:2: a@d.test: a@d.test leads back to itself through b@d.test"));
  EXPECT_THAT(problems[4].ToString(), HasSubstr("virtual:1: d.test: "));
}

TEST_F(Book, CountsTheProblemsThatItDoesNotTell) {
  Sources sources{.domains = {"d.test"}, .limits = {.problems_max = 2}};
  sources.alias_files = {folder_.Write("aliases", "a\nb\nc\nd\n")};
  const auto problems = AddressBook::Check(sources);
  ASSERT_THAT(problems, SizeIs(3));
  EXPECT_THAT(problems[2].text, HasSubstr("2 more problems"));
  EXPECT_THAT(AddressBook::Load(sources).error().message(), HasSubstr("(and 3 more problems"));
}

TEST_F(Book, HoldsAMillionEntries) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += fmt::format("user{}@d.test mailbox{}@d.test\n", i, i);
  Sources sources{.domains = {"d.test"}, .virtual_files = {folder_.Write("virtual", text)}, .limits = {}};
  const auto book = Load(sources);
  ASSERT_NE(book, nullptr);
  EXPECT_EQ(book->size(), 1'000'000u);
  EXPECT_EQ(Describe(book->Resolve(Parse("user999999@d.test"))), "mailbox999999@d.test");
  sources.alias_files = {folder_.Write("aliases", "one: more\n")};
  EXPECT_THAT(AddressBook::Load(sources).error().message(), HasSubstr("more than 1000000 entries"));
}

}  // namespace
}  // namespace routing
