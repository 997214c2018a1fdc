#include "deliver/mail_hosts.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "net/resolver_testing.h"

namespace deliver {
namespace {

using net::DnsTable;
using net::DnsType;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Kind = MailHosts::Kind;
using namespace std::chrono_literals;

constexpr std::uint64_t kSeed = 7;

class MailHostsTest : public testing::Test {
 protected:
  MailHosts Find(std::string domain) {
    return async::RunTask(context_, FindMailHosts(&resolver_, std::move(domain), &options_, &random_));
  }
  // "mx1.example.test 192.0.2.1", in the order to try them.
  static std::vector<std::string> Texts(const MailHosts& found) {
    std::vector<std::string> texts;
    for (const MailHost& host : found.hosts) texts.push_back(host.name + " " + host.ip);
    return texts;
  }
  void AddHost(const std::string& domain, std::uint16_t preference, const std::string& name, const std::string& ip) {
    table_.AddMx(domain, preference, name);
    table_.AddIp(name, ip);
  }

  asio::io_context context_;
  DnsTable table_;
  net::ScriptedResolver resolver_{context_.get_executor(), &table_};
  MailHostOptions options_{.own_names = {"me.test"}, .own_addresses = {"198.51.100.1", "2001:db8:ffff::1"}};
  base::Random random_{kSeed};
};

// Hosts of preference 5, 10, 10 and 20; `second` is the first of those of 10.
void AddFour(DnsTable* dns, const std::string& second, const std::string& second_ip) {
  const std::pair<std::string, std::string> hosts[] = {
      {"a.test", "192.0.2.1"}, {second, second_ip}, {"b.test", "192.0.2.3"}, {"c.test", "192.0.2.4"}};
  constexpr std::uint16_t kPreferences[] = {5, 10, 10, 20};
  for (std::size_t i = 0; i < 4; ++i) {
    dns->AddMx("d.test", kPreferences[i], hosts[i].first);
    dns->AddIp(hosts[i].first, hosts[i].second);
  }
}

struct Row {
  const char* label;
  std::function<void(DnsTable*)> fill;
  const char* domain;
  Kind kind;
  std::vector<std::string> hosts;  // With Kind::kHosts.
  const char* status = "";
};

const Row kRows[] = {
    {"MX by preference",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 20, "b.test");
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
       dns->AddIp("b.test", "192.0.2.2");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1", "b.test 192.0.2.2"}},
    {"upper case",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 10, "A.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "D.Test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"a domain in U-labels",
     [](DnsTable* dns) { dns->AddIp("xn--bcher-kva.test", "192.0.2.1"); },
     "b\xc3\xbc"
     "cher.test",
     Kind::kHosts,
     {"xn--bcher-kva.test 192.0.2.1"}},
    {"no MX: the domain itself (RFC 5321 §5.1)",
     [](DnsTable* dns) { dns->AddIp("d.test", "192.0.2.1"); },
     "d.test",
     Kind::kHosts,
     {"d.test 192.0.2.1"}},
    {"no MX and an IPv6 address alone",
     [](DnsTable* dns) { dns->AddIp("d.test", "2001:db8::1"); },
     "d.test",
     Kind::kHosts,
     {"d.test 2001:db8::1"}},
    {"the domain is an alias of one with MX",
     [](DnsTable* dns) {
       dns->AddAlias("alias.test", "d.test");
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "alias.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"the domain is an alias of one without MX",
     [](DnsTable* dns) {
       dns->AddAlias("alias.test", "d.test");
       dns->AddIp("d.test", "192.0.2.1");
     },
     "alias.test",
     Kind::kHosts,
     {"alias.test 192.0.2.1"}},
    {"an IPv4 literal", [](DnsTable*) {}, "[192.0.2.1]", Kind::kHosts, {"[192.0.2.1] 192.0.2.1"}},
    {"an IPv6 literal", [](DnsTable*) {}, "[IPv6:2001:DB8::1]", Kind::kHosts, {"[IPv6:2001:db8::1] 2001:db8::1"}},
    {"a literal that is none", [](DnsTable*) {}, "[192.0.2.256]", Kind::kNever, {}, "5.1.3"},
    {"a literal without end", [](DnsTable*) {}, "[192.0.2.1", Kind::kNever, {}, "5.1.3"},
    {"a domain that cannot be", [](DnsTable*) {}, "a..test", Kind::kNever, {}, "5.1.3"},
    {"an empty domain", [](DnsTable*) {}, "", Kind::kNever, {}, "5.1.3"},
    {"no such domain", [](DnsTable*) {}, "d.test", Kind::kNever, {}, "5.1.2"},
    {"neither MX nor address", [](DnsTable* dns) { dns->AddName("d.test"); }, "d.test", Kind::kNever, {}, "5.1.2"},
    {"null MX (RFC 7505)",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 0, "");
       dns->AddIp("d.test", "192.0.2.1");
     },
     "d.test",
     Kind::kNever,
     {},
     "5.1.10"},
    {"a null MX among others means nothing",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 0, "");
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"an MX in digits is passed over",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "192.0.2.9");
       dns->AddIp("192.0.2.9", "192.0.2.9");
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"MX in digits alone",
     [](DnsTable* dns) { dns->AddMx("d.test", 5, "192.0.2.9"); },
     "d.test",
     Kind::kNever,
     {},
     "5.4.4"},
    {"MX with RDATA cut short, alone",
     [](DnsTable* dns) { dns->Add("d.test", DnsType::kMx, std::string("\0\x0a\4mai", 6)); },
     "d.test",
     Kind::kNever,
     {},
     "5.4.4"},
    {"an MX that does not exist is passed over",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "gone.test");
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"MX that do not exist, alone",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "gone.test");
       dns->AddIp("d.test", "192.0.2.1");
     },
     "d.test",
     Kind::kNever,
     {},
     "5.4.4"},
    {"an MX that is an alias is passed over (RFC 2181 §10.3)",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "alias.test");
       dns->AddAlias("alias.test", "b.test");
       dns->AddIp("b.test", "192.0.2.2");
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"addresses in IPv6 clothes or of the wrong size are passed over",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "a.test");
       dns->AddIp("a.test", "::ffff:127.0.0.1");
       dns->Add("a.test", DnsType::kA, "xyz");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"the MX question fails",
     [](DnsTable* dns) { dns->Fail("d.test", DnsType::kMx); },
     "d.test",
     Kind::kTryAgain,
     {},
     "4.4.3"},
    {"one host fails, the other is there",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "bad.test");
       dns->Fail("bad.test", DnsType::kA);
       dns->Fail("bad.test", DnsType::kAaaa);
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "192.0.2.1");
     },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"one host fails, the other does not exist",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "bad.test");
       dns->Fail("bad.test", DnsType::kA);
       dns->AddMx("d.test", 10, "gone.test");
     },
     "d.test",
     Kind::kTryAgain,
     {},
     "4.4.3"},
    {"the AAAA question fails, the A is there",
     [](DnsTable* dns) {
       dns->AddIp("d.test", "192.0.2.1");
       dns->Fail("d.test", DnsType::kAaaa);
     },
     "d.test",
     Kind::kHosts,
     {"d.test 192.0.2.1"}},
    {"the A question fails and there is no AAAA",
     [](DnsTable* dns) {
       dns->AddName("d.test");
       dns->Fail("d.test", DnsType::kA);
     },
     "d.test",
     Kind::kTryAgain,
     {},
     "4.4.3"},
    {"we are the backup: only better hosts are tried",
     [](DnsTable* dns) { AddFour(dns, "me.test", "192.0.2.2"); },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"we are the backup by address",
     [](DnsTable* dns) { AddFour(dns, "other.test", "198.51.100.1"); },
     "d.test",
     Kind::kHosts,
     {"a.test 192.0.2.1"}},
    {"we are the only host",
     [](DnsTable* dns) { dns->AddMx("d.test", 10, "me.test"); },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"we are the only host by IPv6 address",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 10, "a.test");
       dns->AddIp("a.test", "2001:db8:ffff::1");
     },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"we are an alias that an MX names",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 10, "alias.test");
       dns->AddAlias("alias.test", "me.test");
       dns->AddIp("me.test", "198.51.100.1");
       dns->AddMx("d.test", 20, "b.test");
       dns->AddIp("b.test", "192.0.2.2");
     },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"the better host fails and we are the backup: no loop yet",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 5, "bad.test");
       dns->Fail("bad.test", DnsType::kA);
       dns->AddMx("d.test", 10, "me.test");
     },
     "d.test",
     Kind::kTryAgain,
     {},
     "4.4.3"},
    {"a lesser host fails and we are the best: a loop",
     [](DnsTable* dns) {
       dns->AddMx("d.test", 20, "bad.test");
       dns->Fail("bad.test", DnsType::kA);
       dns->AddMx("d.test", 10, "me.test");
     },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"a stranger points at loopback",
     [](DnsTable* dns) { dns->AddIp("d.test", "127.0.0.1"); },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"a stranger points at 0.0.0.0",
     [](DnsTable* dns) { dns->AddIp("d.test", "0.0.0.0"); },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"a stranger points at ::1",
     [](DnsTable* dns) { dns->AddIp("d.test", "::1"); },
     "d.test",
     Kind::kNever,
     {},
     "5.4.6"},
    {"a literal of this node", [](DnsTable*) {}, "[198.51.100.1]", Kind::kNever, {}, "5.4.6"},
    {"a literal in IPv6 clothes", [](DnsTable*) {}, "[IPv6:::ffff:127.0.0.1]", Kind::kNever, {}, "5.4.6"},
};

