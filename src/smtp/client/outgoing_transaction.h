// OutgoingTransaction: one mail on its way over an open session: MAIL, RCPT, DATA, the bytes, and what each answer
// means for each recipient.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "async/asio.h"
#include "base/result.h"
#include "mail/envelope.h"
#include "smtp/client/client_settings.h"
#include "smtp/client/outgoing_body.h"
#include "smtp/client/outgoing_mail.h"
#include "smtp/client/send_plan.h"
#include "smtp/client/wire.h"

namespace smtp {

// Where the server offers PIPELINING, all commands up to DATA are one write, in groups that fit into any socket's
// buffer (RFC 2920 §3.1: whoever writes more without reading may wait for a server that waits for us).
//
// Thread: the session's shard. Runs once. Borrows everything in Parts.
class OutgoingTransaction {
 public:
  struct Parts {
    Wire* wire;
    const ClientSettings* settings;
    const mail::Envelope* envelope;
    OutgoingBody* body;  // Rewound.
    std::vector<RecipientFate>* fates;
  };
  struct Manner {
    bool pipelining = false;
    bool resets = false;       // RSET goes first.
    bool is_last_try = false;  // A refusal of parameters counts as any other.
  };

  OutgoingTransaction(Parts parts, SendPlan plan, Manner manner);

  // Adds a fate for each recipient of the plan but the misunderstood.
  async::Task<void> Run();
  // The server took the mail, and expects the next.
  bool has_succeeded() const { return has_succeeded_; }
  // The server had closed before it heard the first command, as far as its answers tell.
  bool found_closed() const { return found_closed_; }
  // Recipients that were refused because of parameters that the server had offered to take: to be tried without.
  std::vector<std::uint32_t> TakeMisunderstood() { return std::move(misunderstood_); }

 private:
  enum class Verb : std::uint8_t { kReset, kMail, kRcpt, kData };
  struct Command {
    Verb verb;
    std::size_t position = 0;  // kRcpt: in offered_.
  };
  enum class State : std::uint8_t { kOpen, kAccepted, kSettled };
  struct Offered {
    std::uint32_t recipient;
    State state = State::kOpen;
  };

  // The envelope. False: there is nothing more to do.
  async::Task<bool> OfferEnvelope();
  bool AppendNext(std::string* out, std::vector<Command>* group);
  async::Task<bool> HandleReplies(const std::vector<Command>* group);
  bool Handle(const Command& command, const ServerReply& reply);
  bool HandleMail(const ServerReply& reply);
  bool HandleRcpt(Offered& offered, const ServerReply& reply);
  bool HandleData(const ServerReply& reply);
  async::Task<void> SendLoneDot();
  // The bytes, and the answers to them.
  async::Task<bool> SendBody();
  async::Task<void> AwaitVerdict();
  async::Task<void> AwaitVerdictOfEach();

  bool IsAboutParameters(const ServerReply& reply) const;
  bool has_accepted() const;
  void Settle(Offered& offered, RecipientFate fate);
  void SettleAll(const RecipientFate& fate);
  // After it the connection is of no use; false, for the caller to return.
  bool Abandon(const RecipientFate& fate);
  bool Abandon(std::string_view doing, const base::Error& error);

  Parts parts_;
  SendPlan plan_;
  Manner manner_;
  std::vector<Offered> offered_;
  std::vector<std::uint32_t> misunderstood_;
  std::size_t next_recipient_ = 0;  // In offered_: whose RCPT comes next.
  bool reset_said_ = false;
  bool mail_said_ = false;
  bool mail_refused_ = false;
  bool data_said_ = false;
  bool data_begun_ = false;  // 354 came.
  bool has_answered_ = false;
  bool found_closed_ = false;
  bool has_succeeded_ = false;
};

}  // namespace smtp
