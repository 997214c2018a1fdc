// RemoteCourier::Attempt: one claim on its way to its next hop.
#pragma once

#include <string>
#include <vector>

#include "deliver/next_hop_endpoints.h"
#include "deliver/queued_bytes.h"
#include "deliver/remote_courier.h"

namespace deliver {

// Lives in the coroutine of Deliver, whose courier and `outcomes` outlive it.
class RemoteCourier::Attempt {
 public:
  Attempt(RemoteCourier* courier, queue::Claim claim, NextHop hop, std::vector<queue::RecipientOutcome>* outcomes);

  async::Task<void> Run();

 private:
  // Why recipients have the end that they have, when no host said it.
  struct Reason {
    queue::Outcome outcome = queue::Outcome::kRetryLater;
    std::string status;
    std::string words;
  };
  using Recipients = std::vector<std::uint32_t>;
  // Whether a host took part in the dialogue, so that its word stands for the recipients.
  enum class Answered { kYes, kNo };
  class Settling;

  // Each of these is about `pending_`: some recipients of the claim, for one mail on the wire.
  async::Task<void> SendTogether();
  async::Task<void> FindEndpoints();
  async::Task<Answered> SendToEndpoint(Endpoint endpoint);
  async::Task<Answered> SendOver(HopSession session);
  void SettlePending(const Reason& reason);

  void Settle(const HopSession& session, const std::vector<smtp::RecipientFate>& fates);
  void Add(queue::RecipientOutcome outcome);
  // Who may share a connection with this hop beside the same destination.
  std::string PoolScope() const { return hop_.kind == NextHop::Kind::kMx ? "mx" : ""; }

  RemoteCourier* courier_;
  queue::Claim claim_;
  NextHop hop_;
  std::vector<queue::RecipientOutcome>* outcomes_;
  QueuedBytes bytes_;
  Recipients pending_;  // Those without an outcome.
  std::vector<Endpoint> endpoints_;
  Reason failure_;       // Of the endpoint that was tried last, or of the search for them.
  bool failed_ = false;  // No host can be had in this attempt.
};

}  // namespace deliver
