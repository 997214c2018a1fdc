// For tests of delivery: a node with a real store and queue on a simulated disk, and mails in the queue.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/testing.h"
#include "store/inbox_testing.h"
#include "store/queued_ids_testing.h"

namespace deliver {

inline constexpr std::string_view kAlice = "alice@example.test";
inline constexpr std::string_view kBob = "bob@example.test";      // In another mailbox partition than alice.
inline constexpr std::string_view kCarol = "carol@example.test";  // In alice's.

class TestBed {
 public:
  explicit TestBed(store::TestNodeOptions options = {}) : node_(WithQueue(std::move(options), &queue_)) {
    for (const std::string_view address : {kAlice, kBob, kCarol}) {
      accounts_.emplace_back(address, node_.AddAccount(std::string(address)).id);
    }
    CHECK(node_.store().PartitionOf(kAlice) != node_.store().PartitionOf(kBob));
    CHECK(node_.store().PartitionOf(kAlice) == node_.store().PartitionOf(kCarol));
  }

  store::TestNode& node() { return node_; }
  queue::MailQueue* queue() { return queue_; }

  queue::QueueId Enqueue(const std::vector<std::string_view>& recipients,
                         std::string text = "Subject: s\r\n\r\nhello\r\n", std::string sender = "sender@remote.test") {
    mail::Envelope envelope;
    envelope.id = "m1";
    envelope.sender = std::move(sender);
    for (const std::string_view recipient : recipients)
      envelope.recipients.push_back({.address = std::string(recipient)});
    return node_.Do(queue::EnqueueText(queue_, std::move(envelope), std::move(text)));
  }
  // Delivery ids of queued mail that an account's partition keeps.
  std::size_t KeptIds(std::string_view address) {
    store::QueuedIdReader reader;
    node_.Do(node_.store().WriteSnapshot(node_.store().PartitionOf(address), &reader));
    return reader.ids().size();
  }
  queue::Claim NextClaim() { return node_.Run(queue_->NextClaim()); }

  // All mails of an account's INBOX, with their prefix, by UID.
  std::vector<std::string> Mails(std::string_view address) {
    return store::MailsOfInbox(node_, std::ranges::find(accounts_, address, &Named::first)->second);
  }

 private:
  using Named = std::pair<std::string, store::AccountId>;

  static store::TestNodeOptions WithQueue(store::TestNodeOptions options, queue::MailQueue** queue) {
    options.make_queue = [queue](async::Executor executor, replog::Log* log, const base::Clock* clock) {
      auto made = std::make_unique<queue::MailQueue>(
          executor, log, clock, [](const std::string& to) { return to.substr(to.rfind('@') + 1); },
          queue::MailQueueOptions{});
      *queue = made.get();
      return made;
    };
    return options;
  }
  queue::MailQueue* queue_ = nullptr;  // The node's.
  store::TestNode node_;
  std::vector<Named> accounts_;
};

}  // namespace deliver
