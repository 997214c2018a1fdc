// For the tests of this folder: a node without protocols that is given mail, and its disk's image in all states.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include "base/log.h"
#include "mffs/format.h"
#include "queue/testing.h"
#include "salvage/check.h"
#include "salvage/rescue.h"
#include "store/testing.h"

namespace salvage {

// A mail of some size whose every line names it.
inline std::string MailText(const std::string& word, std::size_t bytes) {
  std::string text =
      "Received: from a by b with ESMTP id 00112233445566aa;\r\n\tMon, 1 Jan 2024 00:00:00 +0000\r\nSubject: " + word +
      "\r\n\r\n";
  while (text.size() < bytes) text += word + " 0123456789012345678901234567890123456789012345678901234567\r\n";
  return text;
}

// Accounts, mail in mailboxes and in the queue. What is in force is what `mails` says.
class MailRig {
 public:
  static store::TestNodeOptions Options(queue::MailQueue** made) {
    store::TestNodeOptions options;
    options.device_bytes = 40u << 20;
    options.mailbox_partitions = 2;
    options.volume.checkpoint_interval = std::chrono::hours(1);
    options.make_queue = [made](async::Executor executor, replog::Log* log, const base::Clock* clock) {
      auto mails = std::make_unique<queue::MailQueue>(
          executor, log, clock, [](const std::string& address) { return address; }, queue::MailQueueOptions{});
      *made = mails.get();
      return mails;
    };
    return options;
  }
  // Log lines of damage that a test makes would hide a failure.
  MailRig() : node(Options(&mail_queue)) {
    base::SetLogSink([](std::string_view) {});
  }

