// No shard blocks: while the disk, RocksDB, the password hashing or the DNS stands still for 5 s, other sessions' NOOP
// is answered.
#include <algorithm>

#include <arpa/inet.h>
#include <crypt.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "node/client.h"
#include "node/node_rig.h"

namespace node {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStall{5};
constexpr std::chrono::milliseconds kAnswerMax{50};
constexpr std::string_view kAlice = "alice@example.test";
constexpr std::string_view kMail = "Subject: stalled\r\n\r\nWaits.\r\n";

// A session in some state that asks NOOP again and again.
struct Probe {
  std::string name;
  std::unique_ptr<Client> client;
  std::string_view noop;
  std::string_view yes;
  std::uint64_t answers = 0;
  Clock::duration longest{};
};

void AskNoop(Probe* probe) {
  const auto begin = Clock::now();
  probe->client->Send(probe->noop);
  const auto line = probe->client->ReadLine();
  probe->longest = std::max(probe->longest, Clock::now() - begin);
  ASSERT_TRUE(line.has_value() && line->starts_with(probe->yes)) << probe->name << ": " << line.value_or("(nothing)");
  probe->answers += 1;
}

bool HasAnswer(const Client& client) {
  pollfd wait{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 0) == 1;
}

// Rounds of SHA-512 crypt that take at least `time` here. The quickest of some samples counts: a busy machine only
// slows them.
std::uint64_t RoundsFor(std::chrono::duration<double> time) {
  constexpr std::uint64_t kSample = 50'000;
  std::chrono::duration<double> quickest = std::chrono::hours(1);
  for (int i = 0; i < 8; ++i) {
    crypt_data scratch{};
    const auto begin = Clock::now();
    EXPECT_NE(::crypt_r("sample", fmt::format("$6$rounds={}$posthorn", kSample).c_str(), &scratch), nullptr);
    quickest = std::min<std::chrono::duration<double>>(quickest, Clock::now() - begin);
  }
  return static_cast<std::uint64_t>(static_cast<double>(kSample) * (time / quickest));
}

// A DNS server that hears questions and says nothing.
class SilentDnsServer {
 public:
  SilentDnsServer() : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ::ntohs(address.sin_port);
  }
  ~SilentDnsServer() { ::close(descriptor_); }
  SilentDnsServer(const SilentDnsServer&) = delete;
  SilentDnsServer& operator=(const SilentDnsServer&) = delete;

  std::string Name() const { return fmt::format("127.0.0.1@{}", port_); }
  // Questions heard since the last call.
  int Questions() {
    int count = 0;
    char question[512];
    while (::recv(descriptor_, question, sizeof question, 0) > 0) ++count;
    return count;
  }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

class NodeStall : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(rig_.start_error(), "");
    rig_.AddAccount(std::string(kAlice));
    rig_.AddAccount("bob@example.test");
    AddSmtpProbes();
    AddImapProbes();
    Client pop3(rig_.port("pop3"));
    ASSERT_TRUE(BeginPop3(&pop3, kAlice));
    AddProbe("POP3, logged in", std::move(pop3), "NOOP\r\n", "+OK");
  }
  void AddSmtpProbes() {
    for (const bool in_mail : {false, true}) {
      Client client(rig_.port("smtp"));
      ASSERT_TRUE(BeginSmtp(&client));
      if (in_mail) ASSERT_TRUE(AskSmtp(&client, "MAIL FROM:<sender@example.org>").starts_with("250"));
      if (in_mail) ASSERT_TRUE(AskSmtp(&client, fmt::format("RCPT TO:<{}>", kAlice)).starts_with("250"));
      AddProbe(in_mail ? "SMTP, after RCPT" : "SMTP, after EHLO", std::move(client), "NOOP\r\n", "250");
    }
  }
  void AddImapProbes() {
    Client stranger(rig_.port("imap"));
    ASSERT_TRUE(stranger.ReadLine().has_value());
    AddProbe("IMAP, not logged in", std::move(stranger), "n NOOP\r\n", "n OK");
    for (const bool selected : {false, true}) {
      Client client(rig_.port("imap"));
      ASSERT_TRUE(BeginImap(&client, kAlice));
      if (selected) ASSERT_TRUE(AskImap(&client, "SELECT INBOX").ok());
      AddProbe(selected ? "IMAP, selected" : "IMAP, logged in", std::move(client), "n NOOP\r\n", "n OK");
    }
  }
  void AddProbe(std::string name, Client client, std::string_view noop, std::string_view yes) {
    probes_.push_back(
        {.name = std::move(name), .client = std::make_unique<Client>(std::move(client)), .noop = noop, .yes = yes});
  }
  // `victim` waits for what stands still, and shows that it does.
  void ProbeWhileStalled(const std::string& what, const Client& victim) {
    ProbeFor(what);
    EXPECT_FALSE(HasAnswer(victim)) << what << " did not stand still";
  }
  // Asks all probes in turn for the time of the stall.
  void ProbeFor(const std::string& what) {
    const auto end = Clock::now() + kStall;
    while (Clock::now() < end && !HasFatalFailure()) {
      for (Probe& probe : probes_) AskNoop(&probe);
    }
    for (const Probe& probe : probes_) {
      const double ms = std::chrono::duration<double, std::milli>(probe.longest).count();
      std::printf("%-18s stalled 5 s: %-20s %7llu NOOPs, longest %6.2f ms\n", what.c_str(), probe.name.c_str(),
                  static_cast<unsigned long long>(probe.answers), ms);
      EXPECT_LE(probe.longest, kAnswerMax) << probe.name << " while " << what << " is stalled";
    }
  }

  Folder folder_;
  SilentDnsServer dns_;
  NodeRig rig_{{.image = FormattedImage(48u << 20), .folder = folder_.path(), .dns_servers = {dns_.Name()}}};
  std::vector<Probe> probes_;
};