TEST_F(MailHostsTest, FindsWhatTheDnsSays) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.label);
    table_ = DnsTable();
    row.fill(&table_);
    const MailHosts found = Find(row.domain);
    EXPECT_EQ(found.kind, row.kind) << found.reason;
    EXPECT_EQ(Texts(found), row.hosts);
    EXPECT_EQ(found.status, row.status);
    EXPECT_EQ(found.reason.empty(), row.kind == Kind::kHosts);
  }
}

TEST_F(MailHostsTest, SaysWhyNoHostCanBeUsed) {
  table_.AddMx("d.test", 5, "alias.test");
  table_.AddAlias("alias.test", "a.test");
  table_.AddIp("a.test", "192.0.2.1");
  EXPECT_THAT(Find("d.test").reason, HasSubstr("alias.test is an alias"));
}

TEST_F(MailHostsTest, TakesAliasesWhenAsked) {
  options_.takes_aliases = true;
  table_.AddMx("d.test", 5, "alias.test");
  table_.AddAlias("alias.test", "a.test");
  table_.AddIp("a.test", "192.0.2.1");
  EXPECT_THAT(Texts(Find("d.test")), ElementsAre("alias.test 192.0.2.1"));
}

TEST_F(MailHostsTest, TakesLoopbackAndAnotherPortWhenAsked) {
  options_.loopback_is_own = false;
  options_.port = 2525;
  table_.AddIp("d.test", "127.0.0.1");
  const MailHosts found = Find("d.test");
  ASSERT_EQ(found.kind, Kind::kHosts) << found.reason;
  EXPECT_EQ(found.hosts[0].port, 2525);
}

