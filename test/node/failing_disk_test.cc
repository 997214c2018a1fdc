// A disk whose writes fail, hang, or whose sectors cannot be read any more, under SMTP, IMAP and POP3 load: what fails
// once nobody sees; what fails for good stops new mail, with temporary answers, and nothing else; one damaged mail is
// one damaged mail.
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "async/testing.h"
#include "node/client.h"
#include "node/ledger.h"
#include "node/load.h"
#include "node/node_rig.h"
#include "salvage/repair.h"

namespace node {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;
using Kind = mffs::PlantedFault::Kind;

constexpr std::uint64_t kSeed = 31;
constexpr std::string_view kAlice = "alice@example.test";

const Base& SharedBase() {
  static const std::unique_ptr<Base> base = MakeBase();
  return *base;
}

class NodeFailingDisk : public testing::Test {
 protected:
  void Open(mffs::VolumeOptions volume = SmallVolume()) {
    CopyFolder(SharedBase(), folder_);
    rig_ = std::make_unique<NodeRig>(
        RigOptions{.image = SharedBase().image, .folder = folder_.path(), .volume = std::move(volume)});
    ASSERT_EQ(rig_->start_error(), "");
    lines_ = std::make_unique<LogLines>("mffs_");
  }
  void Plant(mffs::PlantedFault fault) {
    rig_->OnShard([&] { rig_->device().Plant(fault); });
  }
  std::size_t LinesOf(std::string_view event) {
    return static_cast<std::size_t>(
        std::ranges::count_if(lines_->all(), [&](const std::string& line) { return line.starts_with(event); }));
  }
  std::string Readyz() { return HttpGet(rig_->port("http"), "/readyz"); }
  double Metric(std::string_view name) { return ReadMetric(rig_->port("http"), name).value_or(-1); }
  void ExpectReadOnlyIsTold();
  void ExpectMailIsRead();

