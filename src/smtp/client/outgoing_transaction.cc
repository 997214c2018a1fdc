#include "smtp/client/outgoing_transaction.h"

#include <algorithm>

#include <fmt/format.h>

namespace smtp {

using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

// What is written before its replies are read; less than any socket buffers, and the replies too.
constexpr std::size_t kGroupBytesMax = 4096;
constexpr std::chrono::seconds kLastWordsTimeout{5};

// What a reply means. What is neither success nor refusal is no answer that we can act on.
RecipientFate FateOf(const ServerReply& reply) {
  const Fate fate = reply.is_positive() ? Fate::kAccepted : reply.is_permanent() ? Fate::kRefused : Fate::kTryAgain;
  const int status_class = fate == Fate::kAccepted ? 2 : fate == Fate::kRefused ? 5 : 4;
  return {.fate = fate,
          .code = reply.code,
          .status = reply.status.empty() ? fmt::format("{}.0.0", status_class) : reply.status,
          .answer = reply.Text()};
}

// RFC 5321 §4.5.3.1.10: "552 too many recipients" of old servers means 452.
bool MeansTooMany(const ServerReply& reply) {
  return reply.code == 552 && (reply.status.empty() || reply.status == "5.5.3");
}

RecipientFate FateOf(std::string_view doing, const Error& error) {
  const std::string_view status = error.code() == Errc::kInvalid ? "4.5.0" : "4.4.2";
  return {.fate = Fate::kTryAgain,
          .status = std::string(status),
          .answer = ToOneLine(fmt::format("{} {}: {}", status, doing, error.message()))};
}

RecipientFate Unexpected(std::string_view doing, const ServerReply& reply) {
  RecipientFate fate = FateOf(reply);
  fate.fate = Fate::kTryAgain;
  fate.status = "4.5.0";
  fate.answer =
      ToOneLine(fmt::format("4.5.0 {}: the server's answer makes no sense: {} {}", doing, reply.code, reply.Text()));
  return fate;
}

}  // namespace

OutgoingTransaction::OutgoingTransaction(Parts parts, SendPlan plan, Manner manner)
    : parts_(parts), plan_(std::move(plan)), manner_(manner) {
  offered_.reserve(plan_.recipients.size());
  for (const std::uint32_t recipient : plan_.recipients) offered_.push_back({.recipient = recipient});
}

Task<void> OutgoingTransaction::Run() {
  const bool goes_on = co_await OfferEnvelope();
  if (!goes_on) co_return;
  const bool sent = co_await SendBody();
  if (!sent) co_return;
  if (parts_.settings->protocol == ClientProtocol::kLmtp) {
    co_await AwaitVerdictOfEach();
  } else {
    co_await AwaitVerdict();
  }
}

// ---- the envelope ----

Task<bool> OutgoingTransaction::OfferEnvelope() {
  std::string out;
  std::vector<Command> group;
  for (;;) {
    out.clear();
    group.clear();
    while (AppendNext(&out, &group) && manner_.pipelining && out.size() < kGroupBytesMax) {
    }
    if (group.empty()) co_return false;
    const Result<> written = co_await parts_.wire->Write(out, parts_.settings->command_timeout);
    if (!written.has_value()) {
      found_closed_ = !has_answered_ && written.error().code() == Errc::kClosed;
      co_return Abandon("sending the envelope", written.error());
    }
    const bool goes_on = co_await HandleReplies(&group);
    if (!goes_on) co_return false;
    if (data_begun_) break;
  }
  if (has_accepted()) co_return true;
  co_await SendLoneDot();
  co_return false;
}

