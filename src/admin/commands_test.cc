// The commands on the real parts of a node: store, queue and log over a simulated disk.
#include "admin/commands.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <gtest/gtest.h>

#include "async/testing.h"
#include "base/base64.h"
#include "base/log.h"
#include "mffs/buffer_pool.h"
#include "mffs/sim_device.h"
#include "queue/testing.h"
#include "replog/local_coordinator.h"
#include "store/testing.h"

namespace admin {
namespace {

namespace json = boost::json;
using async::Task;
using base::Result;

class StoreDirectory final : public auth::Directory {
 public:
  explicit StoreDirectory(store::MailStore* store) : store_(store) {}
  Task<Result<auth::Credentials>> Find(std::string address) override {
    ASSIGN_OR_CO_RETURN(store::Credentials found, co_await store_->FindCredentials(std::move(address)));
    co_return auth::Credentials{std::move(found.password_hash), std::move(found.scram_keys)};
  }
  Task<Result<>> AddScramKeys(std::string address, auth::Credentials made) override {
    return store_->AddScramKeys(std::move(address), {std::move(made.password_hash), std::move(made.scram_keys)});
  }
  bool AllHaveScramKeys() const override { return store_->AccountsWithoutScramKeys() == 0; }

 private:
  store::MailStore* store_;
};

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    Must(Run(mffs::Volume::Format(&device_, {.segment_bytes = 1u << 20})));
    volume_ = Must(Run(mffs::Volume::Open(&device_, &clock_, {})));
    Must(Run(coordinator_.Load()));
    log_.emplace(executor(), volume_.get(), &pool_, &coordinator_,
                 replog::LogOptions{.mailbox_partitions = 4, .queue_partitions = 2});
    store_ = Must(store::MailStore::Open(executor(), &*log_, &clock_, {.index_folder = (folder_ / "index").string()}));
    queue_.emplace(
        executor(), &*log_, &clock_,
        [](const std::string& recipient) { return recipient.substr(recipient.find('@') + 1); },
        queue::MailQueueOptions{.destinations = {.failures_to_pause = 1},
                                .lane_of = [](const std::string&) { return queue::Lane::kRemote; }});
    Must(Run(log_->Recover(store_.get(), &*queue_)));
    directory_.emplace(store_.get());
    authenticator_.emplace(&*directory_, &clock_, auth::AuthenticatorOptions{});
    commands_.emplace(executor(), NodeParts{.store = store_.get(),
                                            .queue = &*queue_,
                                            .volume = volume_.get(),
                                            .log = &*log_,
                                            .authenticator = &*authenticator_,
                                            .hashing = &workers_,
                                            .clock = &clock_,
                                            .version = "1.2.3",
                                            .hostname = "mx.example.test",
                                            .domains = &domains_,
                                            .recipient_delimiter = '+',
                                            .sessions = [] {
                                              return std::vector<std::pair<std::string, std::uint64_t>>{{"imap", 2}};
                                            }});
  }
  ~CommandsTest() override {
    Run(commands_->Stop());
    Run(store_->Stop());
    Run(log_->Stop());
    base::Ignore(Run(volume_->Close()));  // The disk goes with the test.
  }

