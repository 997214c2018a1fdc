#include "smtp/server/session.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "smtp/proto/reply.h"

namespace smtp {
namespace {

constexpr std::size_t kRepliesBytesMax = 16u
                                         << 10;  // Replies gathered for a client that pipelines; then they are sent.

}  // namespace

Session::Session(std::unique_ptr<net::Connection> connection, const Settings* settings, const Services* services)
    : connection_(std::move(connection)), settings_(settings), services_(services) {}

async::Task<void> Session::Run() {
  if (MustTurnAway()) {
    base::Ignore(co_await Flush());  // Whoever has left needs no answer.
    co_await connection_->Shutdown();
    co_return;
  }
  Reply(220, settings_->hostname + " ESMTP Posthorn");
  for (;;) {
    auto flushed = co_await Flush();
    if (flushed) flushed = co_await Fill(settings_->command_timeout);
    if (!flushed) {
      co_await SayGoodbye(std::move(flushed).error());
      co_return;
    }
    const bool goes_on = co_await HandleBufferedLines();
    if (!goes_on) break;
  }
  base::Ignore(co_await Flush());  // The client that does not read its 221 has left already.
  co_await connection_->Shutdown();
}

// Better at the beginning than at each mail: the client tries the next of our servers at once (RFC 5321 §3.8, §4.2.1).
bool Session::MustTurnAway() {
  const auto admitted = services_->log->Admit(mffs::Stream::kTransit, 0);
  if (admitted || admitted.error().code() != base::Errc::kReadOnly) return false;
  RefuseFor(admitted.error());
  Reply(421, fmt::format("4.3.2 {} can take no mail now, try again later", settings_->hostname));
  return true;
}

// Handles all whole lines that are there; their replies go out together (RFC 2920). False: the session ends.
async::Task<bool> Session::HandleBufferedLines() {
  for (;;) {
    const auto line = input_.TakeLine(kCommandBytesMax);
    if (!line) co_return true;
    if (line->is_too_long) {
      if (Handle(BadCommand{500, "5.5.2 The line is too long"}) == Next::kClose) co_return false;
      continue;
    }
    const Next next = HandleLine(line->text);
    if (next != Next::kNothing) {
      const bool goes_on = co_await Await(next);
      if (!goes_on) co_return false;
    }
    if (out_.size() > kRepliesBytesMax) {
      const auto flushed = co_await Flush();
      if (!flushed) co_return false;
    }
  }
}

async::Task<base::Result<>> Session::Fill(std::chrono::seconds timeout) {
  connection_->SetDeadline(timeout);
  ASSIGN_OR_CO_RETURN(const std::size_t bytes, co_await connection_->Read(input_.Space()));
  input_.Commit(bytes);
  co_return base::Result<>();
}

async::Task<base::Result<>> Session::Flush() {
  if (out_.empty()) co_return base::Result<>();
  const std::size_t sent = connection_->TryWrite(out_);
  if (sent < out_.size()) {
    connection_->SetDeadline(settings_->command_timeout);
    CO_RETURN_IF_ERROR(co_await connection_->Write(std::string_view(out_).substr(sent)));
  }
  out_.clear();
  co_return base::Result<>();
}

async::Task<void> Session::SayGoodbye(base::Error error) {
  if (error.code() == base::Errc::kTimeout) {
    std::string goodbye;
    AppendReply(goodbye, 421, "4.4.2 " + settings_->hostname + " waited too long, closing");
    connection_->SetDeadline(std::chrono::seconds(1));  // The old one has passed, and nothing is written past it.
    connection_->TryWrite(goodbye);
  }
  connection_->Close();
  co_return;
}

Session::Next Session::HandleLine(std::string_view line) {
  return std::visit([this](auto&& command) { return Handle(std::forward<decltype(command)>(command)); },
                    ParseCommand(line));
}

async::Task<bool> Session::Await(Next next) {
  switch (next) {
    case Next::kNothing:
      co_return true;
    case Next::kClose:
      co_return false;
    case Next::kFindAccounts:
      co_await FindAccounts();
      co_return true;
    case Next::kStartTls:
      co_return co_await UpgradeToTls();
    case Next::kAuth: {
      const auto done = co_await Authenticate();
      if (!done) co_await SayGoodbye(done.error());
      if (done && MustShowOut()) co_return false;
      co_return done.has_value();
    }
    case Next::kData: {
      const auto done = co_await ReceiveData();
      if (!done) co_await SayGoodbye(done.error());
      co_return done.has_value();
    }
    case Next::kBdat: {
      const auto done = co_await ReceiveChunk();
      if (!done) co_await SayGoodbye(done.error());
      if (done && MustShowOut()) co_return false;
      co_return done.has_value();
    }
  }
  co_return false;
}

Session::Next Session::Handle(Helo&& helo) {
  helo_ = std::move(helo.name);
  extended_ = helo.extended;
  ResetTransaction();  // RFC 5321 §4.1.4.
  if (!extended_) {
    Reply(250, settings_->hostname);
    return Next::kNothing;
  }
  std::vector<std::string> lines = {settings_->hostname,
                                    "PIPELINING",
                                    fmt::format("SIZE {}", settings_->message_bytes_max),
                                    "8BITMIME",
                                    "SMTPUTF8",
                                    "CHUNKING",
                                    "DSN",
                                    "ENHANCEDSTATUSCODES"};
  if (services_->tls != nullptr && !connection_->is_tls()) lines.emplace_back("STARTTLS");
  if (may_authenticate()) lines.emplace_back("AUTH " + Mechanisms());
  lines.emplace_back("HELP");
  AppendReply(out_, 250, lines);
  return Next::kNothing;
}

Session::Next Session::Handle(MailFrom&& from) {
  if (helo_.empty()) {
    Reply(503, "5.5.1 Say EHLO first");
  } else if (transaction_) {
    Reply(503, "5.5.1 A mail is under way already; RSET begins anew");
  } else if (settings_->submission && account_.empty()) {
    Reply(530, "5.7.0 Authentication required");
  } else if (!MaySendAs(from)) {
    Reply(550, fmt::format("5.7.1 {} may not send mail as {}", account_, from.sender.ToString()));
  } else if (from.size_bytes > settings_->message_bytes_max) {
    Reply(552, "5.3.4 The mail is larger than this server accepts");
  } else if (const auto admitted = services_->log->Admit(mffs::Stream::kTransit, from.size_bytes); !admitted) {
    const Refusal refusal = RefuseFor(admitted.error());
    Reply(refusal.code, refusal.text);
  } else {
    transaction_.emplace(std::move(from), fmt::format("{:016x}", services_->random->Next()));
    Reply(250, "2.1.0 Ok");
  }
  return Next::kNothing;
}

Session::Next Session::Handle(Data&&) {
  if (!transaction_ || body_) {  // RFC 3030 §2: DATA and BDAT do not mix.
    Reply(503, body_ ? "5.5.1 BDAT has begun; end it with LAST" : "5.5.1 Say MAIL first");
  } else if (transaction_->recipients().empty()) {
    Reply(554, "5.5.1 No valid recipients");
  } else if (const auto limited = TakeFromAllowance()) {
    if (services_->metrics.refused_temporary != nullptr) services_->metrics.refused_temporary->Add();
    Reply(limited->code, limited->text);
    ResetTransaction();
  } else if (const auto begun = BeginBody(DataScanner::Framing::kDots); !begun) {
    // Better said before the client has sent its bytes.
    const Refusal refusal = RefuseFor(begun.error());
    Reply(refusal.code, refusal.text);
    ResetTransaction();
  } else {
    return Next::kData;
  }
  return Next::kNothing;
}

Session::Next Session::Handle(Bdat&& bdat) {
  chunk_ = bdat;
  return Next::kBdat;  // Whatever the state: the bytes of the chunk come at once and have to be read.
}

Session::Next Session::Handle(Rset&&) {
  ResetTransaction();
  Reply(250, "2.0.0 Ok");
  return Next::kNothing;
}

Session::Next Session::Handle(Noop&&) {
  Reply(250, "2.0.0 Ok");
  return Next::kNothing;
}

Session::Next Session::Handle(Quit&&) {
  Reply(221, "2.0.0 Bye");
  return Next::kClose;
}

Session::Next Session::Handle(Vrfy&&) {
  // RFC 5321 §3.5.3, §7.3: addresses are not told to strangers.
  Reply(252, "2.5.0 Cannot verify, but will take mail for our users");
  return Next::kNothing;
}

Session::Next Session::Handle(Expn&&) {
  Reply(502, "5.5.1 EXPN is not offered");
  return Next::kNothing;
}

Session::Next Session::Handle(Help&&) {
  Reply(214, "2.0.0 RFC 5321; ask postmaster for help");
  return Next::kNothing;
}

Session::Next Session::Handle(StartTls&&) {
  if (services_->tls == nullptr || connection_->is_tls()) {
    Reply(503, "5.5.1 TLS is not available or already on");
    return Next::kNothing;
  }
  return Next::kStartTls;
}

Session::Next Session::Handle(Auth&& auth) {
  if (!extended_) {
    Reply(503, "5.5.1 Say EHLO first");
  } else if (!account_.empty() || transaction_) {
    Reply(503, "5.5.1 Not now");
  } else if (!may_authenticate()) {
    Reply(538, "5.7.11 Say STARTTLS first");
  } else if (!OffersMechanism(auth.mechanism)) {
    Reply(504, "5.5.4 Use one of " + Mechanisms());
  } else {
    auth_ = std::move(auth);
    return Next::kAuth;
  }
  return Next::kNothing;
}

Session::Next Session::Handle(BadCommand&& bad) {
  bad_commands_ += 1;
  if (MustShowOut()) return Next::kClose;
  Reply(bad.code, bad.text);
  if (!bad.ends_session) return Next::kNothing;
  // RFC 5321 §3.8: nobody is left without a 421.
  Reply(421, "4.7.0 What follows cannot be told from commands, closing");
  return Next::kClose;
}

// After too many bad commands or wrong passwords: says so.
bool Session::MustShowOut() {
  if (bad_commands_ < settings_->bad_commands_max) return false;
  Reply(421, "4.7.0 Too many bad commands, closing");
  return true;
}

void Session::Reply(int code, std::string_view text) {
  AppendReply(out_, code, text);
}

void Session::ResetTransaction() {
  transaction_.reset();
  body_.reset();
  pending_recipient_.reset();
}

bool Session::may_authenticate() const {
  return connection_->is_tls() || (settings_->plaintext_auth_on_loopback && connection_->peer().is_loopback);
}

}  // namespace smtp