// Appends the next command. False: there is none to append now.
bool OutgoingTransaction::AppendNext(std::string* out, std::vector<Command>* group) {
  if (manner_.resets && !reset_said_) {
    reset_said_ = true;
    *out += "RSET\r\n";
    group->push_back({.verb = Verb::kReset});
  } else if (!mail_said_) {
    mail_said_ = true;
    AppendMail(*out, *parts_.envelope, plan_.parameters);
    group->push_back({.verb = Verb::kMail});
  } else if (next_recipient_ < offered_.size() && !mail_refused_) {
    const std::uint32_t recipient = offered_[next_recipient_].recipient;
    AppendRcpt(*out, parts_.envelope->recipients[recipient], plan_.parameters);
    group->push_back({.verb = Verb::kRcpt, .position = next_recipient_++});
  } else {
    // Along with a RCPT whose answer is not there yet, or after one that was accepted.
    const bool may_succeed = has_accepted() || (!group->empty() && group->back().verb == Verb::kRcpt);
    if (data_said_ || mail_refused_ || !may_succeed) return false;
    data_said_ = true;
    *out += "DATA\r\n";
    group->push_back({.verb = Verb::kData});
  }
  return true;
}

Task<bool> OutgoingTransaction::HandleReplies(const std::vector<Command>* group) {
  static constexpr std::string_view kNames[] = {"RSET", "MAIL", "RCPT", "DATA"};
  for (const Command& command : *group) {
    const auto timeout =
        command.verb == Verb::kData ? parts_.settings->data_begin_timeout : parts_.settings->command_timeout;
    const std::string_view name = kNames[static_cast<std::size_t>(command.verb)];
    const Result<ServerReply> reply = co_await parts_.wire->ReadReply(timeout);
    if (!parts_.wire->is_open()) {
      found_closed_ = !has_answered_ && (reply.has_value() || reply.error().code() == Errc::kClosed);
      if (reply.has_value()) co_return Abandon(FateOf(*reply));
      co_return Abandon(fmt::format("answer to {}", name), reply.error());
    }
    has_answered_ = true;
    if (!Handle(command, *reply)) co_return Abandon(Unexpected(name, *reply));
  }
  co_return true;
}

// False: the answer makes no sense, so that nobody knows what the next one is about.
bool OutgoingTransaction::Handle(const Command& command, const ServerReply& reply) {
  switch (command.verb) {
    case Verb::kReset:
      return reply.is_positive();
    case Verb::kMail:
      return HandleMail(reply);
    case Verb::kRcpt:
      return HandleRcpt(offered_[command.position], reply);
    case Verb::kData:
      return HandleData(reply);
  }
  return false;
}

bool OutgoingTransaction::HandleMail(const ServerReply& reply) {
  if (reply.is_positive()) return true;
  if (reply.is_intermediate()) return false;
  mail_refused_ = true;
  if (plan_.parameters.any() && IsAboutParameters(reply)) {
    misunderstood_ = std::move(plan_.recipients);
    for (Offered& offered : offered_) offered.state = State::kSettled;
  } else {
    SettleAll(FateOf(reply));
  }
  return true;
}

bool OutgoingTransaction::HandleRcpt(Offered& offered, const ServerReply& reply) {
  if (reply.is_intermediate()) return false;
  if (mail_refused_) return true;  // "503 MAIL first", whatever the recipient.
  const mail::Recipient& recipient = parts_.envelope->recipients[offered.recipient];
  const bool has_parameters = plan_.parameters.dsn && (recipient.notify != 0 || !recipient.original.empty());
  if (reply.is_positive()) {
    offered.state = State::kAccepted;
  } else if (has_parameters && IsAboutParameters(reply)) {
    offered.state = State::kSettled;
    misunderstood_.push_back(offered.recipient);
  } else {
    RecipientFate fate = FateOf(reply);
    if (MeansTooMany(reply) && has_accepted()) {
      fate.fate = Fate::kTryAgain;
      fate.status = "4.5.3";
    }
    Settle(offered, std::move(fate));
  }
  return true;
}

bool OutgoingTransaction::HandleData(const ServerReply& reply) {
  data_begun_ = reply.is_intermediate();
  if (data_begun_) return true;
  if (reply.is_positive()) return false;
  SettleAll(FateOf(reply));
  return true;
}

// RFC 2920 §3.1: a server that asks for the mail although it refused all recipients gets an empty one, which it will
// refuse, or throw away.
Task<void> OutgoingTransaction::SendLoneDot() {
  const Result<> written = co_await parts_.wire->Write(".\r\n", parts_.settings->data_block_timeout);
  if (written.has_value()) {
    // No fate depends on what it says.
    base::Ignore(co_await parts_.wire->ReadReply(parts_.settings->command_timeout));
  }
}

