// Dialogues with a POP3 session over a connection in memory, with a real store behind it.
#include "pop3/server/session.h"

#include <deque>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "async/task_group.h"
#include "async/testing.h"
#include "auth/authenticator.h"
#include "auth/testing.h"
#include "base/base64.h"
#include "net/memory_connection.h"
#include "store/testing.h"

namespace pop3::server {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using async::RunTask;
using async::Task;
using base::Errc;
using base::Result;

constexpr const char* kAlice = "alice@example.test";
constexpr const char* kBob = "bob@example.test";

class StoreDirectory final : public auth::Directory {
 public:
  explicit StoreDirectory(store::MailStore* store) : store_(store) {}
  Task<Result<auth::Credentials>> Find(std::string address) override {
    if (is_failing) co_return base::Error(Errc::kIo, "the directory is down");
    ASSIGN_OR_CO_RETURN(store::Credentials found, co_await store_->FindCredentials(std::move(address)));
    co_return auth::Credentials{std::move(found.password_hash), std::move(found.scram_keys)};
  }
  Task<Result<>> AddScramKeys(std::string address, auth::Credentials made) override {
    return store_->AddScramKeys(std::move(address), {std::move(made.password_hash), std::move(made.scram_keys)});
  }
  bool AllHaveScramKeys() const override { return store_->AccountsWithoutScramKeys() == 0; }

  bool is_failing = false;

 private:
  store::MailStore* store_;
};

Task<void> NoWait(std::chrono::milliseconds) {
  co_return;
}

Task<std::string> ReadLine(net::Connection* connection, std::string* unread) {
  for (;;) {
    const std::size_t end = unread->find("\r\n");
    if (end != std::string::npos) {
      std::string line = unread->substr(0, end);
      unread->erase(0, end + 2);
      co_return line;
    }
    char piece[4096];
    const auto size = co_await connection->Read(piece);
    if (!size.has_value()) co_return "<closed>";
    unread->append(piece, *size);
  }
}

Task<void> RunSession(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services) {
  Session session(std::move(connection), settings, services);
  co_await session.Run();
}

// The client's end of a session.
struct Client {
  std::unique_ptr<net::MemoryConnection> connection;
  std::string unread;
};

class Pop3Session : public testing::Test {
 protected:
  Pop3Session() : sweep_(node_.executor(), &node_.clock()), sessions_(node_.executor(), "sessions") {
    for (const char* address : {kAlice, kBob}) node_.AddAccount(address, kHash);
    SetUpServices();
  }
  ~Pop3Session() override { RunTask(context(), sessions_.Stop()); }

  void SetUpServices() {
    directory_ = std::make_unique<StoreDirectory>(&node_.store());
    auth::AuthenticatorOptions options;
    options.wait = NoWait;
    authenticator_ = std::make_unique<auth::Authenticator>(directory_.get(), &node_.clock(), options);
    services_ = {.store = &node_.store(),
                 .authenticator = authenticator_.get(),
                 .tls = nullptr,
                 .locks = &locks_,
                 .metrics = {}};
    settings_ = {.hostname = "mx.example.test", .plaintext_auth_on_loopback = true};
  }
  asio::io_context& context() { return node_.context(); }

  // ---- the store ----
  store::Mailbox InboxOf(const std::string& address) {
    const auto account = node_.Do(node_.store().FindAccount(address));
    return node_.Do(node_.store().FindMailbox(account.id, "INBOX"));
  }
  std::uint32_t AddMail(const std::string& address, const std::string& text) {
    const store::MailboxId inbox = InboxOf(address).id;
    return node_.Do(node_.store().Append(inbox, {}, node_.clock().WallNow(), node_.MakeBody(text))).uid;
  }
  std::size_t MailsOf(const std::string& address) { return InboxOf(address).messages; }
  void RemoveMail(const std::string& address, std::uint32_t uid) {
    const auto removed = node_.Do(node_.store().Expunge(InboxOf(address).id, {uid}, false));
    EXPECT_EQ(removed, std::vector<std::uint32_t>{uid});
  }

