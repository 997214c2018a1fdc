// A mail queue on a log on a simulated disk, for the tests of this folder and of deliver.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/testing.h"
#include "mffs/sim_device.h"
#include "queue/mail_queue.h"

namespace queue {

// Mailbox partitions are not used here.
class NoMailboxes final : public replog::StateMachine {
 public:
  void Apply(const replog::EntryView&, std::function<void(base::Result<std::string>)> done) override {
    done(std::string());
  }
  void BodiesMoved(replog::PartitionId, std::vector<BodyMove>) override {}
  async::Task<base::Result<replog::Index>> WriteSnapshot(replog::PartitionId, replog::SnapshotWriter*) override {
    co_return replog::Index(0);
  }
  bool BeginSnapshot(replog::PartitionId, replog::Index) override { return false; }
  base::Result<> LoadSnapshotPiece(replog::PartitionId, std::string_view) override { return {}; }
  async::Task<base::Result<>> EndSnapshot(replog::PartitionId) override { co_return base::Result<>(); }
  async::Task<base::Result<>> Recovered() override { co_return base::Result<>(); }
};

class CountingCoordinator final : public replog::Coordinator {
 public:
  async::Task<base::Result<replog::Epoch>> TakeEpoch(replog::PartitionId, replog::Epoch own_log) override {
    co_return own_log.Next();
  }
};

inline std::string DomainOf(const std::string& address) {
  return address.substr(address.find('@') + 1);
}

inline mail::Envelope EnvelopeTo(std::vector<std::string> recipients, mail::Class cls = mail::Class::kNormal) {
  mail::Envelope envelope;
  envelope.sender = "sender@example.test";
  envelope.cls = cls;
  for (std::string& recipient : recipients) envelope.recipients.push_back({.address = std::move(recipient)});
  return envelope;
}

// One process with its disk. Members in the order of their lives.
class QueueRig {
 public:
  QueueRig(const base::Clock* clock, std::optional<mffs::SimImage> image, MailQueueOptions options,
           replog::LogOptions with = {}, Router by_router = DomainOf)
      : log_options(std::move(with)),
        router(std::move(by_router)),
        device(context.get_executor(), image.has_value() ? *image : mffs::SimImage(22u << 20)),
        pool(context.get_executor(), {.budget_bytes = 8u << 20}) {
    const auto opened = async::RunTask(context, Open(clock, image.has_value(), std::move(options)));
    EXPECT_TRUE(opened.has_value()) << opened.error().message();
  }
  async::Task<base::Result<>> Open(const base::Clock* clock, bool formatted, MailQueueOptions options) {
    if (!formatted) {
      CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(&device, {.segment_bytes = 1u << 20}));
    }
    ASSIGN_OR_CO_RETURN(volume, co_await mffs::Volume::Open(&device, clock, {}));
    log_options.mailbox_partitions = 1;
    log_options.queue_partitions = 3;
    log = std::make_unique<replog::Log>(context.get_executor(), volume.get(), &pool, &coordinator, log_options);
    queue = std::make_unique<MailQueue>(context.get_executor(), log.get(), clock, router, std::move(options));
    co_return co_await log->Recover(&mailboxes, queue.get());
  }
  async::Task<void> Close() {
    co_await log->Stop();
    base::Ignore(co_await volume->Close());
  }
  // `seed` decides what of the writes in flight a crash leaves.
  mffs::SimImage Shut(bool crash, std::uint64_t seed = 1) {
    if (crash) {
      if (!device.PowerWasCut()) device.CutPowerNow();
      device.FailWhatWasCut();
    }
    async::RunTask(context, Close());
    queue.reset();
    log.reset();
    volume.reset();
    return crash ? device.ImageAfter(seed) : device.Snapshot();
  }

  replog::LogOptions log_options;
  Router router;
  asio::io_context context{1};
  mffs::SimDevice device;
  mffs::BufferPool pool;
  CountingCoordinator coordinator;
  NoMailboxes mailboxes;
  std::unique_ptr<mffs::Volume> volume;
  std::unique_ptr<replog::Log> log;
  std::unique_ptr<MailQueue> queue;
};

}  // namespace queue
