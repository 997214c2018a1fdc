// No yes leaves the node while the flush that it rests on has not ended.
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "node/client.h"
#include "node/node_rig.h"

namespace node {
namespace {

constexpr std::chrono::milliseconds kHeld{1000};
constexpr std::string_view kMail = "Subject: held\r\n\r\nThe disk takes its time.\r\n";

// One client that has asked for something durable and waits for the answer.
struct Waiting {
  std::string name;
  std::unique_ptr<Client> client;
  std::function<std::string(Client*)> answer;
  std::string yes;  // What the answer begins with once the flush has ended.
};

// Whether any of them gets a byte within `time`.
std::vector<std::string> WhoIsAnswered(const std::vector<Waiting>& waiting, std::chrono::milliseconds time) {
  std::vector<pollfd> polled;
  polled.reserve(waiting.size());
  for (const Waiting& one : waiting) polled.push_back({.fd = one.client->descriptor(), .events = POLLIN, .revents = 0});
  ::poll(polled.data(), polled.size(), static_cast<int>(time.count()));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0) names.push_back(waiting[i].name);
  }
  return names;
}

class NodeHeldFlush : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rig_.start_error(), "");
    for (const char* address : {"alice@example.test", "bob@example.test"}) rig_.AddAccount(address);
    Client imap(rig_.port("imap"));
    ASSERT_TRUE(BeginImap(&imap, "alice@example.test"));
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(AskImap(&imap, AppendCommand("INBOX", {}, kMail)).ok());
    ASSERT_TRUE(AskImap(&imap, "CREATE Other").ok());
    ASSERT_TRUE(AskImap(&imap, "SELECT INBOX").ok());
    ASSERT_TRUE(AskImap(&imap, "STORE 4 +FLAGS (\\Deleted)").ok());
  }
  // A session ready to send the last bytes of a mail.
  Waiting Smtp(const std::string& name, const std::vector<std::string>& recipients) {
    auto client = std::make_unique<Client>(rig_.port("smtp"));
    EXPECT_TRUE(BeginSmtp(client.get()));
    EXPECT_EQ(BeginMail(client.get(), recipients), "");
    return {.name = name, .client = std::move(client), .answer = ReadSmtpReply, .yes = "250"};
  }
  Waiting Imap(const std::string& name) {
    auto client = std::make_unique<Client>(rig_.port("imap"));
    EXPECT_TRUE(BeginImap(client.get(), "alice@example.test"));
    EXPECT_TRUE(AskImap(client.get(), "SELECT INBOX").ok());
    return {.name = name,
            .client = std::move(client),
            .answer = [](Client* c) { return ReadImapAnswer(c, "h").status; },
            .yes = "OK"};
  }
  Waiting Pop3(const std::string& name) {
    auto client = std::make_unique<Client>(rig_.port("pop3"));
    EXPECT_TRUE(BeginPop3(client.get(), "alice@example.test"));
    EXPECT_TRUE(AskPop3(client.get(), "DELE 1").starts_with("+OK"));
    return {.name = name,
            .client = std::move(client),
            .answer = [](Client* c) { return c->ReadLine().value_or(""); },
            .yes = "+OK"};
  }

  Folder folder_;
  NodeRig rig_{{.image = FormattedImage(48u << 20), .folder = folder_.path()}};
};

TEST_F(NodeHeldFlush, NothingIsAcknowledgedBeforeItsFlushEnds) {
  std::vector<Waiting> waiting;
  std::vector<std::string> requests;
  const auto add = [&](Waiting one, std::string request) {
    waiting.push_back(std::move(one));
    requests.push_back(std::move(request));
  };
  add(Smtp("direct mail", {"alice@example.test"}), Stuffed(kMail));
  add(Smtp("queued mail", {"alice@example.test", "bob@example.test"}), Stuffed(kMail));
  add(Imap("APPEND"), "h " + AppendCommand("INBOX", {}, kMail) + "\r\n");
  add(Imap("STORE"), "h STORE 1 FLAGS (\\Flagged)\r\n");
  add(Imap("STORE silent"), "h STORE 2 +FLAGS.SILENT (\\Seen)\r\n");
  add(Imap("COPY"), "h COPY 1:2 Other\r\n");
  add(Imap("EXPUNGE"), "h EXPUNGE\r\n");
  add(Imap("CREATE"), "h CREATE New\r\n");
  add(Pop3("QUIT with deletions"), "QUIT\r\n");

  // One at a time: each has a flush of its own to wait for.
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    rig_.OnShard([&] { rig_.device().HoldSyncs(true); });
    waiting[i].client->Send(requests[i]);
    EXPECT_TRUE(WhoIsAnswered(waiting, kHeld).empty()) << waiting[i].name << " was answered before its flush";
    const std::size_t held = rig_.OnShard([&] {
      const std::size_t count = rig_.device().held();
      rig_.device().HoldSyncs(false);
      return count;
    });
    EXPECT_GE(held, 1u) << waiting[i].name;
    const std::string answer = waiting[i].answer(waiting[i].client.get());
    EXPECT_TRUE(answer.starts_with(waiting[i].yes)) << waiting[i].name << ": " << answer;
  }
  const std::string metrics = HttpGet(rig_.port("http"), "/metrics");
  EXPECT_NE(metrics.find("posthorn_smtp_mails_accepted_total{path=\"direct\"} 1\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("posthorn_smtp_mails_accepted_total{path=\"queue\"} 1\n"), std::string::npos) << metrics;
}

TEST_F(NodeHeldFlush, AllSessionsWaitForTheSameDiskTogether) {
  std::vector<Waiting> waiting;
  waiting.reserve(6);
  for (int i = 0; i < 4; ++i) waiting.push_back(Smtp(fmt::format("mail {}", i), {"alice@example.test"}));
  waiting.push_back(Imap("APPEND"));
  waiting.push_back(Imap("STORE"));
  rig_.OnShard([&] { rig_.device().HoldSyncs(true); });
  for (int i = 0; i < 4; ++i) waiting[static_cast<std::size_t>(i)].client->Send(Stuffed(kMail));
  waiting[4].client->Send("h " + AppendCommand("INBOX", {}, kMail) + "\r\n");
  waiting[5].client->Send("h STORE 1 +FLAGS (\\Flagged)\r\n");
  const auto answered = WhoIsAnswered(waiting, kHeld);
  EXPECT_TRUE(answered.empty()) << answered.front() << " was answered before its flush";
  rig_.OnShard([&] { rig_.device().HoldSyncs(false); });
  for (Waiting& one : waiting) {
    const std::string answer = one.answer(one.client.get());
    EXPECT_TRUE(answer.starts_with(one.yes)) << one.name << ": " << answer;
  }
}

}  // namespace
}  // namespace node