  async::Executor executor() { return context_.get_executor(); }
  template <class T>
  T Run(Task<T> task) {
    return async::RunTask(context_, std::move(task));
  }
  template <class T>
  static T Must(Result<T> result) {
    if (!result) std::fprintf(stderr, "%s\n", result.error().message().c_str());
    CHECK(result.has_value());
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  json::value Ask(const json::object& request) {
    return json::parse(Run(commands_->table()->Answer(json::serialize(request), {})));
  }
  // The result of a request that must succeed.
  json::object Do(const json::object& request) {
    const json::value answer = Ask(request);
    EXPECT_TRUE(answer.at("ok").as_bool()) << answer;
    return answer.as_object().contains("result") ? answer.at("result").as_object() : json::object();
  }
  // The sentence of one that must fail, after its code: "not_found: there is ...".
  std::string Fail(const json::object& request) {
    const json::value answer = Ask(request);
    if (answer.at("ok").as_bool()) return "it succeeded";
    return std::string(answer.at("code").as_string()) + ": " + std::string(answer.at("error").as_string());
  }
  bool LogsIn(std::string address, std::string password) {
    return Run(authenticator_->Verify(std::move(address), std::move(password), "127.0.0.1")).has_value();
  }
  std::string Enqueue(std::vector<std::string> recipients) {
    mail::Envelope envelope{
        .id = "m1", .sender = "s\xff@example.org", .client_ip = "192.0.2.1", .received = clock_.WallNow()};
    for (std::string& recipient : recipients) envelope.recipients.push_back({.address = std::move(recipient)});
    return Must(Run(queue::EnqueueText(&*queue_, std::move(envelope), "Subject: hi\r\n\r\nhello\r\n"))).ToString();
  }

  store::TestFolder folder_;
  asio::io_context context_{1};
  base::SimClock clock_;
  async::WorkerPool workers_{{.name = "test workers"}};
  mffs::SimDevice device_{executor(), 64u << 20};
  mffs::BufferPool pool_{executor(), {.budget_bytes = 32u << 20}};
  replog::LocalCoordinator coordinator_{executor(), &workers_, (folder_ / "epochs").string()};
  std::unique_ptr<mffs::Volume> volume_;
  std::optional<replog::Log> log_;
  std::unique_ptr<store::MailStore> store_;
  std::optional<queue::MailQueue> queue_;
  std::optional<StoreDirectory> directory_;
  std::optional<auth::Authenticator> authenticator_;
  const std::vector<std::string> domains_{"example.test", "xn--bcher-kva.example"};
  std::optional<Commands> commands_;
};

TEST_F(CommandsTest, AnAccountIsAddedListedAndRemoved) {
  const json::object made = Do({{"command", "user.add"}, {"address", "Alice@EXAMPLE.test"}, {"password", "secret"}});
  EXPECT_EQ(made.at("address").as_string(), "alice@example.test");
  EXPECT_TRUE(LogsIn("alice@example.test", "secret"));
  const json::object listed = Do({{"command", "user.list"}});
  ASSERT_EQ(listed.at("accounts").as_array().size(), 1u);
  EXPECT_EQ(listed.at("accounts").at(0).at("address").as_string(), "alice@example.test");
  EXPECT_FALSE(listed.contains("next"));
  Do({{"command", "user.remove"}, {"address", "ALICE@example.test"}});
  EXPECT_TRUE(Do({{"command", "user.list"}}).at("accounts").as_array().empty());
  EXPECT_FALSE(LogsIn("alice@example.test", "secret"));
}

TEST_F(CommandsTest, ANewPasswordCountsAtOnceThoughTheOldOneWasCached) {
  Do({{"command", "user.add"}, {"address", "alice@example.test"}, {"password", "old"}});
  ASSERT_TRUE(LogsIn("alice@example.test", "old"));
  Do({{"command", "user.passwd"}, {"address", "alice@example.test"}, {"password", "new"}});
  EXPECT_TRUE(LogsIn("alice@example.test", "new"));
  EXPECT_FALSE(LogsIn("alice@example.test", "old"));
}

TEST_F(CommandsTest, ListsAccountsInPages) {
  for (const char* const name : {"a", "b", "c"}) {
    Do({{"command", "user.add"}, {"address", std::string(name) + "@example.test"}, {"password", "x"}});
  }
  const json::object first = Do({{"command", "user.list"}, {"limit", 2}});
  EXPECT_EQ(first.at("accounts").as_array().size(), 2u);
  EXPECT_EQ(first.at("next").as_string(), "b@example.test");
  const json::object second = Do({{"command", "user.list"}, {"limit", 2}, {"after", first.at("next")}});
  ASSERT_EQ(second.at("accounts").as_array().size(), 1u);
  EXPECT_EQ(second.at("accounts").at(0).at("address").as_string(), "c@example.test");
  EXPECT_FALSE(second.contains("next"));
}

TEST_F(CommandsTest, ShowsAndSetsAnAccountsQuota) {
  store_->SetQuotaRule({.limits = {.bytes = 1000, .mails = 0}});
  Do({{"command", "user.add"}, {"address", "alice@example.test"}, {"password", "x"}});
  json::object quota = Do({{"command", "user.quota"}, {"address", "Alice@example.test"}});
  EXPECT_EQ(json::serialize(quota),
            R"({"address":"alice@example.test","mails":0,"bytes":0,"mails_max":0,"bytes_max":1000,"percent":0,)"
            R"("own_mails_max":false,"own_bytes_max":false,"scram":true})");
  quota = Do({{"command", "user.quota"}, {"address", "alice@example.test"}, {"mails_max", "5"}});
  EXPECT_EQ(quota.at("mails_max").to_number<unsigned>(), 5u);
  quota = Do({{"command", "user.quota"}, {"address", "alice@example.test"}, {"bytes_max", "none"}});
  EXPECT_EQ(quota.at("bytes_max").to_number<unsigned>(), 0u);
  EXPECT_TRUE(quota.at("own_bytes_max").as_bool());
  EXPECT_EQ(quota.at("mails_max").to_number<unsigned>(), 5u) << "what is not named stays";
  quota = Do({{"command", "user.quota"}, {"address", "alice@example.test"}, {"bytes_max", "default"}});
  EXPECT_EQ(quota.at("bytes_max").to_number<unsigned>(), 1000u);
  const json::object listed = Do({{"command", "user.list"}});
  EXPECT_EQ(listed.at("accounts").at(0).at("mails_max").to_number<unsigned>(), 5u);
  EXPECT_EQ(Fail({{"command", "user.quota"}, {"address", "alice@example.test"}, {"bytes_max", "a lot"}}),
            "invalid: bytes_max must be a number, \"none\" or \"default\"");
  EXPECT_EQ(Fail({{"command", "user.quota"}, {"address", "bob@example.test"}, {"mails_max", "1"}}),
            "not_found: there is no account bob@example.test; `posthorn user list` shows all");
}

TEST_F(CommandsTest, SaysWhatIsWrongWithAnAccountAndWhatToDo) {
  Do({{"command", "user.add"}, {"address", "alice@example.test"}, {"password", "x"}});
  const struct {
    json::object request;
    std::string answer;
  } rows[] = {
      {{{"command", "user.add"}, {"address", "alice@example.test"}, {"password", "x"}},
       "exists: the account alice@example.test exists; `posthorn user passwd` sets its password"},
      {{{"command", "user.add"}, {"address", "bob@elsewhere.test"}, {"password", "x"}},
       "invalid: elsewhere.test is not a domain of this node (it has example.test, xn--bcher-kva.example); add it to "
       "mail.domains in the configuration and reload, or use another"},
      {{{"command", "user.add"}, {"address", "bob+list@example.test"}, {"password", "x"}},
       "invalid: \"+\" in bob+list@example.test starts a sub-address, which has no account of its own; use "
       "bob@example.test"},
      {{{"command", "user.add"}, {"address", "bob+@example.test"}, {"password", "x"}},
       "invalid: \"+\" in bob+@example.test starts a sub-address, which has no account of its own; use "
       "bob@example.test"},
      {{{"command", "user.add"}, {"address", "bob@example.test"}, {"password", ""}},
       "invalid: set the password: the password is empty"},
      {{{"command", "user.passwd"}, {"address", "bob@example.test"}, {"password", "x"}},
       "not_found: there is no account bob@example.test; `posthorn user list` shows all"},
      {{{"command", "user.remove"}, {"address", "bob@elsewhere.test"}},
       "not_found: there is no account bob@elsewhere.test; `posthorn user list` shows all"},
      {{{"command", "queue.show"}, {"id", "abc"}},
       "invalid: \"abc\" is no queue id; `posthorn queue list` shows the ids in its first column"},
      {{{"command", "queue.hold"}, {"id", "80000000-9"}},
       "not_found: there is no mail 80000000-9 in the queue; it may have been delivered meanwhile"},
  };
  for (const auto& row : rows) EXPECT_EQ(Fail(row.request), row.answer) << json::serialize(row.request);
  EXPECT_TRUE(Fail({{"command", "user.add"}, {"address", "nobody"}, {"password", "x"}})
                  .starts_with("invalid: \"nobody\" is no"));
}

TEST_F(CommandsTest, AccountsMayHaveInternationalNames) {
  const json::object made = Do({{"command", "user.add"},
                                {"address",
                                 "J\xc3\xb6rg@b\xc3\xbc"
                                 "cher.example"},
                                {"password", "x"}});
  EXPECT_EQ(made.at("address").as_string(), "j\xc3\xb6rg@xn--bcher-kva.example");
}

TEST_F(CommandsTest, AQueuedMailIsShownWithItsRecipients) {
  const std::string id = Enqueue({"a@example.test", "b@example.test"});
  clock_.Advance(std::chrono::seconds(90));
  const json::object listed = Do({{"command", "queue.list"}});
  ASSERT_EQ(listed.at("mails").as_array().size(), 1u);
  const json::object line = listed.at("mails").at(0).as_object();
  EXPECT_EQ(line.at("id").as_string(), id);
  EXPECT_EQ(line.at("age_seconds").as_int64(), 90);
  EXPECT_EQ(line.at("recipients").to_number<int>(), 2);
  EXPECT_EQ(line.at("waiting").to_number<int>(), 2);
  EXPECT_EQ(line.at("sender").as_string(), "s\xc3\xbf@example.org") << "JSON is UTF-8 whatever the sender was";
  EXPECT_EQ(line.at("queued_at").as_string(), "2027-01-15T08:00:00Z");
  const json::object shown = Do({{"command", "queue.show"}, {"id", id}});
  ASSERT_EQ(shown.at("recipients").as_array().size(), 2u);
  EXPECT_EQ(shown.at("recipients").at(1).at("address").as_string(), "b@example.test");
  EXPECT_EQ(shown.at("recipients").at(1).at("state").as_string(), "waiting");
  EXPECT_EQ(shown.at("client_ip").as_string(), "192.0.2.1");
}

TEST_F(CommandsTest, TheQueueIsListedInPages) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Enqueue({"a@example.test"}));
  std::vector<std::string> seen;
  json::object request{{"command", "queue.list"}, {"limit", 2}};
  for (int page = 0; page < 5; ++page) {
    const json::object listed = Do(request);
    for (const json::value& mail : listed.at("mails").as_array()) seen.emplace_back(mail.at("id").as_string());
    if (!listed.contains("next")) break;
    request["after"] = listed.at("next");
  }
  std::ranges::sort(ids);
  std::ranges::sort(seen);
  EXPECT_EQ(seen, ids);
}