TEST_F(NodeStall, NoopIsAnsweredWhileTheDiskHangs) {
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  ASSERT_EQ(BeginMail(&smtp, {std::string(kAlice)}), "");
  rig_.OnShard([this] {
    for (const auto on : {mffs::SimOperation::kWrite, mffs::SimOperation::kRead, mffs::SimOperation::kFlush}) {
      rig_.device().Plant({.kind = mffs::PlantedFault::Kind::kHang, .on = on, .times = mffs::PlantedFault::kAlways});
    }
  });
  smtp.Send(Stuffed(kMail));
  ProbeWhileStalled("the disk", smtp);
  rig_.OnShard([this] { rig_.device().Unhang(); });
  EXPECT_TRUE(ReadSmtpReply(&smtp).starts_with("250"));
}

TEST_F(NodeStall, NoopIsAnsweredWhileRocksDbStandsStill) {
  Client imap(rig_.port("imap"));
  ASSERT_TRUE(BeginImap(&imap, "bob@example.test"));
  rig_.OnShard([this] { rig_.store().HoldWorkers(true); });
  imap.Send("t STATUS INBOX (MESSAGES)\r\n");
  // Mail is accepted meanwhile: it is durable in the log.
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  EXPECT_EQ(SendMail(&smtp, {std::string(kAlice)}, kMail).substr(0, 3), "250");
  ProbeWhileStalled("RocksDB", imap);
  rig_.OnShard([this] { rig_.store().HoldWorkers(false); });
  EXPECT_TRUE(ReadImapAnswer(&imap, "t").ok());
}

TEST_F(NodeStall, NoopIsAnsweredWhilePasswordsAreHashed) {
  // Measured a moment ago: by now the processor may be twice as fast.
  const std::uint64_t rounds = RoundsFor(kStall * 2.5);
  rig_.AddAccountWithHash("slow@example.test", fmt::format("$6$rounds={}$posthorn$none", rounds));
  Client imap(rig_.port("imap"));
  ASSERT_TRUE(imap.ReadLine().has_value());
  imap.Send("t LOGIN slow@example.test wrong\r\n");
  ProbeWhileStalled("password hashing", imap);
  EXPECT_TRUE(ReadImapAnswer(&imap, "t").status.starts_with("NO"));
}

TEST_F(NodeStall, NoopIsAnsweredWhileTheDnsHangs) {
  constexpr std::uint64_t kMails = 100;
  Client smtp(rig_.port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  const std::string login = fmt::format("{0}{1}{0}{2}", '\0', kAlice, kPassword);
  ASSERT_EQ(AskSmtp(&smtp, "AUTH PLAIN " + base::EncodeBase64(login)).substr(0, 3), "235");
  for (std::uint64_t n = 0; n < kMails; ++n) {
    ASSERT_EQ(SendMail(&smtp, {fmt::format("somebody@far{}.test", n)}, kMail, kAlice).substr(0, 3), "250");
  }
  ProbeFor("the DNS");
  EXPECT_GE(dns_.Questions(), static_cast<int>(kMails)) << "nobody asked for the hosts";
  EXPECT_EQ(rig_.QueuedMails(), kMails);
}

}  // namespace
}  // namespace node
