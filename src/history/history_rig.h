// A history with its log, its queue and a simulated disk, for the tests of this folder and the benchmark.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/testing.h"
#include "async/worker_pool.h"
#include "history/history.h"
#include "history/watch.h"
#include "mffs/sim_device.h"
#include "queue/queue_rig.h"
#include "store/entries.h"

namespace history {

// Mailboxes that keep nothing but how far their logs have come.
class SeenMailboxes final : public replog::StateMachine {
 public:
  void Apply(const replog::EntryView& entry, std::function<void(base::Result<std::string>)> done) override {
    reached_[entry.partition] = entry.index;
    done(std::string());
  }
  void BodiesMoved(replog::PartitionId, std::vector<BodyMove>) override {}
  async::Task<base::Result<replog::Index>> WriteSnapshot(replog::PartitionId partition,
                                                         replog::SnapshotWriter* writer) override {
    const replog::Index reached = reached_[partition];
    CO_RETURN_IF_ERROR(co_await writer->Write("seen"));
    co_return reached;
  }
  bool BeginSnapshot(replog::PartitionId partition, replog::Index reached) override {
    reached_[partition] = reached;
    return true;
  }
  base::Result<> LoadSnapshotPiece(replog::PartitionId, std::string_view) override { return {}; }
  async::Task<base::Result<>> EndSnapshot(replog::PartitionId) override { co_return base::Result<>(); }
  async::Task<base::Result<>> Recovered() override { co_return base::Result<>(); }

 private:
  std::map<replog::PartitionId, replog::Index> reached_;
};

struct HistoryRigOptions {
  HistoryOptions history{};
  std::uint64_t device_bytes = 40u << 20;
  mffs::VolumeOptions volume{};
};

// One process with its disk. Members in the order of their lives. Mailboxes are not kept: entries of their partitions
// are only seen.
class HistoryRig {
 public:
  HistoryRig(const base::Clock* with_clock, std::optional<mffs::SimImage> image, HistoryRigOptions with = {})
      : options(std::move(with)),
        clock(with_clock),
        device(context.get_executor(), image.has_value() ? *image : mffs::SimImage(options.device_bytes),
               {.on_power_cut = [this] { device.FailWhatWasCut(); }}),
        pool(context.get_executor(), {.budget_bytes = 8u << 20}) {
    const auto opened = Run(Open(image.has_value()));
    EXPECT_TRUE(opened.has_value()) << opened.error().message();
  }
  ~HistoryRig() {
    if (log != nullptr) Shut(false);
  }
  HistoryRig(const HistoryRig&) = delete;
  HistoryRig& operator=(const HistoryRig&) = delete;

  template <class T>
  T Run(async::Task<T> task) {
    return async::RunTask(context, std::move(task));
  }
  async::Task<base::Result<>> Open(bool formatted) {
    if (!formatted) {
      CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(&device, {.segment_bytes = 1u << 20}));
    }
    ASSIGN_OR_CO_RETURN(volume, co_await mffs::Volume::Open(&device, clock, options.volume));
    history = std::make_unique<History>(context.get_executor(), volume.get(), clock, &workers, options.history);
    log = std::make_unique<replog::Log>(
        context.get_executor(), volume.get(), &pool, &coordinator,
        replog::LogOptions{.mailbox_partitions = 2, .queue_partitions = 2, .guest = history.get()});
    queue = std::make_unique<queue::MailQueue>(context.get_executor(), log.get(), clock, queue::DomainOf,
                                               queue::MailQueueOptions{});
    mailbox_watch = std::make_unique<MailboxWatch>(&mailboxes, history.get());
    queue_watch = std::make_unique<QueueWatch>(queue.get(), history.get());
    CO_RETURN_IF_ERROR(co_await log->Recover(mailbox_watch.get(), queue_watch.get()));
    history->Start();
    co_return base::Result<>();
  }
  // Ends as a process that is asked to, or by a cut of the power: `seed` decides what of the writes in flight is left.
  mffs::SimImage Shut(bool crash, std::uint64_t seed = 1) {
    if (crash) {
      if (!device.PowerWasCut()) device.CutPowerNow();
      device.FailWhatWasCut();
    }
    Run(Close());
    queue_watch.reset();
    mailbox_watch.reset();
    queue.reset();
    log.reset();
    history.reset();
    volume.reset();
    return crash ? device.ImageAfter(seed) : device.Snapshot();
  }
  async::Task<void> Close() {
    co_await log->Stop();
    co_await history->Stop();
    base::Ignore(co_await volume->Close());
  }