TEST_F(MailHostsTest, IsSecureWhenEachAnswerIs) {
  AddHost("d.test", 10, "a.test", "192.0.2.1");
  EXPECT_FALSE(Find("d.test").hosts.at(0).is_secure);
  table_.SetSecure("a.test");
  EXPECT_FALSE(Find("d.test").hosts.at(0).is_secure);
  table_.SetSecure("d.test");
  EXPECT_TRUE(Find("d.test").hosts.at(0).is_secure);
}

TEST_F(MailHostsTest, SpreadsTheLoadOverHostsOfOnePreference) {
  for (int i = 1; i <= 4; ++i) {
    AddHost("d.test", 10, "mx" + std::to_string(i) + ".test", "192.0.2." + std::to_string(i));
  }
  std::map<std::string, int> first;
  for (int i = 0; i < 400; ++i) {
    const MailHosts found = Find("d.test");
    ASSERT_EQ(found.hosts.size(), 4u);
    first[found.hosts[0].name] += 1;
  }
  ASSERT_EQ(first.size(), 4u) << "seed " << kSeed;
  for (const auto& [name, count] : first) EXPECT_GT(count, 50) << name << ", seed " << kSeed;
}

TEST_F(MailHostsTest, TakesTheFamiliesInTurnWithinAPreference) {
  for (int i = 1; i <= 3; ++i) {
    const std::string name = "mx" + std::to_string(i) + ".test";
    AddHost("d.test", 10, name, "192.0.2." + std::to_string(i));
    table_.AddIp(name, "2001:db8::" + std::to_string(i));
  }
  int v6_first = 0;
  for (int i = 0; i < 200; ++i) {
    const MailHosts found = Find("d.test");
    ASSERT_EQ(found.hosts.size(), 6u);
    const auto is_v6 = [&](std::size_t at) { return found.hosts[at].ip.contains(':'); };
    for (std::size_t at = 1; at < 6; ++at) ASSERT_NE(is_v6(at), is_v6(at - 1)) << "seed " << kSeed;
    v6_first += is_v6(0) ? 1 : 0;
  }
  EXPECT_GT(v6_first, 50) << "seed " << kSeed;
  EXPECT_LT(v6_first, 150) << "seed " << kSeed;
}

TEST_F(MailHostsTest, LooksAtNoMoreThanTheBestMx) {
  for (int i = 1; i <= 60; ++i)
    table_.AddMx("d.test", static_cast<std::uint16_t>(i), "mx" + std::to_string(i) + ".test");
  table_.AddIp("mx50.test", "192.0.2.50");
  table_.AddIp("mx51.test", "192.0.2.51");
  EXPECT_THAT(Texts(Find("d.test")), ElementsAre("mx50.test 192.0.2.50"));
  EXPECT_THAT(resolver_.asked(), Not(testing::Contains("A mx51.test")));
}

