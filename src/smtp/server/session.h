// Session: one SMTP connection, from the greeting to QUIT (RFC 5321). A thin shell: smtp/proto parses, this moves bytes
// and decides.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/asio.h"
#include "base/line_buffer.h"
#include "base/result.h"
#include "net/connection.h"
#include "smtp/proto/command.h"
#include "smtp/server/incoming_body.h"
#include "smtp/server/settings.h"
#include "smtp/server/transaction.h"

namespace smtp {

// Extensions: PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING, ENHANCEDSTATUSCODES, STARTTLS, AUTH.
//
// Thread: the log's shard, which is the connection's. Owns the connection; borrows settings and services.
// Durability: 250 after the last byte of a mail is sent when the mail is committed (promise 1), never before.
// Errors of ours are 4xx (promise 2); past the time-outs of RFC 5321 §4.5.3.2 the client gets 421.
class Session {
 public:
  Session(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services);

  // The whole dialogue.
  async::Task<void> Run();

 private:
  // What has to be awaited after a command line was handled.
  enum class Next : std::uint8_t { kNothing, kFindAccounts, kData, kBdat, kAuth, kStartTls, kClose };
  enum class AccountState : std::uint8_t { kExists, kMissing, kNotKnown };
  // A RCPT whose accounts are being looked up.
  struct PendingRecipient {
    RcptTo rcpt;
    routing::Expansion expansion;
    std::shared_ptr<const routing::AddressBook> book;  // That it was resolved with.
  };

  // ---- session.cc: the dialogue ----
  async::Task<bool> HandleBufferedLines();
  async::Task<base::Result<>> Fill(std::chrono::seconds timeout);
  async::Task<base::Result<>> Flush();
  Next HandleLine(std::string_view line);
  async::Task<bool> Await(Next next);
  async::Task<void> SayGoodbye(base::Error error);
  Next Handle(Helo&& helo);
  Next Handle(MailFrom&& from);
  Next Handle(RcptTo&& rcpt);
  Next Handle(Data&&);
  Next Handle(Bdat&& bdat);
  Next Handle(Rset&&);
  Next Handle(Noop&&);
  Next Handle(Quit&&);
  Next Handle(Vrfy&&);
  Next Handle(Expn&&);
  Next Handle(Help&&);
  Next Handle(StartTls&&);
  Next Handle(Auth&& auth);
  Next Handle(BadCommand&& bad);
  bool MustShowOut();
  bool MustTurnAway();
  void Reply(int code, std::string_view text);
  void ResetTransaction();
  bool may_authenticate() const;

  // ---- session_submission.cc: what our users send (RFC 6409) ----
  bool MaySendAs(const MailFrom& from) const;
  std::optional<Refusal> TakeFromAllowance();
  std::optional<MissingFields> FieldsForSubmission() const;
  void CheckAuthors();

  // ---- session_recipient.cc: RCPT ----
  bool MayTake(const RcptTo& rcpt, const routing::Expansion& expansion);
  bool may_relay() const;
  async::Task<void> FindAccounts();
  async::Task<AccountState> LookUp(const std::string* account);
  bool MustBeChecked(const routing::Destination& destination) const;
  async::Task<bool> AskForRecipients(PendingRecipient* pending);
  void AddRecipients(const RcptTo& rcpt, const routing::Expansion& expansion);
  void RefuseRecipient(int code, std::string_view text);
  bool RefusesTable(const RcptTo& rcpt, const routing::Expansion& expansion);
  bool RefusesFull(const RcptTo& rcpt, const routing::Expansion& expansion);

  // ---- session_data.cc: the bytes of a mail and what becomes of them ----
  base::Result<> BeginBody(DataScanner::Framing framing);
  async::Task<base::Result<>> ReceiveData();
  async::Task<base::Result<>> ReceiveChunk();
  async::Task<base::Result<std::size_t>> ReadInto(std::span<char> space);
  async::Task<void> Complete();
  void CheckHeader(std::string_view head);
  void LogNotStored(const base::Error& error) const;
  async::Task<base::Result<>> Store(replog::Body body, base::SteadyTime began);
  void LogDirectDeliveries(base::SteadyTime began) const;
  async::Task<base::Result<>> DeliverDirectly(replog::Body body);
  async::Task<base::Result<>> EnqueueMail(replog::Body body);
  std::string TraceHeader() const;
  mail::Envelope MakeEnvelope() const;
  bool takes_direct_path() const;
  // In its mailbox, of a mail of this size.
  std::uint64_t StoredBytes(const Accepted& accepted, std::uint64_t size_bytes) const;
  bool IsFull(std::uint64_t size_bytes) const;
  bool IsSureOfRoom(std::uint64_t size_bytes) const;
  mffs::Stream StreamOfMail() const;
  Refusal RefuseFor(const base::Error& error);

  // ---- session_expanded.cc: word of aliases of several ----
  async::Task<base::Result<>> TellExpanded(std::string header);

  // ---- session_auth.cc: STARTTLS and AUTH ----
  async::Task<bool> UpgradeToTls();
  async::Task<base::Result<>> Authenticate();
  async::Task<base::Result<std::optional<std::string>>> AskClient(std::string challenge);
  // "PLAIN LOGIN"; clients take the best that they know, in whatever order.
  std::string Mechanisms() const;
  bool OffersMechanism(std::string_view mechanism) const;
  async::Task<base::Result<std::optional<std::string>>> InitialResponse(std::string challenge);
  async::Task<base::Result<>> AuthenticatePlain();
  async::Task<base::Result<>> AuthenticateLogin();
  async::Task<base::Result<>> AuthenticateScram();
  async::Task<void> Verify(std::string address, std::string password);
  void LoggedIn(std::string account);
  void RefuseLogin(std::string_view name, const base::Error& error);
  std::string_view protocol() const;

  std::unique_ptr<net::Connection> connection_;
  const Settings* settings_;
  const Services* services_;
  base::LineBuffer input_;
  std::string out_;
  std::uint32_t bad_commands_ = 0;

  std::string helo_;  // Empty: the client has not said who it is.
  bool extended_ = false;
  std::string account_;  // Authenticated as; empty: not.
  Auth auth_;            // The exchange that was asked for.
  Bdat chunk_;

  std::optional<Transaction> transaction_;
  std::optional<PendingRecipient> pending_recipient_;
  std::optional<IncomingBody> body_;
  std::optional<mail::Digest> digest_;  // Since the first mail on the direct path: only delivery ids need it.
};

}  // namespace smtp
