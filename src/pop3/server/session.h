// Session: one POP3 connection, from the greeting to QUIT (RFC 1939). pop3/proto parses, this moves bytes and decides.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/line_buffer.h"
#include "base/result.h"
#include "net/connection.h"
#include "pop3/proto/command.h"
#include "pop3/proto/multi_line.h"
#include "pop3/server/maildrop.h"
#include "pop3/server/settings.h"

namespace pop3::server {

// Extensions: CAPA, TOP, UIDL, USER, SASL PLAIN and SCRAM-SHA-256, STLS, PIPELINING, RESP-CODES (RFC 2449),
// AUTH-RESP-CODE (RFC 3206).
//
// Thread: the store's shard, which is the connection's. Owns the connection; borrows settings and services.
// Durability: messages marked with DELE are removed at QUIT, and its +OK is sent when that is committed. A session that
// ends in any other way removes nothing.
// Errors of ours are -ERR [SYS/TEMP]. Past the time-out the connection closes without a word (RFC 1939 §3).
class Session {
 public:
  Session(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services);

  // The whole dialogue.
  async::Task<void> Run();

 private:
  enum class Next : std::uint8_t { kGoOn, kClose };
  struct InputLine {
    std::string text;
    bool is_too_long = false;
  };

  // ---- session.cc: the dialogue ----
  async::Task<base::Result<InputLine>> NextLine(std::size_t bytes_max);
  async::Task<Next> HandleLine(InputLine line);
  async::Task<base::Result<>> Flush();
  // Sends what has gathered once it is much. kClose: the client is gone.
  async::Task<Next> FlushIfMuch();
  void Accept(std::string_view text);
  void Refuse(std::string_view text);
  void RefuseForError(std::string_view event, const base::Error& error);
  void LogFailure(std::string_view event, const base::Error& error) const;
  async::Task<Next> Handle(proto::BadCommand bad);
  Next CountBadCommand();
  void LogEnd();

  // ---- session_login.cc: the AUTHORIZATION state ----
  async::Task<Next> Handle(proto::User user);
  async::Task<Next> Handle(proto::Pass pass);
  async::Task<Next> Handle(proto::Auth auth);
  async::Task<Next> Handle(proto::Stls);
  async::Task<Next> Handle(proto::Capa);
  // The client's answer to a challenge, both without their base64; nothing when it cancelled or said none: the refusal
  // is said then. Errors: the client is gone.
  async::Task<base::Result<std::optional<std::string>>> AskClient(std::string challenge);
  std::optional<std::string> DecodeAnswer(std::string_view base64);
  async::Task<Next> AuthenticatePlain(std::string message);
  async::Task<Next> AuthenticateScram(std::string message);
  async::Task<Next> LogIn(std::string address, std::string password);
  Next RefuseLogin(std::string_view address, const base::Error& error);
  async::Task<Next> OpenMaildrop(std::string address);
  async::Task<base::Result<>> ListMaildrop(Maildrop* drop);
  bool may_log_in() const;
  bool offers_stls() const;

  // ---- session_mail.cc: the TRANSACTION and UPDATE states ----
  async::Task<Next> Handle(proto::Stat);
  async::Task<Next> Handle(proto::List list);
  async::Task<Next> Handle(proto::Uidl uidl);
  async::Task<Next> Handle(proto::Retr retr);
  async::Task<Next> Handle(proto::Top top);
  async::Task<Next> Handle(proto::Dele dele);
  async::Task<Next> Handle(proto::Noop);
  async::Task<Next> Handle(proto::Rset);
  async::Task<Next> Handle(proto::Quit);
  using Describe = std::string (Session::*)(const Maildrop::Entry&) const;
  async::Task<Next> SendListing(std::optional<std::uint32_t> message, Describe describe);
  async::Task<Next> SendMessage(Maildrop::Entry message, std::optional<proto::TopFilter> top);
  async::Task<base::Result<std::string>> ReadPiece(Maildrop::Entry message, std::uint64_t offset);
  Next GiveUpReading(std::uint64_t offset, const base::Error& error);
  // Null after a refusal.
  const Maildrop::Entry* FindMessage(std::uint32_t number);
  bool RefuseBeforeLogin();
  std::string SizeOf(const Maildrop::Entry& entry) const;
  std::string UniqueIdOf(const Maildrop::Entry& entry) const;

  std::unique_ptr<net::Connection> connection_;
  const Settings* settings_;
  const Services* services_;
  base::LineBuffer input_;
  std::string out_;
  std::uint32_t bad_commands_ = 0;
  std::uint32_t login_failures_ = 0;

  std::string user_;              // From USER; empty: none.
  std::string account_;           // Logged in as; empty: not.
  std::optional<Maildrop> drop_;  // Since login.
  std::uint32_t retrieved_ = 0;
  std::uint32_t deleted_ = 0;
  std::string_view end_ = "connection_lost";  // How the session ended, for its log line.
};

}  // namespace pop3::server