TEST_F(MailHostsTest, StopsAskingWhenItHasEnoughAddresses) {
  for (int i = 1; i <= 30; ++i) {
    AddHost("d.test", static_cast<std::uint16_t>(i), "mx" + std::to_string(i) + ".test",
            "192.0.2." + std::to_string(i));
  }
  const MailHosts found = Find("d.test");
  EXPECT_EQ(found.hosts.size(), options_.addresses_max);
  EXPECT_EQ(found.hosts.back().name, "mx20.test");
  EXPECT_THAT(resolver_.asked(), Not(testing::Contains("A mx21.test")));
}

TEST_F(MailHostsTest, KeepsBothFamiliesOfAHostWithVeryManyAddresses) {
  table_.AddMx("d.test", 1, "mx.test");
  for (int i = 1; i <= 200; ++i) table_.AddIp("mx.test", "192.0.2." + std::to_string(i));
  table_.AddIp("mx.test", "2001:db8::1");
  const MailHosts found = Find("d.test");
  EXPECT_EQ(found.hosts.size(), options_.addresses_max);
  EXPECT_THAT(Texts(found), testing::Contains("mx.test 2001:db8::1"));
}

TEST_F(MailHostsTest, AsksForAFewHostsAtATime) {
  for (int i = 1; i <= 50; ++i) table_.AddMx("d.test", 10, "mx" + std::to_string(i) + ".test");
  EXPECT_EQ(Find("d.test").kind, Kind::kNever);
  EXPECT_EQ(resolver_.asked().size(), 1u + 2u * 50u);
  EXPECT_EQ(resolver_.most_waiting(), 16);
}

TEST_F(MailHostsTest, ASearchEndsAtItsDeadline) {
  options_.deadline = 50ms;
  table_.Hang("d.test", DnsType::kMx);
  const auto began = steady_clock::now();
  EXPECT_EQ(Find("d.test").kind, Kind::kTryAgain);
  EXPECT_LT(steady_clock::now() - began, 2s);
}

TEST_F(MailHostsTest, AHostThatHangsHoldsUpTheOthersNoLongerThanTheDeadline) {
  options_.deadline = 50ms;
  AddHost("d.test", 10, "mx1.test", "192.0.2.1");
  table_.AddMx("d.test", 10, "mx2.test");
  table_.Hang("mx2.test", DnsType::kA);
  table_.Hang("mx2.test", DnsType::kAaaa);
  EXPECT_THAT(Texts(Find("d.test")), ElementsAre("mx1.test 192.0.2.1"));
}

TEST_F(MailHostsTest, WaitsLessForLesserHosts) {
  options_.deadline = 60s;
  options_.lesser_hosts_wait = 50ms;
  AddHost("d.test", 10, "mx1.test", "192.0.2.1");
  table_.AddMx("d.test", 20, "mx2.test");
  table_.Hang("mx2.test", DnsType::kA);
  AddHost("d.test", 30, "mx3.test", "192.0.2.3");
  const auto began = steady_clock::now();
  EXPECT_THAT(Texts(Find("d.test")), ElementsAre("mx1.test 192.0.2.1"));
  EXPECT_LT(steady_clock::now() - began, 3s);
}

TEST_F(MailHostsTest, AllHostsHangingIsNoReasonToGiveBack) {
  options_.deadline = 50ms;
  for (int i = 1; i <= 20; ++i) {
    const std::string name = "mx" + std::to_string(i) + ".test";
    table_.AddMx("d.test", static_cast<std::uint16_t>(i), name);
    table_.Hang(name, DnsType::kA);
    table_.Hang(name, DnsType::kAaaa);
  }
  const MailHosts found = Find("d.test");
  EXPECT_EQ(found.kind, Kind::kTryAgain);
  EXPECT_EQ(found.status, "4.4.3");
}

async::Task<void> Search(net::Resolver* resolver, const MailHostOptions* options, base::Random* random, bool* ended) {
  const MailHosts found = co_await FindMailHosts(resolver, "d.test", options, random);
  *ended = found.kind != Kind::kTryAgain;
}

TEST_F(MailHostsTest, CanBeCancelledAtAnyMoment) {
  for (const char* hanging : {"d.test", "mx1.test"}) {
    table_ = DnsTable();
    AddHost("d.test", 10, "mx1.test", "192.0.2.1");
    table_.Hang(hanging, hanging == std::string("d.test") ? DnsType::kMx : DnsType::kA);
    async::TaskGroup group(context_.get_executor(), "searches");
    bool ended = false;
    group.Spawn(Search(&resolver_, &options_, &random_, &ended));
    context_.restart();
    for (int i = 0; i < 50; ++i) context_.poll();
    const auto began = steady_clock::now();
    async::RunTask(context_, group.Stop());
    EXPECT_LT(steady_clock::now() - began, 2s);
    EXPECT_FALSE(ended);
  }
}

}  // namespace
}  // namespace deliver
