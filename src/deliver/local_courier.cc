#include "deliver/local_courier.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "mail/trace.h"

namespace deliver {
namespace {

constexpr std::uint64_t kPieceBytes = replog::BodyWriter::kPartBytes;

queue::RecipientOutcome OutcomeOf(std::uint32_t recipient, const base::Result<>& result) {
  if (result) return {recipient, queue::Outcome::kDelivered, "2.0.0 delivered to the mailbox"};
  if (result.error().code() == base::Errc::kNotFound) {
    return {recipient, queue::Outcome::kRejected, "5.1.1 there is no such account"};
  }
  // Whatever else fails is ours and passes: promise 2.
  return {recipient, queue::Outcome::kRetryLater, "4.3.0 " + result.error().message()};
}

}  // namespace

async::Task<std::vector<queue::RecipientOutcome>> LocalCourier::Deliver(queue::Claim claim) {
  std::vector<queue::RecipientOutcome> outcomes;
  std::map<replog::PartitionId, std::vector<Stop>> stops_of;
  for (const std::uint32_t recipient : claim.recipients) {
    Stop stop{recipient, AccountOf(claim.envelope.recipients[recipient].address)};
    // Asked one by one, so that an account that is gone refuses its own copy only.
    const auto found = co_await store_->FindAccount(stop.account);
    if (found) {
      stops_of[store_->PartitionOf(stop.account)].push_back(std::move(stop));
    } else {
      outcomes.push_back(OutcomeOf(recipient, base::Result<>(std::unexpected(found.error()))));
    }
  }
  for (auto& [partition, stops] : stops_of) {
    const std::vector<Stop> served = stops;
    const auto delivered = co_await DeliverToPartition(&claim, std::move(stops));
    for (const Stop& stop : served) outcomes.push_back(OutcomeOf(stop.recipient, delivered));
  }
  co_return outcomes;
}

std::string LocalCourier::AccountOf(const std::string& recipient) const {
  const auto address = mail::Address::Parse(recipient, {.utf8 = true, .bare_postmaster = true});
  if (!address) return recipient;
  if (address->IsPostmaster() && !options_.postmaster.empty()) return options_.postmaster;
  return address->WithoutDetail(options_.recipient_delimiter).CanonicalKey();
}

async::Task<base::Result<>> LocalCourier::DeliverToPartition(const queue::Claim* claim, std::vector<Stop> stops) {
  store::Delivery delivery;
  delivery.cls = claim->cls;
  delivery.internal_date = clock_->WallNow();
  for (const Stop& stop : stops) {
    // Two recipients can be one account (sub-addresses): one copy, under the first one's id.
    const bool named_before = std::ranges::any_of(
        delivery.targets, [&](const store::DeliveryTarget& other) { return other.address == stop.account; });
    if (named_before) continue;
    delivery.targets.push_back(
        {.address = stop.account,
         .delivery_id = claim->DeliveryIdOf(stop.recipient),
         .prefix = mail::DeliveryPrefix(claim->envelope.sender, claim->envelope.recipients[stop.recipient].address)});
  }
  ASSIGN_OR_CO_RETURN(delivery.body, co_await CopyBody(claim));
  CO_RETURN_IF_ERROR(co_await store_->Deliver(std::move(delivery)));
  for (const Stop& stop : stops) {
    base::LogInfo("mail_delivered", {{"id", claim->envelope.id},
                                     {"queue_id", claim->id.ToString()},
                                     {"to", claim->envelope.recipients[stop.recipient].address},
                                     {"attempts", claim->attempts + 1}});
  }
  co_return base::Result<>();
}

// The mail's bytes move from the queue's partition to the mailbox's piece by piece.
async::Task<base::Result<replog::Body>> LocalCourier::CopyBody(const queue::Claim* claim) {
  replog::BodyWriter writer = store_->NewBody();
  for (std::uint64_t offset = 0; offset < claim->body.size_bytes; offset += kPieceBytes) {
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await queue_->ReadBody(*claim, offset, kPieceBytes));
    CO_RETURN_IF_ERROR(co_await writer.Write(piece));
  }
  co_return co_await writer.Finish();
}

}  // namespace deliver