TEST_F(CommandsTest, AMailIsHeldReleasedRequeuedAndRemoved) {
  const std::string id = Enqueue({"a@example.test"});
  const auto state = [&] {
    return std::string(Do({{"command", "queue.show"}, {"id", id}}).at("recipients").at(0).at("state").as_string());
  };
  EXPECT_EQ(Do({{"command", "queue.hold"}, {"id", id}}).at("id").as_string(), id);
  EXPECT_EQ(state(), "held");
  EXPECT_EQ(Do({{"command", "status"}}).at("queue").at("recipients_held").to_number<int>(), 1);
  Do({{"command", "queue.release"}, {"id", id}});
  EXPECT_EQ(state(), "waiting");
  Do({{"command", "queue.requeue"}, {"id", id}});
  EXPECT_EQ(state(), "waiting");
  Do({{"command", "queue.remove"}, {"id", id}});
  EXPECT_TRUE(Do({{"command", "queue.list"}}).at("mails").as_array().empty());
}

TEST_F(CommandsTest, TheQueueIsListedByCriteria) {
  const std::string first = Enqueue({"a@x.test", "b@y.test"});
  clock_.Advance(std::chrono::hours(2));
  const std::string second = Enqueue({"c@x.test"});
  Do({{"command", "queue.hold"}, {"id", second}});
  const struct {
    json::object criteria;
    std::vector<std::string> ids;
  } rows[] = {{{{"recipient", "@x.test"}}, {first, second}},
              {{{"recipient", "b@y.test"}}, {first}},
              {{{"destination", "y.test"}}, {first}},
              {{{"state", "held"}}, {second}},
              {{{"older_than_seconds", 3600}}, {first}},
              {{{"newer_than_seconds", 3600}}, {second}},
              {{{"class", "bulk"}}, {}},
              {{{"recipient", "@x.test"}, {"state", "waiting"}}, {first}}};
  for (const auto& row : rows) {
    json::object request = row.criteria;
    request["command"] = "queue.list";
    std::vector<std::string> ids;
    for (const json::value& mail : Do(request).at("mails").as_array()) ids.emplace_back(mail.at("id").as_string());
    std::vector<std::string> expected = row.ids;
    std::ranges::sort(expected);
    std::ranges::sort(ids);
    EXPECT_EQ(ids, expected) << json::serialize(row.criteria);
  }
  const json::object held = Do({{"command", "queue.list"}, {"recipient", "b@y.test"}}).at("mails").at(0).as_object();
  ASSERT_EQ(held.at("first_recipients").as_array().size(), 1u) << "those that match";
  EXPECT_EQ(held.at("first_recipients").at(0).at("destination").as_string(), "y.test");
}

