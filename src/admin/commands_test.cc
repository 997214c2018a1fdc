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
  Task<Result<std::string>> PasswordHash(std::string address) override {
    return store_->PasswordHash(std::move(address));
  }

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
        executor(), &*log_, &clock_, [](const std::string&) { return std::string("local"); },
        queue::MailQueueOptions{});
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