  // ---- the dialogue ----
  Client Connect(net::MemoryOptions options = {}) {
    auto pair = net::MemoryConnection::MakePair(node_.executor(), &sweep_, std::move(options));
    sessions_.Spawn(RunSession(std::move(pair.server), &settings_, &services_));
    return {.connection = std::move(pair.client), .unread = ""};
  }
  std::string Read(Client& client) { return RunTask(context(), ReadLine(client.connection.get(), &client.unread)); }
  void Send(Client& client, const std::string& text) {
    ASSERT_TRUE(RunTask(context(), client.connection->Write(text)).has_value());
  }
  // A script of lines "C: what the client says" and "S: what must be answered"; "S: text..." stands for a beginning.
  // All of the client's lines up to the next S go out in one write.
  void Talk(Client& client, std::string_view script) {
    std::string said;
    while (!script.empty()) {
      const std::size_t end = std::min(script.find('\n'), script.size());
      std::string_view line = script.substr(0, end);
      script.remove_prefix(std::min(end + 1, script.size()));
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      if (line.starts_with("C: ")) {
        said.append(line.substr(3)).append("\r\n");
      } else if (line.starts_with("S: ")) {
        if (!said.empty()) Send(client, std::exchange(said, {}));
        Expect(Read(client), line.substr(3));
      } else {
        EXPECT_TRUE(line.empty()) << "not a line of a script: " << line;
      }
    }
    if (!said.empty()) Send(client, said);
  }
  static void Expect(const std::string& answer, std::string_view expected) {
    if (expected.ends_with("...")) {
      expected.remove_suffix(3);
      EXPECT_TRUE(answer.starts_with(expected)) << answer << "\ninstead of " << expected;
    } else {
      EXPECT_EQ(answer, expected);
    }
  }
  Client LoggedIn(const std::string& address) {
    Client client = Connect();
    Talk(client, "S: +OK mx.example.test POP3 ready\nC: USER " + address + "\nC: PASS posthorn\nS: +OK...\nS: +OK...");
    return client;
  }
  // Until all sessions have ended.
  void Join() { RunTask(context(), sessions_.Join()); }

  static inline const std::string kHash = "$2b$04$abcdefghijklmnopqrstuuDzop9hlWeTSULYjqVYemUDtKtTQZLwa";