TEST_F(CommandsTest, TheQueueIsCountedByDestination) {
  for (int i = 0; i < 3; ++i) Enqueue({"a@x.test"});
  const std::string held = Enqueue({"b@y.test", "c@x.test"});
  clock_.Advance(std::chrono::minutes(30));
  Do({{"command", "queue.hold"}, {"id", held}});
  const json::object tally = Do({{"command", "queue.tally"}, {"limit", 1}});
  EXPECT_EQ(tally.at("by").as_string(), "destination");
  EXPECT_EQ(tally.at("group_count").to_number<int>(), 2);
  ASSERT_EQ(tally.at("groups").as_array().size(), 1u);
  const json::object x = tally.at("groups").at(0).as_object();
  EXPECT_EQ(x.at("key").as_string(), "x.test");
  EXPECT_EQ(x.at("mails").to_number<int>(), 4);
  EXPECT_EQ(x.at("waiting").to_number<int>(), 3);
  EXPECT_EQ(x.at("held").to_number<int>(), 1);
  EXPECT_EQ(x.at("mails_by_age").at(2).to_number<int>(), 4) << "between 20 minutes and an hour";
  EXPECT_EQ(x.at("oldest_seconds").to_number<int>(), 1800);
  EXPECT_EQ(tally.at("total").at("mails").to_number<int>(), 4);
  const json::object senders = Do({{"command", "queue.tally"}, {"by", "sender"}, {"state", "held"}});
  ASSERT_EQ(senders.at("groups").as_array().size(), 1u);
  EXPECT_EQ(senders.at("groups").at(0).at("mails").to_number<int>(), 1);
  EXPECT_EQ(Fail({{"command", "queue.tally"}, {"by", "colour"}}),
            "invalid: the queue is counted by destination, sender or class");
}