// ---- the mail ----

// False: everybody's fate is known.
Task<bool> OutgoingTransaction::SendBody() {
  std::string piece;
  while (!parts_.body->at_end()) {
    piece.clear();
    const Result<> read = co_await parts_.body->AppendNext(&piece);
    // Without the final dot the server throws away what it has (RFC 5321 §3.8).
    if (!read.has_value()) {
      const std::string answer = ToOneLine("4.3.0 " + read.error().message());
      co_return Abandon({.fate = Fate::kTryAgain, .status = "4.3.0", .answer = answer});
    }
    const Result<> written = co_await parts_.wire->Write(piece, parts_.settings->data_block_timeout);
    if (written.has_value()) continue;
    if (written.error().code() == Errc::kTimeout) co_return Abandon("sending the mail", written.error());
    // Whoever closes while we write has mostly said why, for example that the mail is too large.
    const std::optional<ServerReply> words = co_await parts_.wire->ReadLastWords(kLastWordsTimeout);
    if (words.has_value() && (words->is_transient() || words->is_permanent())) co_return Abandon(FateOf(*words));
    co_return Abandon("sending the mail", written.error());
  }
  co_return true;
}

Task<void> OutgoingTransaction::AwaitVerdict() {
  const Result<ServerReply> reply = co_await parts_.wire->ReadReply(parts_.settings->data_end_timeout);
  if (!reply.has_value()) {
    Abandon("answer to the end of the mail", reply.error());
  } else if (reply->is_intermediate()) {
    Abandon(Unexpected("the end of the mail", *reply));
  } else {
    has_succeeded_ = reply->is_positive();
    SettleAll(FateOf(*reply));
  }
}

// RFC 2033 §4.2: one answer for each recipient that was accepted, in their order.
Task<void> OutgoingTransaction::AwaitVerdictOfEach() {
  bool has_refusal = false;
  for (Offered& offered : offered_) {
    if (offered.state != State::kAccepted) continue;
    const Result<ServerReply> reply = co_await parts_.wire->ReadReply(parts_.settings->data_end_timeout);
    if (!reply.has_value()) {
      Abandon("answer to the end of the mail", reply.error());
      co_return;
    }
    if (reply->is_intermediate()) {
      Abandon(Unexpected("the end of the mail", *reply));
      co_return;
    }
    has_refusal = has_refusal || !reply->is_positive();
    Settle(offered, FateOf(*reply));
    if (!parts_.wire->is_open()) {
      SettleAll(FateOf(*reply));
      co_return;
    }
  }
  has_succeeded_ = !has_refusal;
}

// ---- fates ----

// RFC 5321 §4.1.1.11: 555 for parameters that the server does not know, others say 501 or 504. A status about the
// address (5.1.x) means the address.
bool OutgoingTransaction::IsAboutParameters(const ServerReply& reply) const {
  if (manner_.is_last_try) return false;
  const bool is_candidate = reply.code == 555 || reply.code == 504 || reply.code == 501;
  return is_candidate && (reply.status.empty() || reply.status.starts_with("5.5."));
}

bool OutgoingTransaction::has_accepted() const {
  return std::ranges::any_of(offered_, [](const Offered& offered) { return offered.state == State::kAccepted; });
}

void OutgoingTransaction::Settle(Offered& offered, RecipientFate fate) {
  offered.state = State::kSettled;
  fate.recipient = offered.recipient;
  fate.dsn_passed_on = fate.fate == Fate::kAccepted && plan_.parameters.dsn;
  parts_.fates->push_back(std::move(fate));
}

void OutgoingTransaction::SettleAll(const RecipientFate& fate) {
  for (Offered& offered : offered_) {
    if (offered.state != State::kSettled) Settle(offered, fate);
  }
}

bool OutgoingTransaction::Abandon(const RecipientFate& fate) {
  parts_.wire->Close();
  SettleAll(fate);
  return false;
}

bool OutgoingTransaction::Abandon(std::string_view doing, const Error& error) {
  return Abandon(FateOf(doing, error));
}

}  // namespace smtp