  // Into the INBOX of an account; remembers the bytes that IMAP would give.
  void Deliver(const std::string& address, const std::string& word, std::size_t bytes) {
    const std::string text = MailText(word, bytes);
    node.Deliver(address, text);
    in_mailboxes[word] = "Return-Path: <sender@example.test>\r\nDelivered-To: " + address + "\r\n" + text;
  }
  queue::QueueId Enqueue(std::vector<std::string> recipients, const std::string& word, std::size_t bytes) {
    mail::Envelope envelope;
    envelope.id = "00000000000000" + std::to_string(10 + in_queue.size());
    envelope.sender = word + "@example.test";
    envelope.client_ip = "192.0.2.1";
    envelope.received = node.clock().WallNow();
    for (std::string& recipient : recipients) envelope.recipients.push_back({.address = std::move(recipient)});
    in_queue[word] = MailText(word, bytes);
    return node.Do(queue::EnqueueText(mail_queue, std::move(envelope), in_queue[word]));
  }
  // Mails of all sizes and fates.
  void Fill() {
    const store::Account alice = node.AddAccount("alice@example.test");
    node.AddAccount("bob@example.test");
    Deliver("alice@example.test", "tiny", 300);
    Deliver("alice@example.test", "small", 4'000);
    Deliver("bob@example.test", "medium", 200'000);
    Deliver("bob@example.test", "large", 300'000);
    Deliver("alice@example.test", "huge", 3'000'000);
    Deliver("alice@example.test", "expunged", 5'000);
    Deliver("alice@example.test", "expungedlarge", 400'000);
    const store::MailboxId inbox(alice.id.value());
    node.Do(node.store().CreateMailbox(alice.id, "../../etc/passwd"));
    const store::Mailbox odd = node.Do(node.store().FindMailbox(alice.id, "../../etc/passwd"));
    node.Do(node.store().StoreFlags(inbox, {1}, store::FlagsChange::kAdd,
                                    {.system = store::Flags::kSeen | store::Flags::kFlagged, .keywords = {"$Kept"}}));
    node.Do(node.store().Copy(inbox, {2}, odd.id));
    for (const std::uint32_t uid : {4u, 5u}) node.Do(node.store().Expunge(inbox, {uid}, false));
    in_mailboxes.erase("expunged");
    in_mailboxes.erase("expungedlarge");
    Enqueue({"carol@example.test", "dave@example.test"}, "queued", 9'000);
    Enqueue({"carol@example.test"}, "queuedlarge", 600'000);
    const queue::QueueId removed = Enqueue({"carol@example.test"}, "removed", 2'000);
    node.Do(mail_queue->Remove(removed));
    in_queue.erase("removed");
    node.Do(mail_queue->Hold(Enqueue({"eve@example.test"}, "held", 1'000)));
    Bounce("bounced", "notice");
  }
  // A mail of whose two recipients one failed, and the notice of it, which the entry of the outcome brings.
  void Bounce(const std::string& word, const std::string& notice_word) {
    const queue::QueueId id = Enqueue({"frank@example.test", "gone@example.test"}, word, 3'000);
    std::vector<queue::Claim> others;
    queue::Claim claim = node.Run(mail_queue->NextClaim());
    while (claim.id != id || claim.destination != "gone@example.test") {
      others.push_back(std::move(claim));
      claim = node.Run(mail_queue->NextClaim());
    }
    std::vector<queue::Decision> decisions =
        mail_queue->Decide(claim, {{claim.recipients.front(), queue::Outcome::kRejected, "550 5.1.1 no"}});
    decisions.front().state = queue::RecipientState::kBounced;
    decisions.front().told = true;
    queue::Notice notice;
    notice.envelope.id = "00000000000000" + std::to_string(10 + in_queue.size());
    notice.envelope.recipients.push_back({.address = word + "@example.test"});
    in_queue[notice_word] = MailText(notice_word, 5'000);
    replog::BodyWriter writer = mail_queue->NewNoticeBody();
    node.Do(writer.Write(in_queue[notice_word]));
    notice.body = node.Do(writer.Finish());
    node.Do(mail_queue->Record(std::move(claim), std::move(decisions), std::move(notice)));
    for (const queue::Claim& other : others) mail_queue->GiveBack(other);
  }
  // What a power cut would leave now, with everything that the disk was given kept.
  mffs::SimImage Image() { return node.device().Snapshot(); }

  queue::MailQueue* mail_queue = nullptr;
  store::TestNode node;
  std::map<std::string, std::string> in_mailboxes;  // Word -> bytes.
  std::map<std::string, std::string> in_queue;
};

struct CheckedMail {
  base::Result<MailCheck> result = MailCheck{};
  mffs::Findings findings;
  std::uint64_t damage() const { return findings.count(mffs::Severity::kDamage); }
  std::uint64_t warnings() const { return findings.count(mffs::Severity::kWarning); }
  std::string Sentences() const {
    std::string text;
    for (const mffs::Finding& finding : findings.kept()) text += finding.sentence + "\n";
    return text;
  }
};
inline CheckedMail CheckImage(const mffs::SimImage& image) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  const store::TestFolder folder;
  CheckedMail checked;
  checked.result =
      async::RunTask(context, CheckMail(&device, {.scratch_folder = (folder / "index").string()}, &checked.findings));
  EXPECT_EQ(device.counters().writes, 0u);
  return checked;
}

// What a rescue wrote.
struct RescuedFile {
  std::string bytes;
  bool is_whole = false;
  boost::json::object beside;
};
struct Rescued {
  base::Result<RescueReport> report = RescueReport{};
  mffs::Findings findings;
  bool has_begun = false;
  std::map<std::string, RescuedFile> files;  // By path below the folder, without the ending.

  std::set<std::string> WholeBytes() const {
    std::set<std::string> all;
    for (const auto& [name, file] : files) {
      if (file.is_whole) all.insert(file.bytes);
    }
    return all;
  }
  bool HasText(const std::string& word) const {
    for (const auto& [name, file] : files) {
      if (file.bytes.find(word + " 0123") != std::string::npos) return true;
    }
    return false;
  }
};
inline std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}
inline void ReadFiles(const std::filesystem::path& folder, Rescued& rescued) {
  if (!std::filesystem::exists(folder)) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".json" || entry.path().filename() == "rescue.json") continue;
    std::string name = entry.path().lexically_relative(folder).string();
    name.resize(name.size() - 5);
    RescuedFile& file = rescued.files[name];
    file.beside = boost::json::parse(ReadFile(entry.path())).as_object();
    const std::filesystem::path base = folder / name;
    file.is_whole = std::filesystem::exists(base.string() + ".eml");
    file.bytes = ReadFile(base.string() + (file.is_whole ? ".eml" : ".partial.eml"));
  }
}
inline Rescued RescueImage(const mffs::SimImage& image, RescueOptions options) {
  asio::io_context context{1};
  mffs::SimDevice device(context.get_executor(), image);
  Rescued rescued;
  const std::filesystem::path folder = options.directory;
  rescued.report = async::RunTask(context, Rescue(&device, std::move(options), &rescued.findings, &rescued.has_begun));
  EXPECT_EQ(device.counters().writes, 0u);
  ReadFiles(folder, rescued);
  return rescued;
}
inline Rescued RescueImage(const mffs::SimImage& image) {
  const store::TestFolder folder;
  return RescueImage(image, {.directory = (folder / "out").string()});
}

inline void EraseSuperblocks(mffs::SimImage& image) {
  const std::uint64_t end = image.size_bytes() / mffs::kMiB * mffs::kMiB;
  for (std::size_t copy = 0; copy < mffs::kSuperblockCopies; ++copy) {
    image.Write(mffs::SuperblockOffset(copy, end), base::Bytes(mffs::kSectorBytes));
  }
}
// Places on the image where `text` stands.
inline std::vector<std::uint64_t> FindText(const mffs::SimImage& image, const std::string& text) {
  std::string all(image.size_bytes(), '\0');
  image.Read(0, std::as_writable_bytes(std::span(all)));
  std::vector<std::uint64_t> places;
  for (std::size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) places.push_back(at);
  return places;
}

}  // namespace salvage