  Folder folder_;
  std::unique_ptr<NodeRig> rig_;
  std::unique_ptr<LogLines> lines_;
};

TEST_F(NodeFailingDisk, WritesThatFailOnceUnderLoadAreMendedAndNobodySeesIt) {
  ASSERT_NO_FATAL_FAILURE(Open());
  // Far apart: the second try of each is a write that succeeds.
  for (const std::uint64_t skip : {5u, 15u, 25u}) Plant({.kind = Kind::kFail, .skip = skip});
  Plant({.kind = Kind::kShort, .skip = 35});
  const Ledger ledger = RunLoad(rig_.get(), SharedBase(), kSeed);
  EXPECT_TRUE(ledger.finished());
  EXPECT_GE(LinesOf("mffs_write_failed"), 1u);
  EXPECT_EQ(LinesOf("mffs_read_only"), 0u);
  EXPECT_TRUE(Readyz().starts_with("HTTP/1.1 200"));
  const Findings found = Compare(rig_.get(), ledger);
  EXPECT_THAT(found.problems, SizeIs(0)) << found.problems.front();
}

void NodeFailingDisk::ExpectReadOnlyIsTold() {
  const std::string ready = Readyz();
  EXPECT_TRUE(ready.starts_with("HTTP/1.1 503")) << ready;
  EXPECT_THAT(ready, HasSubstr("repair the device and restart"));
  EXPECT_EQ(Metric("posthorn_volume_read_only"), 1);
  EXPECT_GE(Metric("posthorn_store_refusals_total{protocol=\"smtp\",reason=\"read_only\"}"), 1);
  // One line, whatever the clients heard.
  EXPECT_EQ(LinesOf("mffs_read_only"), 1u);
}

// Nothing of reading needs a disk that writes.
void NodeFailingDisk::ExpectMailIsRead() {
  Client imap(rig_->port("imap"));
  ASSERT_TRUE(BeginImap(&imap, "carol@example.test"));
  const auto box = FetchBox(&imap, "Archive");
  ASSERT_TRUE(box.has_value());
  EXPECT_GE(box->mails.size(), 1u);
  EXPECT_THAT(AskImap(&imap, AppendCommand("Archive", {}, "Subject: no\r\n\r\nno\r\n")).status,
              HasSubstr("NO [UNAVAILABLE]"));
  Client pop3(rig_->port("pop3"));
  ASSERT_TRUE(BeginPop3(&pop3, "dave@example.test"));
  EXPECT_TRUE(AskPop3(&pop3, "STAT").starts_with("+OK"));
}

TEST_F(NodeFailingDisk, WhenEveryWriteFailsMailIsRefusedForNowReadingGoesOnAndNothingIsLost) {
  ASSERT_NO_FATAL_FAILURE(Open());
  Plant({.kind = Kind::kFail, .skip = 25, .times = mffs::PlantedFault::kAlways});
  const Ledger ledger = RunLoad(rig_.get(), SharedBase(), kSeed);
  EXPECT_FALSE(ledger.finished());
  Client smtp(rig_->port("smtp"));
  EXPECT_THAT(ReadSmtpReply(&smtp), testing::StartsWith("421 4.3.2 "));
  EXPECT_EQ(smtp.ReadLine(), std::nullopt) << "421 ends the connection";
  ExpectReadOnlyIsTold();
  ExpectMailIsRead();
  EXPECT_FALSE(rig_->Stop().has_value());
  const Wreck wreck = rig_->TakeWreck(kSeed, IndexFate::kDeleted);
  rig_.reset();
  NodeRig again({.image = wreck.image, .folder = folder_.path()});
  const Findings found = Compare(&again, ledger);
  EXPECT_THAT(found.problems, SizeIs(0)) << found.problems.front();
}

TEST_F(NodeFailingDisk, AWriteThatHangsIsMendedAndADiskThatHangsIsReadOnly) {
  mffs::VolumeOptions volume = SmallVolume();
  volume.write_deadline = std::chrono::milliseconds(300);
  ASSERT_NO_FATAL_FAILURE(Open(volume));
  Client smtp(rig_->port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  Plant({.kind = Kind::kHang});
  EXPECT_THAT(SendMail(&smtp, {std::string(kAlice)}, "Subject: once\r\n\r\nonce\r\n"), testing::StartsWith("250"));
  EXPECT_TRUE(Readyz().starts_with("HTTP/1.1 200"));
  Plant({.kind = Kind::kHang, .times = mffs::PlantedFault::kAlways});
  EXPECT_THAT(SendMail(&smtp, {std::string(kAlice)}, "Subject: ever\r\n\r\never\r\n"), HasSubstr("451 4.3.0"));
  EXPECT_THAT(AskSmtp(&smtp, "MAIL FROM:<sender@example.org>"), testing::StartsWith("451 "));
  ExpectReadOnlyIsTold();
  ExpectMailIsRead();
  rig_->OnShard([this] {
    rig_->device().ClearFaults();
    rig_->device().Unhang();
  });
}

async::Task<base::Result<queue::QueueId>> Enqueue(queue::MailQueue* queue, mail::Envelope envelope, std::string text) {
  replog::BodyWriter writer = queue->NewBody(envelope.cls);
  CO_RETURN_IF_ERROR(co_await writer.Write(text));
  ASSIGN_OR_CO_RETURN(replog::Body body, co_await writer.Finish());
  co_return co_await queue->Enqueue(std::move(envelope), std::move(body));
}

// A mail can still be handled, whatever became of its body.
async::Task<base::Result<>> ControlTwice(queue::MailQueue* queue, queue::QueueId id) {
  CO_RETURN_IF_ERROR(co_await queue->Release(id));
  co_return co_await queue->Hold(id);
}

// Where `text` lies on the disk.
std::optional<std::uint64_t> Find(const mffs::SimImage& image, std::string_view text) {
  constexpr std::uint64_t kStep = 1u << 20;
  std::string piece(kStep + text.size(), '\0');
  for (std::uint64_t at = 0; at < image.size_bytes(); at += kStep) {
    const std::uint64_t size = std::min<std::uint64_t>(piece.size(), image.size_bytes() - at);
    image.Read(at, {reinterpret_cast<std::byte*>(piece.data()), size});
    const std::size_t found = std::string_view(piece).substr(0, size).find(text);
    if (found != std::string_view::npos) return at + found;
  }
  return std::nullopt;
}

TEST_F(NodeFailingDisk, AMailThatCannotBeReadIsANoForThatMailAlone) {
  ASSERT_NO_FATAL_FAILURE(Open());
  Client imap(rig_->port("imap"));
  ASSERT_TRUE(BeginImap(&imap, "dora@example.test"));
  for (const std::string_view word : {"first", "second", "third"}) {
    // Longer than two sectors, so that one of them is this mail's alone.
    const std::string text = fmt::format("Subject: {}\r\n\r\n{}\r\n{}-middle\r\n{}\r\n", word, std::string(9000, 'x'),
                                         word, std::string(9000, 'y'));
    ASSERT_TRUE(AskImap(&imap, AppendCommand("INBOX", {}, text)).ok());
  }
  const auto place = rig_->OnShard([this] { return Find(rig_->device().Snapshot(), "second-middle"); });
  ASSERT_TRUE(place.has_value());
  Plant({.kind = Kind::kFail,
         .on = mffs::SimOperation::kRead,
         .times = mffs::PlantedFault::kAlways,
         .from = *place,
         .to = *place + 1});

  ASSERT_TRUE(AskImap(&imap, "SELECT INBOX").ok());
  const ImapAnswer all = AskImap(&imap, "FETCH 1:3 BODY.PEEK[]");
  EXPECT_THAT(all.status, HasSubstr("NO [CORRUPTION]"));
  EXPECT_THAT(all.untagged, SizeIs(2));
  EXPECT_THAT(all.untagged, Contains(HasSubstr("first-middle")));
  EXPECT_THAT(all.untagged, Contains(HasSubstr("third-middle")));
  EXPECT_TRUE(AskImap(&imap, "FETCH 3 BODY.PEEK[]").ok());
  EXPECT_TRUE(AskImap(&imap, "FETCH 1:3 (FLAGS RFC822.SIZE)").ok());
  Client pop3(rig_->port("pop3"));
  ASSERT_TRUE(BeginPop3(&pop3, "dora@example.test"));
  EXPECT_TRUE(AskPop3(&pop3, "RETR 2").starts_with("-ERR [SYS/TEMP]"));
  EXPECT_TRUE(AskPop3(&pop3, "RETR 3").starts_with("+OK"));
  EXPECT_GE(Metric("posthorn_volume_corrupt_blocks_total"), 1);
  EXPECT_TRUE(Readyz().starts_with("HTTP/1.1 200")) << "the node takes mail";
}

// Three mails of the queue that stay there, and a crash: a stop would leave a snapshot, which spares the start the
// records.
Wreck WreckWithThreeQueuedMails(std::unique_ptr<NodeRig>* rig) {
  for (const std::string word : {"first", "second", "third"}) {
    mail::Envelope envelope;
    envelope.sender = word + "-sender@example.org";
    envelope.recipients.push_back({.address = "nobody@example.test"});
    envelope.cls = mail::Class::kHeld;
    const auto queued = (*rig)->Run(Enqueue(&(*rig)->queue(), std::move(envelope), std::string(20'000, word.front())));
    EXPECT_TRUE(queued.has_value());
  }
  (*rig)->OnShard([rig] { (*rig)->device().CutPowerNow(); });
  Wreck wreck = (*rig)->TakeWreck(kSeed, IndexFate::kDeleted);
  rig->reset();
  return wreck;
}

// Both mails can be handled, and new mail is taken.
void ExpectServesTheOthers(NodeRig* rig) {
  ASSERT_EQ(rig->start_error(), "");
  const std::vector<queue::QueuedMail> left = rig->OnShard([&] { return rig->queue().List({}, 10); });
  std::vector<std::string> senders;
  for (const queue::QueuedMail& mail : left) senders.push_back(mail.envelope.sender);
  EXPECT_THAT(senders, Contains("first-sender@example.org"));
  EXPECT_THAT(senders, Contains("third-sender@example.org"));
  for (const queue::QueuedMail& mail : left) EXPECT_TRUE(rig->Run(ControlTwice(&rig->queue(), mail.id)).has_value());
  Client smtp(rig->port("smtp"));
  ASSERT_TRUE(BeginSmtp(&smtp));
  EXPECT_THAT(SendMail(&smtp, {std::string(kAlice)}, "Subject: on\r\n\r\nit goes on\r\n"), testing::StartsWith("250"));
}

// What `posthorn mffs repair --write` does.
mffs::SimImage Repaired(const mffs::SimImage& image) {
  asio::io_context context;
  mffs::SimDevice device(context.get_executor(), image);
  const Folder scratch;
  mffs::Findings changed;
  mffs::Findings left;
  const auto report = async::RunTask(
      context, salvage::Repair(&device, {.scratch_folder = (scratch.path() / "index").string()}, &changed, &left));
  EXPECT_TRUE(report.has_value() && report->will_start);
  return device.Snapshot();
}

// OpenSMTPD#373: one damaged mail of the queue killed the daemon. Here the start leaves a mail out whose envelope is
// gone, says so, and serves all others; the operator takes it out for good.
TEST_F(NodeFailingDisk, ADamagedEnvelopeOfTheQueueIsToldAndTheOthersAreServed) {
  ASSERT_NO_FATAL_FAILURE(Open());
  Wreck wreck = WreckWithThreeQueuedMails(&rig_);
  const auto place = Find(wreck.image, "second-sender@example.org");
  ASSERT_TRUE(place.has_value());
  wreck.image.FlipBit(*place, 3);
  {
    const Folder folder;
    NodeRig without({.image = wreck.image, .folder = folder.path()});
    ExpectServesTheOthers(&without);
    // The log tells it too, unless it was the last entry of its partition, of which no other entry tells.
    EXPECT_GE(ReadMetric(without.port("http"), "posthorn_volume_corrupt_blocks_total"), 1);
  }
  NodeRig repaired({.image = Repaired(wreck.image), .folder = folder_.path()});
  ExpectServesTheOthers(&repaired);
  EXPECT_EQ(ReadMetric(repaired.port("http"), "posthorn_log_damaged_entries"), 0);
}

// The same of a mail whose body is damaged: that needs no operator.
TEST_F(NodeFailingDisk, ADamagedMailOfTheQueueStopsNeitherTheNodeNorTheOthers) {
  ASSERT_NO_FATAL_FAILURE(Open());
  Wreck wreck = WreckWithThreeQueuedMails(&rig_);
  const auto place = Find(wreck.image, std::string(6'000, 's'));
  ASSERT_TRUE(place.has_value());
  wreck.image.FlipBit(*place + 5'000, 3);
  NodeRig again({.image = wreck.image, .folder = folder_.path()});
  ExpectServesTheOthers(&again);
}

}  // namespace
}  // namespace node