  // A mail that goes into a mailbox at once. False: the power is gone.
  bool DeliverDirectly(const std::string& id, const std::string& sender, const std::string& recipient) {
    return Run(DeliverTask(id, sender, recipient));
  }
  async::Task<bool> DeliverTask(std::string id, std::string sender, std::string recipient) {
    const std::string prefix = "Return-Path: <" + sender + ">\r\nDelivered-To: " + recipient + "\r\n";
    store::DeliverDirectEntry entry;
    entry.delivery.date_us = clock->WallNow().time_since_epoch().count();
    entry.delivery.targets.push_back({.account = 1, .delivery_id = {}, .prefix = prefix});
    entry.mail_id = id;
    entry.client_ip = "192.0.2.1";
    entry.helo = "client.example.org";
    entry.protocol = "ESMTP";
    replog::Draft draft;
    draft.type = static_cast<std::uint8_t>(store::EntryType::kDeliverDirect);
    draft.meta = store::EncodeEntry(entry);
    const auto committed = co_await log->ProposeCommitted(replog::PartitionId(0), std::move(draft));
    co_return committed.has_value();
  }
  std::optional<queue::QueueId> Enqueue(const std::string& id, const std::string& sender,
                                        std::vector<std::string> recipients) {
    mail::Envelope envelope = queue::EnvelopeTo(std::move(recipients));
    envelope.id = id;
    envelope.sender = sender;
    const auto queued = Run(EnqueueTask(std::move(envelope)));
    return queued.has_value() ? std::optional(*queued) : std::nullopt;
  }
  async::Task<base::Result<queue::QueueId>> EnqueueTask(mail::Envelope envelope) {
    replog::BodyWriter writer = queue->NewBody(envelope.cls);
    CO_RETURN_IF_ERROR(co_await writer.Write("Subject: hello\r\n\r\nhello\r\n"));
    ASSIGN_OR_CO_RETURN(replog::Body body, co_await writer.Finish());
    co_return co_await queue->Enqueue(std::move(envelope), std::move(body));
  }
  // Takes the next claim, and ends it with this outcome for all its recipients.
  bool Attempt(queue::Outcome outcome, const std::string& answer) {
    queue::Claim claim = Run(queue->NextClaim());
    std::vector<queue::RecipientOutcome> outcomes;
    for (const std::uint32_t recipient : claim.recipients) {
      outcomes.push_back({.recipient = recipient,
                          .outcome = outcome,
                          .answer = answer,
                          .relay = "mx.example.net[192.0.2.9]:25",
                          .cipher = "TLSv1.3 TLS_AES_256_GCM_SHA384"});
    }
    return Run(queue->Record(std::move(claim), std::move(outcomes))).has_value();
  }

  FoundMails Find(Query query) {
    auto found = Run(history->Find(std::move(query)));
    EXPECT_TRUE(found.has_value()) << found.error().message();
    return found.has_value() ? *std::move(found) : FoundMails();
  }
  // The ids of all mails there are, the newest first.
  std::vector<std::string> AllIds() {
    std::vector<std::string> ids;
    for (const TracedMail& mail : Find({.since = base::WallTime(), .limit = 1'000'000}).mails) {
      ids.push_back(mail.arrival.has_value() ? mail.arrival->arrival()->mail_id : "?");
    }
    return ids;
  }

  const HistoryRigOptions options;
  const base::Clock* const clock;
  async::WorkerPool workers{{.name = "history"}};
  asio::io_context context{1};
  mffs::SimDevice device;
  mffs::BufferPool pool;
  queue::CountingCoordinator coordinator;
  SeenMailboxes mailboxes;
  std::unique_ptr<mffs::Volume> volume;
  std::unique_ptr<History> history;
  std::unique_ptr<replog::Log> log;
  std::unique_ptr<queue::MailQueue> queue;
  std::unique_ptr<MailboxWatch> mailbox_watch;
  std::unique_ptr<QueueWatch> queue_watch;
};

}  // namespace history