TEST_F(CommandsTest, ManyMailsAreChangedInStepsAndCounted) {
  for (int i = 0; i < 1'100; ++i) Enqueue({i % 2 == 0 ? "a@x.test" : "b@y.test"});
  const auto change = [this](json::object request) {
    std::uint64_t changed = 0;
    for (int step = 0; step < 10; ++step) {
      const json::object answer = Do(request);
      changed += answer.at("changed").to_number<std::uint64_t>();
      EXPECT_LE(answer.at("changed").to_number<int>(), 500);
      if (!answer.contains("next")) break;
      request["after"] = answer.at("next");
    }
    return changed;
  };
  const auto held = [this] { return Do({{"command", "status"}}).at("queue").at("recipients_held").to_number<int>(); };
  EXPECT_EQ(change({{"command", "queue.hold"}, {"all", true}, {"dry_run", true}}), 1'100u);
  EXPECT_EQ(held(), 0) << "a dry run changes nothing";
  EXPECT_EQ(change({{"command", "queue.hold"}, {"destination", "x.test"}}), 550u);
  EXPECT_EQ(held(), 550);
  EXPECT_EQ(change({{"command", "queue.hold"}, {"all", true}}), 550u) << "what is held already does not count";
  EXPECT_EQ(change({{"command", "queue.release"}, {"recipient", "@y.test"}}), 550u);
  EXPECT_EQ(held(), 550);
  EXPECT_EQ(change({{"command", "queue.requeue"}, {"all", true}}), 0u) << "all of it is due already";
  EXPECT_EQ(change({{"command", "queue.remove"}, {"state", "held"}}), 550u);
  EXPECT_EQ(change({{"command", "queue.remove"}, {"all", true}}), 550u);
  EXPECT_EQ(Do({{"command", "status"}}).at("queue").at("mails").to_number<int>(), 0);
}

TEST_F(CommandsTest, RequeueEndsThePauseOfADestination) {
  for (const char* const recipient : {"a@x.test", "a@x.test", "b@y.test"}) Enqueue({recipient});
  const queue::Claim claim = Run(queue_->NextClaim(queue::Lane::kRemote));
  ASSERT_EQ(claim.destination, "x.test");
  queue_->Report(claim, queue::Reach::kUnreachable, "connect: refused");
  queue_->GiveBack(claim);
  json::object tally = Do({{"command", "queue.tally"}});
  const json::object x = tally.at("groups").at(0).as_object();
  EXPECT_EQ(x.at("key").as_string(), "x.test");
  EXPECT_GT(x.at("paused_seconds").to_number<int>(), 0);
  EXPECT_EQ(x.at("pause_reason").as_string(), "connect: refused");
  const json::object request{{"command", "queue.requeue"}, {"destination", "x.test"}};
  json::object dry_run = request;
  dry_run["dry_run"] = true;
  EXPECT_EQ(Do(dry_run).at("pauses_ended").to_number<int>(), 1);
  EXPECT_EQ(Do(request).at("pauses_ended").to_number<int>(), 1);
  EXPECT_EQ(Do(request).at("pauses_ended").to_number<int>(), 0) << "it is over";
  tally = Do({{"command", "queue.tally"}});
  EXPECT_FALSE(tally.at("groups").at(0).as_object().contains("paused_seconds"));
}

TEST_F(CommandsTest, RemovingARecipientsMailLeavesWhatOthersWaitFor) {
  Enqueue({"nobody@x.test"});
  const std::string shared = Enqueue({"nobody@x.test", "somebody@y.test"});
  json::object request{{"command", "queue.remove"}, {"recipient", "nobody@x.test"}};
  json::object answer = Do(request);
  EXPECT_EQ(answer.at("changed").to_number<int>(), 1);
  EXPECT_EQ(answer.at("left").to_number<int>(), 1);
  EXPECT_EQ(Do({{"command", "queue.show"}, {"id", shared}}).at("id").as_string(), shared);
  // Held and released is the whole mail.
  answer = Do({{"command", "queue.hold"}, {"recipient", "nobody@x.test"}});
  EXPECT_EQ(answer.at("changed").to_number<int>(), 1);
  EXPECT_EQ(answer.at("with_others").to_number<int>(), 1);
  EXPECT_EQ(Do({{"command", "queue.show"}, {"id", shared}}).at("held").to_number<int>(), 2);
  request["whole_mail"] = true;
  EXPECT_EQ(Do(request).at("changed").to_number<int>(), 1);
  EXPECT_TRUE(Do({{"command", "queue.list"}}).at("mails").as_array().empty());
}

TEST_F(CommandsTest, AChangeOfManySaysWhichMails) {
  Enqueue({"a@x.test"});
  const std::string which = "invalid: say which mails: an id, criteria, or \"all\"";
  EXPECT_EQ(Fail({{"command", "queue.remove"}}), which);
  EXPECT_EQ(Fail({{"command", "queue.hold"}, {"dry_run", true}}), which);
  EXPECT_EQ(Fail({{"command", "queue.hold"}, {"all", false}}), which);
  EXPECT_EQ(Fail({{"command", "queue.hold"}, {"all", true}, {"sender", "@x.test"}}),
            "invalid: \"all\" means every mail; give it or criteria, not both");
  EXPECT_EQ(Fail({{"command", "queue.hold"}, {"id", "80000000-1"}, {"sender", "@x.test"}}),
            "invalid: a mail named by its id needs no other criterion; give the one or the other");
  EXPECT_EQ(Fail({{"command", "queue.hold"}, {"all", true}, {"whole_mail", true}}),
            "invalid: this command has no argument \"whole_mail\"");
  EXPECT_EQ(Do({{"command", "status"}}).at("queue").at("recipients_held").to_number<int>(), 0);
}

TEST_F(CommandsTest, WhoRemovedAMailIsInTheLog) {
  static std::vector<std::string>* lines = nullptr;
  std::vector<std::string> seen;
  lines = &seen;
  base::SetLogSink([](std::string_view line) { lines->emplace_back(line); });
  Enqueue({"a@x.test"});
  const std::string request = json::serialize(json::object{{"command", "queue.remove"}, {"recipient", "@x.test"}});
  const json::value answer =
      json::parse(Run(commands_->table()->Answer(request, {.user_id = 4711, .group_id = 1, .process_id = 7})));
  base::SetLogSink(nullptr);
  EXPECT_TRUE(answer.at("ok").as_bool()) << answer;
  std::string all;
  for (const std::string& line : seen) all += line + "\n";
  EXPECT_NE(all.find("mail_removed"), std::string::npos) << all;
  EXPECT_NE(all.find("by=\"uid 4711\""), std::string::npos) << all;
  EXPECT_NE(all.find("command=queue.remove target=\"recipient=@x.test\" uid=4711"), std::string::npos) << all;
}

TEST_F(CommandsTest, AQueuedMailIsReadInPieces) {
  const std::string id = Enqueue({"a@x.test"});
  const auto read = [&](std::uint64_t offset) {
    const json::object answer = Do({{"command", "queue.cat"}, {"id", id}, {"offset", offset}});
    return *base::DecodeBase64(std::string(answer.at("base64").as_string()));
  };
  EXPECT_EQ(read(0), "Subject: hi\r\n\r\nhello\r\n");
  EXPECT_EQ(read(15), "hello\r\n");
  EXPECT_EQ(read(10'000), "");
  EXPECT_EQ(Fail({{"command", "queue.cat"}, {"id", "80000000-99"}}),
            "not_found: there is no mail 80000000-99 in the queue; it may have been delivered meanwhile");
}

TEST_F(CommandsTest, StatusTellsOfEveryPart) {
  Do({{"command", "user.add"}, {"address", "alice@example.test"}, {"password", "x"}});
  Enqueue({"a@example.test"});
  clock_.Advance(std::chrono::hours(2));
  const json::object status = Do({{"command", "status"}});
  EXPECT_EQ(status.at("version").as_string(), "1.2.3");
  EXPECT_EQ(status.at("hostname").as_string(), "mx.example.test");
  EXPECT_EQ(status.at("uptime_seconds").as_int64(), 7200);
  EXPECT_EQ(status.at("sessions").at("imap").to_number<int>(), 2);
  EXPECT_EQ(status.at("queue").at("mails").to_number<int>(), 1);
  EXPECT_GE(status.at("log").at("entries_committed").to_number<int>(), 2);
  EXPECT_GT(status.at("volume").at("capacity_bytes").to_number<std::uint64_t>(), 32u << 20);
  EXPECT_FALSE(status.at("volume").at("read_only").as_bool());
  EXPECT_EQ(status.at("recovery").at("corruption_count").to_number<int>(), 0);
  EXPECT_GT(status.at("volume").at("live_bytes_by_stream").at("transit").to_number<int>(), 0);
}

}  // namespace
}  // namespace admin
