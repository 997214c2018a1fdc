#include "deliver/local_courier.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "deliver/delivery_log.h"
#include "mail/trace.h"

namespace deliver {
namespace {

constexpr std::uint64_t kPieceBytes = replog::BodyWriter::kPartBytes;

// Whatever fails is ours and passes: promise 2.
queue::RecipientOutcome OutcomeOfFailure(std::uint32_t recipient, const base::Error& error) {
  return {recipient, queue::Outcome::kRetryLater, "4.3.0 " + error.message()};
}

bool IsMissing(const base::Error& error) {
  return error.code() == base::Errc::kNotFound;
}

}  // namespace

async::Task<void> LocalCourier::Deliver(queue::Claim claim, std::vector<queue::RecipientOutcome>* outcomes) {
  std::map<replog::PartitionId, Stops> stops_of;
  for (const std::uint32_t recipient : claim.recipients) {
    Stop stop{recipient, AccountOf(claim.envelope.recipients[recipient].address)};
    stops_of[store_->PartitionOf(stop.account)].push_back(std::move(stop));
  }
  const std::size_t before = outcomes->size();
  for (auto& [partition, stops] : stops_of) co_await DeliverToPartition(&claim, std::move(stops), outcomes);
  for (std::size_t i = before; i < outcomes->size(); ++i) {
    queue::RecipientOutcome& outcome = (*outcomes)[i];
    outcome.relay = "local";
    LogDelivery(claim, outcome, clock_->WallNow());
  }
}

async::Task<void> LocalCourier::DeliverToPartition(const queue::Claim* claim, Stops stops,
                                                   std::vector<queue::RecipientOutcome>* outcomes) {
  base::Result<std::vector<std::size_t>> delivered = co_await DeliverTogether(claim, stops);
  // Accounts can go at any moment, so asking for each of them beforehand would not do.
  while (!delivered && IsMissing(delivered.error())) {
    const std::size_t stops_before = stops.size();
    co_await RejectMissing(&stops, outcomes);
    if (stops.empty()) co_return;
    // Made again meanwhile, or the mail is gone.
    if (stops.size() == stops_before) break;
    delivered = co_await DeliverTogether(claim, stops);
  }
  if (!delivered) {
    for (const Stop& stop : stops) outcomes->push_back(OutcomeOfFailure(stop.recipient, delivered.error()));
    co_return;
  }
  for (std::size_t i = 0; i < stops.size(); ++i) {
    const std::uint32_t recipient = stops[i].recipient;
    if (std::ranges::find(*delivered, i) != delivered->end()) {
      outcomes->push_back(OutcomeOfFull(recipient));
    } else {
      outcomes->push_back({recipient, queue::Outcome::kDelivered, "2.0.0 delivered to the mailbox"});
    }
  }
}

queue::RecipientOutcome LocalCourier::OutcomeOfFull(std::uint32_t recipient) const {
  if (options_.when_full == store::WhenFull::kReject) {
    return {recipient, queue::Outcome::kRejected, "5.2.2 the mailbox is full"};
  }
  return {recipient, queue::Outcome::kRetryLater, "4.2.2 the mailbox is full"};
}

async::Task<void> LocalCourier::RejectMissing(Stops* stops, std::vector<queue::RecipientOutcome>* outcomes) {
  for (auto stop = stops->begin(); stop != stops->end();) {
    const auto found = co_await store_->FindAccount(stop->account);
    if (found || !IsMissing(found.error())) {
      ++stop;
      continue;
    }
    outcomes->push_back({stop->recipient, queue::Outcome::kRejected, "5.1.1 there is no such account"});
    stop = stops->erase(stop);
  }
}

std::string LocalCourier::AccountOf(const std::string& recipient) const {
  const auto address = mail::Address::Parse(recipient, {.utf8 = true, .bare_postmaster = true});
  if (!address) return recipient;
  if (address->IsPostmaster() && !options_.postmaster.empty()) return options_.postmaster;
  return address->WithoutDetail(options_.recipient_delimiter).CanonicalKey();
}

async::Task<base::Result<std::vector<std::size_t>>> LocalCourier::DeliverTogether(const queue::Claim* claim,
                                                                                  Stops stops) {
  store::Delivery delivery;
  delivery.cls = claim->cls;
  delivery.need = mffs::Need::kAccepted;
  delivery.internal_date = clock_->WallNow();
  std::vector<std::string> accounts;
  for (const Stop& stop : stops) {
    accounts.push_back(stop.account);
    delivery.targets.push_back(
        {.address = stop.account,
         .delivery_id = claim->DeliveryIdOf(stop.recipient),
         .prefix = mail::DeliveryPrefix(claim->envelope.sender, claim->envelope.recipients[stop.recipient].address)});
  }
  ASSIGN_OR_CO_RETURN(delivery.body, co_await CopyBody(claim, store_->StreamOfDelivery(accounts)));
  const replog::PartitionId partition = store_->PartitionOf(stops.front().account);
  const std::optional<store::Settled> news = settled_.News(partition, claim->id.partition);
  if (news.has_value()) delivery.settled.push_back(*news);
  ASSIGN_OR_CO_RETURN(std::vector<std::size_t> full, co_await store_->Deliver(std::move(delivery)));
  if (news.has_value()) settled_.Told(partition, *news);
  co_return full;
}

// The mail's bytes move from the queue's partition to the mailbox's piece by piece.
async::Task<base::Result<replog::Body>> LocalCourier::CopyBody(const queue::Claim* claim, mffs::Stream stream) {
  replog::BodyWriter writer = store_->NewBody(mffs::Need::kAccepted, stream);
  for (std::uint64_t offset = 0; offset < claim->body.size_bytes; offset += kPieceBytes) {
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await queue_->ReadBody(*claim, offset, kPieceBytes));
    CO_RETURN_IF_ERROR(co_await writer.Write(piece));
  }
  co_return co_await writer.Finish();
}

}  // namespace deliver