  store::TestNode node_;
  net::DeadlineSweep sweep_;
  std::unique_ptr<StoreDirectory> directory_;
  std::unique_ptr<auth::Authenticator> authenticator_;
  MaildropLocks locks_;
  Settings settings_;
  Services services_;
  async::TaskGroup sessions_;
};

TEST_F(Pop3Session, ReadsAMaildrop) {
  const std::string validity = fmt::format("{:08x}", InboxOf(kAlice).uid_validity);
  AddMail(kAlice, "Subject: one\r\n\r\nfirst\r\n.dot\r\n");
  AddMail(kAlice, "Subject: two\r\n\r\na\r\nb\r\nc\r\n");
  Client client = Connect();
  Talk(client, R"(S: +OK mx.example.test POP3 ready
                  C: USER alice@example.test
                  S: +OK now the password
                  C: PASS posthorn
                  S: +OK maildrop has 2 messages, 54 octets
                  C: STAT
                  S: +OK 2 54
                  C: LIST
                  S: +OK 2 messages
                  S: 1 29
                  S: 2 25
                  S: .
                  C: LIST 2
                  S: +OK 2 25
                  C: LIST 3
                  S: -ERR no such message
                  C: UIDL
                  S: +OK 2 messages)");
  Talk(client,
       "S: 1 00000001" + validity + "\nS: 2 00000002" + validity + "\nS: .\nC: UIDL 2\nS: +OK 2 00000002" + validity);
  Talk(client, R"(C: RETR 1
                  S: +OK 29 octets
                  S: Subject: one
                  S: 
                  S: first
                  S: ..dot
                  S: .
                  C: TOP 2 1
                  S: +OK 25 octets
                  S: Subject: two
                  S: 
                  S: a
                  S: .
                  C: RETR 0
                  S: -ERR no such message
                  C: NOOP
                  S: +OK nothing done
                  C: QUIT
                  S: +OK bye
                  S: <closed>)");
  EXPECT_EQ(MailsOf(kAlice), 2u);
}

TEST_F(Pop3Session, AnswersPipelinedCommandsInOrder) {
  AddMail(kAlice, "Subject: one\r\n\r\nfirst\r\n");
  Client client = Connect();
  Talk(client, R"(C: USER alice@example.test
                  C: PASS posthorn
                  C: STAT
                  C: RETR 1
                  C: DELE 1
                  C: QUIT
                  S: +OK mx.example.test POP3 ready
                  S: +OK now the password
                  S: +OK maildrop has 1 messages, 23 octets
                  S: +OK 1 23
                  S: +OK 23 octets
                  S: Subject: one
                  S: 
                  S: first
                  S: .
                  S: +OK message 1 will be removed at QUIT
                  S: +OK bye
                  S: <closed>)");
  EXPECT_EQ(MailsOf(kAlice), 0u);
}

TEST_F(Pop3Session, WorksOverANetworkOfSingleBytes) {
  AddMail(kAlice, "Subject: one\r\n\r\nfirst\r\n");
  Client client = Connect({.buffer_bytes_max = 3, .piece_bytes_max = 1});
  std::string got;
  for (const char* command : {"", "USER alice@example.test", "PASS posthorn", "RETR 1"}) {
    if (*command != 0) Send(client, command + "\r\n"s);
    got = Read(client);
  }
  EXPECT_EQ(got, "+OK 23 octets");
  for (const char* line : {"Subject: one", "", "first", "."}) EXPECT_EQ(Read(client), line);
}

TEST_F(Pop3Session, StreamsALongMessageByteForByte) {
  std::string text = "Subject: long\r\n\r\n";
  for (int i = 0; text.size() < 1'000'000; ++i) text += (i % 3 == 0 ? "." : "line ") + std::to_string(i) + "\r\n";
  AddMail(kAlice, text);
  Client client = LoggedIn(kAlice);
  Talk(client, "C: RETR 1\nS: +OK " + std::to_string(text.size()) + " octets");
  std::string got;
  for (std::string line = Read(client); line != "." && line != "<closed>"; line = Read(client)) {
    got.append(line.starts_with('.') ? line.substr(1) : line).append("\r\n");
  }
  EXPECT_TRUE(got == text);
  Talk(client, "C: NOOP\nS: +OK nothing done");
}

TEST_F(Pop3Session, RemovesAtQuitOnly) {
  for (int i = 0; i < 3; ++i) AddMail(kAlice, "Subject: " + std::to_string(i) + "\r\n\r\n");
  Client client = LoggedIn(kAlice);
  Talk(client, R"(C: DELE 2
                  S: +OK message 2 will be removed at QUIT
                  C: DELE 2
                  S: -ERR no such message
                  C: RETR 2
                  S: -ERR no such message
                  C: LIST
                  S: +OK 2 messages
                  S: 1...
                  S: 3...
                  S: .
                  C: RSET
                  S: +OK maildrop has 3 messages
                  C: DELE 1
                  S: +OK...)");
  EXPECT_EQ(MailsOf(kAlice), 3u);
  client.connection->Close();
  Join();
  EXPECT_EQ(MailsOf(kAlice), 3u);

  Client again = LoggedIn(kAlice);
  Talk(again, "C: DELE 1\nC: DELE 3\nC: QUIT\nS: +OK...\nS: +OK...\nS: +OK bye\nS: <closed>");
  EXPECT_EQ(MailsOf(kAlice), 1u);
  Join();
  Client last = LoggedIn(kAlice);
  const std::string validity = fmt::format("{:08x}", InboxOf(kAlice).uid_validity);
  Talk(last, "C: UIDL\nS: +OK 1 messages\nS: 1 00000002" + validity + "\nS: .");
}

TEST_F(Pop3Session, ShowsTheMaildropAsItWasAtLogin) {
  const std::uint32_t first = AddMail(kAlice, "Subject: one\r\n\r\n");
  AddMail(kAlice, "Subject: two\r\n\r\n");
  Client client = LoggedIn(kAlice);
  AddMail(kAlice, "Subject: three\r\n\r\n");
  RemoveMail(kAlice, first);
  Talk(client, R"(C: STAT
                  S: +OK 2 32
                  C: RETR 1
                  S: -ERR the message was removed by another client
                  C: DELE 1
                  S: +OK...
                  C: QUIT
                  S: +OK bye)");
  EXPECT_EQ(MailsOf(kAlice), 2u);
}

TEST_F(Pop3Session, LetsOneSessionIntoAMaildrop) {
  Client first = LoggedIn(kAlice);
  Client second = Connect();
  Talk(second, R"(S: +OK...
                  C: USER alice@example.test
                  C: PASS posthorn
                  S: +OK...
                  S: -ERR [IN-USE] another POP3 session has this maildrop open
                  C: USER bob@example.test
                  C: PASS posthorn
                  S: +OK...
                  S: +OK maildrop has 0 messages, 0 octets)");
  Talk(first, "C: QUIT\nS: +OK bye\nS: <closed>");
  LoggedIn(kAlice);
}

TEST_F(Pop3Session, AuthPlainTakesTheCredentialsAtOnceOrOnDemand) {
  const std::string right = base::EncodeBase64("\0alice@example.test\0posthorn"s);
  const std::string wrong = base::EncodeBase64("\0alice@example.test\0nothorn"s);
  Client client = Connect();
  Talk(client, "S: +OK...\nC: AUTH PLAIN\nS: + \nC: *\nS: -ERR authentication cancelled");
  Talk(client, "C: AUTH PLAIN\nS: + \nC: not base64\nS: -ERR the text is not base64");
  Talk(client, "C: AUTH PLAIN =\nS: -ERR the PLAIN message is not authzid NUL authcid NUL password");
  Talk(client, "C: AUTH CRAM-MD5\nS: -ERR this mechanism is not offered; CAPA lists those that are");
  Talk(client, "C: AUTH PLAIN " + wrong + "\nS: -ERR [AUTH] the address or the password is wrong");
  Talk(client, "C: AUTH PLAIN\nS: + \nC: " + right + "\nS: +OK maildrop has 0 messages, 0 octets");
  Talk(client, "C: AUTH PLAIN " + right + "\nS: -ERR you are logged in already\nC: QUIT\nS: +OK bye");
  Join();
  Client at_once = Connect();
  Talk(at_once, "S: +OK...\nC: AUTH PLAIN " + right + "\nS: +OK maildrop has 0 messages, 0 octets");
}

TEST_F(Pop3Session, ClosesAfterThreeWrongPasswords) {
  Client client = Connect();
  Talk(client, R"(S: +OK...
                  C: PASS posthorn
                  S: -ERR say USER first
                  C: USER alice@example.test
                  C: PASS wrong
                  S: +OK...
                  S: -ERR [AUTH] the address or the password is wrong
                  C: USER nobody@example.test
                  C: PASS posthorn
                  S: +OK...
                  S: -ERR [AUTH] the address or the password is wrong
                  C: STAT
                  S: -ERR log in first
                  C: USER alice@example.test
                  C: PASS
                  C: PASS wrong
                  S: +OK...
                  S: -ERR the command is: PASS password
                  S: -ERR [AUTH] the address or the password is wrong
                  S: <closed>)");
}

TEST_F(Pop3Session, OffersPasswordsOverTlsOnly) {
  const auto tls =
      net::TlsContext::ForClient();  // Only its presence counts: the connection in memory does not encrypt.
  services_.tls = tls.get();
  Client client = Connect({.client = {.ip = "192.0.2.1", .port = 1, .is_loopback = false}});
  Talk(client, R"(S: +OK...
                  C: CAPA
                  S: +OK capabilities follow
                  S: TOP
                  S: UIDL
                  S: PIPELINING
                  S: RESP-CODES
                  S: AUTH-RESP-CODE
                  S: EXPIRE NEVER
                  S: STLS
                  S: IMPLEMENTATION Posthorn
                  S: .
                  C: USER alice@example.test
                  S: -ERR the password would travel in the clear: say STLS first
                  C: AUTH PLAIN AGEAYg==
                  S: -ERR the password would travel in the clear: say STLS first
                  C: STLS
                  S: +OK begin the TLS handshake)");
  ASSERT_TRUE(RunTask(context(), client.connection->StartTls(nullptr)).has_value());
  Talk(client, R"(C: CAPA
                  S: +OK capabilities follow
                  S: TOP
                  S: UIDL
                  S: PIPELINING
                  S: RESP-CODES
                  S: AUTH-RESP-CODE
                  S: EXPIRE NEVER
                  S: USER
                  S: SASL PLAIN
                  S: IMPLEMENTATION Posthorn
                  S: .
                  C: STLS
                  S: -ERR TLS is on already
                  C: USER alice@example.test
                  C: PASS posthorn
                  S: +OK...
                  S: +OK...)");
}

TEST_F(Pop3Session, NothingOfThePlaintextSurvivesStls) {
  const auto tls = net::TlsContext::ForClient();
  services_.tls = tls.get();
  Client client = Connect();
  Talk(client, R"(S: +OK...
                  C: USER before@example.test
                  C: STLS
                  C: USER injected@example.test
                  S: +OK now the password
                  S: +OK begin the TLS handshake)");
  ASSERT_TRUE(RunTask(context(), client.connection->StartTls(nullptr)).has_value());
  Talk(client, "C: PASS posthorn\nS: -ERR say USER first");
}

TEST_F(Pop3Session, ClosesOnTooManyBadCommandsAndSkipsLinesThatAreTooLong) {
  settings_.bad_commands_max = 3;
  Client client = Connect();
  Talk(client, "S: +OK...\nC: HELO\nC: NOOP " + std::string(3'000, 'x') + "\nC: STAT\nS: -ERR unknown command\n" +
                   "S: -ERR the line is too long\nS: -ERR log in first\nS: -ERR too many bad commands, closing\n" +
                   "S: <closed>");
}

TEST_F(Pop3Session, ASilentClientIsClosedWithoutAWordAndNothingIsRemoved) {
  AddMail(kAlice, "Subject: one\r\n\r\n");
  Client client = LoggedIn(kAlice);
  Talk(client, "C: DELE 1\nS: +OK...");
  node_.clock().Advance(599s);
  sweep_.Tick();
  Talk(client, "C: NOOP\nS: +OK...");
  node_.clock().Advance(602s);
  sweep_.Tick();
  EXPECT_EQ(Read(client), "<closed>");
  EXPECT_EQ(MailsOf(kAlice), 1u);
  Join();
  LoggedIn(kAlice);
}

TEST_F(Pop3Session, SendsADeliveredMailWithItsTraceHeaders) {
  node_.Deliver(kAlice, "Subject: hi\r\n\r\nhello\r\n");
  Client client = LoggedIn(kAlice);
  Talk(client, R"(C: RETR 1
                  S: +OK 92 octets
                  S: Return-Path: <sender@example.test>
                  S: Delivered-To: alice@example.test
                  S: Subject: hi
                  S: 
                  S: hello
                  S: .)");
}

TEST_F(Pop3Session, LogsInWithScram) {
  node_.Do(node_.store().RemoveAccount(kBob));
  auto made = authenticator_->MakeCredentials("posthorn").value();
  node_.Do(node_.store().SetCredentials(kAlice, {std::move(made.password_hash), std::move(made.scram_keys)}));
  const auto decoded = [](const std::string& line) {
    EXPECT_TRUE(line.starts_with("+ ")) << line;
    return base::DecodeBase64(line.substr(2)).value();
  };
  for (const std::string password : {"posthorn", "guess"}) {
    Client client = Connect();
    auth::ScramClient scram(kAlice, password);
    const std::string first = base::EncodeBase64(scram.First());
    Talk(client, "S: +OK...\nC: AUTH SCRAM-SHA-256\nS: + \nC: " + first);
    const std::string challenge = decoded(Read(client));
    Send(client, base::EncodeBase64(scram.Final(challenge)) + "\r\n");
    if (password == "guess") {
      Talk(client, "S: -ERR [AUTH] the address or the password is wrong");
      continue;
    }
    EXPECT_TRUE(scram.Believes(decoded(Read(client))));
    // Not before the client has seen that the server knows the password too.
    Talk(client, "C: \nS: +OK maildrop has 0 messages, 0 octets\nC: QUIT\nS: +OK...");
  }
  Client client = Connect();
  Talk(client, "S: +OK...\nC: AUTH SCRAM-SHA-256 biws\nS: -ERR the SCRAM message is malformed...");
  Talk(client, "C: AUTH SCRAM-SHA-256\nC: *\nS: + \nS: -ERR authentication cancelled\nC: QUIT\nS: +OK...");
}

TEST_F(Pop3Session, OffersScramOnceAllAccountsHaveKeys) {
  const auto offer = [this] {
    Client client = Connect();
    Talk(client, "S: +OK...\nC: CAPA");
    for (;;) {
      const std::string line = Read(client);
      if (line.starts_with("SASL") || line == "<closed>") return line;
    }
  };
  EXPECT_EQ(offer(), "SASL PLAIN");
  LoggedIn(kAlice);
  EXPECT_EQ(offer(), "SASL PLAIN");
  LoggedIn(kBob);
  EXPECT_EQ(offer(), "SASL PLAIN SCRAM-SHA-256");
}

TEST_F(Pop3Session, AFailingDirectoryIsATemporaryError) {
  directory_->is_failing = true;
  Client client = Connect();
  Talk(client, R"(S: +OK...
                  C: USER alice@example.test
                  C: PASS posthorn
                  S: +OK...
                  S: -ERR [SYS/TEMP] logging in is not possible now, try again later)");
  directory_->is_failing = false;
  Talk(client, "C: USER alice@example.test\nC: PASS posthorn\nS: +OK...\nS: +OK...");
}

TEST_F(Pop3Session, AMailThatCannotBeReadIsATemporaryError) {
  AddMail(kAlice, "Subject: one\r\n\r\n");
  Client client = LoggedIn(kAlice);
  node_.device().Plant(
      {.kind = mffs::PlantedFault::Kind::kFail, .on = mffs::SimOperation::kRead, .times = mffs::PlantedFault::kAlways});
  Talk(client, "C: RETR 1\nS: -ERR [SYS/TEMP] the mail store cannot answer now, try again later");
  node_.device().ClearFaults();
  Talk(client, "C: RETR 1\nS: +OK 16 octets\nS: Subject: one\nS: \nS: .");
}

TEST_F(Pop3Session, AReadThatFailsInTheMiddleOfAMailNeverLooksLikeItsEnd) {
  std::string text = "Subject: long\r\n\r\n";
  while (text.size() < 3'000'000) text += "a line of the mail\r\n";
  AddMail(kAlice, text);
  Client client = LoggedIn(kAlice);
  node_.device().Plant({.kind = mffs::PlantedFault::Kind::kFail,
                        .on = mffs::SimOperation::kRead,
                        .skip = 20,
                        .times = mffs::PlantedFault::kAlways});
  Talk(client, "C: RETR 1\nS: +OK " + std::to_string(text.size()) + " octets\nS: Subject: long");
  std::string line = Read(client);
  while (line != "." && line != "<closed>") line = Read(client);
  EXPECT_EQ(line, "<closed>");
}

TEST_F(Pop3Session, ADeletionThatCannotBeCommittedIsNotAcknowledged) {
  AddMail(kAlice, "Subject: one\r\n\r\n");
  Client client = LoggedIn(kAlice);
  node_.device().Plant({.kind = mffs::PlantedFault::Kind::kFail,
                        .on = mffs::SimOperation::kWrite,
                        .times = mffs::PlantedFault::kAlways});
  Talk(client, R"(C: DELE 1
                  S: +OK...
                  C: QUIT
                  S: -ERR [SYS/TEMP] the mail store cannot answer now, try again later
                  S: <closed>)");
  Join();
  EXPECT_EQ(MailsOf(kAlice), 1u);
}

}  // namespace
}  // namespace pop3::server
