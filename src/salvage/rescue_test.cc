#include "salvage/rescue.h"

#include <gmock/gmock.h>

#include "base/random.h"
#include "salvage/salvage_rig.h"

namespace salvage {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

std::set<std::string> AllBytes(const MailRig& rig) {
  std::set<std::string> all;
  for (const auto* mails : {&rig.in_mailboxes, &rig.in_queue}) {
    for (const auto& [word, bytes] : *mails) all.insert(bytes);
  }
  return all;
}

void ExpectComplete(const MailRig& rig, const Rescued& rescued) {
  ASSERT_TRUE(rescued.report) << rescued.report.error().message();
  EXPECT_EQ(rescued.WholeBytes(), AllBytes(rig));
  EXPECT_EQ(rescued.report->from_mailboxes, rig.in_mailboxes.size() + 1);
  EXPECT_EQ(rescued.report->from_queue, rig.in_queue.size());
  EXPECT_EQ(rescued.report->unplaced, 0u);
  EXPECT_EQ(rescued.report->damaged, 0u);
  EXPECT_TRUE(rescued.report->AllWhole(rescued.findings));
  for (const char* word : {"expunged", "expungedlarge", "removed"}) EXPECT_FALSE(rescued.HasText(word)) << word;
}

const RescuedFile* FileWith(const Rescued& rescued, const std::string& bytes, const std::string& folder) {
  for (const auto& [name, file] : rescued.files) {
    if (name.starts_with(folder) && file.bytes == bytes) return &file;
  }
  return nullptr;
}

TEST(Rescue, GivesEveryMailWithoutAnySuperblock) {
  MailRig rig;
  rig.Fill();
  mffs::SimImage image = rig.Image();
  ExpectComplete(rig, RescueImage(image));
  EraseSuperblocks(image);
  ExpectComplete(rig, RescueImage(image));
}

TEST(Rescue, ReadsSnapshotsAndWhatCameAfterThem) {
  MailRig rig;
  rig.Fill();
  // So much that the logs write their state down, and more after that.
  for (int i = 0; i < 30; ++i) {
    rig.Deliver(i % 2 == 0 ? "alice@example.test" : "bob@example.test", "more" + std::to_string(i), 20'000);
  }
  rig.node.Restart();
  rig.Deliver("alice@example.test", "afterwards", 3'000);
  mffs::SimImage image = rig.Image();
  EraseSuperblocks(image);
  ExpectComplete(rig, RescueImage(image));
}

TEST(Rescue, PutsTheEnvelopeBesideEachMail) {
  MailRig rig;
  rig.Fill();
  const Rescued rescued = RescueImage(rig.Image());
  const RescuedFile* tiny = FileWith(rescued, rig.in_mailboxes["tiny"], "mailbox/");
  ASSERT_NE(tiny, nullptr);
  EXPECT_EQ(tiny->beside.at("sender"), "sender@example.test");
  EXPECT_EQ(tiny->beside.at("recipients"), (boost::json::array{"alice@example.test"}));
  EXPECT_EQ(tiny->beside.at("id"), "00112233445566aa");
  EXPECT_EQ(tiny->beside.at("class"), "normal");
  EXPECT_EQ(tiny->beside.at("complete"), true);
  const boost::json::object& where = tiny->beside.at("where").as_object();
  EXPECT_EQ(where.at("account"), "alice@example.test");
  EXPECT_EQ(where.at("mailbox"), "INBOX");
  EXPECT_EQ(where.at("uid"), 1);
  EXPECT_EQ(where.at("flags"), (boost::json::array{"\\Seen", "\\Flagged", "$Kept"}));
  EXPECT_EQ(where.at("certain"), true);

  const RescuedFile* queued = FileWith(rescued, rig.in_queue["queued"], "queue/");
  ASSERT_NE(queued, nullptr);
  EXPECT_EQ(queued->beside.at("sender"), "queued@example.test");
  EXPECT_EQ(queued->beside.at("recipients"), (boost::json::array{"carol@example.test", "dave@example.test"}));
  EXPECT_EQ(queued->beside.at("client").at("ip"), "192.0.2.1");
  const boost::json::array& recipients = queued->beside.at("where").at("recipients").as_array();
  ASSERT_EQ(recipients.size(), 2u);
  EXPECT_EQ(recipients[0].at("state"), "waiting");
  const RescuedFile* held = FileWith(rescued, rig.in_queue["held"], "queue/");
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(held->beside.at("where").at("recipients").at(0).at("state"), "held");
  const RescuedFile* bounced = FileWith(rescued, rig.in_queue["bounced"], "queue/");
  ASSERT_NE(bounced, nullptr);
  EXPECT_EQ(bounced->beside.at("where").at("recipients").at(0).at("state"), "waiting");
  EXPECT_EQ(bounced->beside.at("where").at("recipients").at(1).at("state"), "bounced");
  const RescuedFile* notice = FileWith(rescued, rig.in_queue["notice"], "queue/");
  ASSERT_NE(notice, nullptr);
  EXPECT_EQ(notice->beside.at("sender"), "");
  EXPECT_EQ(notice->beside.at("recipients"), (boost::json::array{"bounced@example.test"}));

  bool odd_name = false;
  for (const auto& [name, file] : rescued.files) {
    EXPECT_EQ(name.find(".."), std::string::npos) << name;
    const boost::json::value* mailbox = file.beside.at("where").as_object().if_contains("mailbox");
    odd_name = odd_name || (mailbox != nullptr && *mailbox == "../../etc/passwd");
  }
  EXPECT_TRUE(odd_name);
}

TEST(Rescue, DeletedMailComesOnlyWhenAskedFor) {
  MailRig rig;
  rig.Fill();
  const store::TestFolder folder;
  const Rescued rescued = RescueImage(rig.Image(), {.directory = (folder / "out").string(), .with_deleted = true});
  ASSERT_TRUE(rescued.report);
  EXPECT_GT(rescued.report->deleted, 0u);
  for (const char* word : {"expunged", "expungedlarge", "removed"}) EXPECT_TRUE(rescued.HasText(word)) << word;
  for (const auto& [name, file] : rescued.files) {
    const bool is_deleted =
        file.bytes.find("expunged") != std::string::npos || file.bytes.find("removed 0") != std::string::npos;
    EXPECT_EQ(is_deleted, name.starts_with("deleted/")) << name;
  }
}

// Whatever segment is gone: all mail that does not lie in it comes out whole.
TEST(Rescue, AMissingSegmentCostsOnlyTheMailInIt) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  int erased = 0;
  for (std::uint64_t segment = 0; segment < 38; ++segment) {
    const std::uint64_t begin = (1 + segment) * mffs::kMiB;
    if (image.Sector(begin / mffs::kSectorBytes) == nullptr) continue;
    mffs::SimImage rotten = image;
    rotten.Write(begin, base::Bytes(mffs::kMiB));
    if (segment % 2 == 0) EraseSuperblocks(rotten);
    const Rescued rescued = RescueImage(rotten);
    ASSERT_TRUE(rescued.report) << rescued.report.error().message();
    ++erased;
    for (const auto* mails : {&rig.in_mailboxes, &rig.in_queue}) {
      for (const auto& [word, bytes] : *mails) {
        bool is_hit = false;
        for (const std::uint64_t place : FindText(image, word + " 0123")) {
          is_hit = is_hit || (place >= begin && place < begin + mffs::kMiB);
        }
        // Without its entry a delivered mail may lack the lines that a delivery puts before it.
        const std::string own = MailText(word, bytes.size() - (bytes.find("Received:")));
        bool is_there = false;
        for (const auto& [name, file] : rescued.files) {
          is_there = is_there || file.bytes == bytes || file.bytes.find(own) != std::string::npos;
        }
        EXPECT_TRUE(is_hit || is_there) << word << " with segment " << segment << " gone";
      }
    }
  }
  EXPECT_GT(erased, 3);
}

TEST(Rescue, AMailThatLacksBytesIsMarkedAndKeepsAllOthers) {
  MailRig rig;
  rig.Fill();
  mffs::SimImage image = rig.Image();
  const std::vector<std::uint64_t> places = FindText(image, "huge 0123");
  image.FlipBit(places[places.size() / 2], 0);
  const Rescued rescued = RescueImage(image);
  ASSERT_TRUE(rescued.report);
  EXPECT_EQ(rescued.report->damaged, 1u);
  EXPECT_FALSE(rescued.report->AllWhole(rescued.findings));
  std::set<std::string> expected = AllBytes(rig);
  const std::string& whole = rig.in_mailboxes["huge"];
  expected.erase(whole);
  EXPECT_EQ(rescued.WholeBytes(), expected);
  for (const auto& [name, file] : rescued.files) {
    if (file.is_whole) continue;
    // Only about the sector is lost.
    EXPECT_GE(file.bytes.size(), whole.size() - 3 * mffs::kSectorBytes);
    const boost::json::array& missing = file.beside.at("missing").as_array();
    ASSERT_EQ(missing.size(), 1u);
    const std::size_t prefix = whole.find("Received:");
    const auto offset = prefix + missing[0].at("offset").to_number<std::size_t>();
    const auto bytes = missing[0].at("bytes").to_number<std::size_t>();
    EXPECT_EQ(file.bytes, whole.substr(0, offset) + whole.substr(offset + bytes));
  }
}

TEST(Rescue, ATruncatedImageGivesWhatIsOnIt) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  for (const std::uint64_t mib : {2, 3, 4, 5, 7}) {
    mffs::SimImage part(mib * mffs::kMiB + 3 * mffs::kSectorBytes);
    for (std::uint64_t sector = 0; sector < part.size_bytes() / mffs::kSectorBytes; ++sector) {
      part.SetSector(sector, image.Sector(sector));
    }
    const Rescued rescued = RescueImage(part);
    ASSERT_TRUE(rescued.report) << rescued.report.error().message();
    EXPECT_GT(rescued.report->scan.segments_missing, 0u);
  }
}

TEST(Rescue, GoesOnWhereItWasCutShort) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  const store::TestFolder folder;
  const std::filesystem::path out = folder / "out";
  const Rescued first = RescueImage(image, {.directory = out.string()});
  ASSERT_TRUE(first.report);
  // As if the power had gone between a mail and what stands beside it.
  const std::string name = first.files.begin()->first;
  std::filesystem::remove(out / (name + ".json"));
  std::ofstream(out / ".1.unfinished") << "half a mail";
  const Rescued refused = RescueImage(image, {.directory = out.string()});
  ASSERT_FALSE(refused.report);
  EXPECT_FALSE(refused.has_begun);
  EXPECT_THAT(refused.report.error().message(), HasSubstr("--continue"));
  const Rescued second = RescueImage(image, {.directory = out.string(), .go_on = true});
  ExpectComplete(rig, second);
  EXPECT_EQ(second.report->already_there, first.files.size() - 1);
}

TEST(Rescue, KeepsRescuesOfDifferentVolumesApart) {
  MailRig one;
  MailRig other;
  one.Fill();
  other.Fill();
  const store::TestFolder folder;
  const std::string out = (folder / "out").string();
  ASSERT_TRUE(RescueImage(one.Image(), {.directory = out}).report);
  const Rescued refused = RescueImage(other.Image(), {.directory = out, .go_on = true});
  ASSERT_FALSE(refused.report);
  EXPECT_THAT(refused.report.error().message(), HasSubstr("another volume"));
}

TEST(Rescue, RandomBytesAreRefused) {
  base::Random random(3);
  mffs::SimImage image(8 * mffs::kMiB);
  base::Bytes bytes(8 * mffs::kMiB);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Next());
  image.Write(0, bytes);
  const Rescued rescued = RescueImage(image);
  ASSERT_FALSE(rescued.report);
  EXPECT_FALSE(rescued.has_begun);
  EXPECT_THAT(rescued.report.error().message(), HasSubstr("neither a superblock nor a segment header"));
}

// Damage of all kinds at once: nothing crashes, and what comes out whole is right.
TEST(Rescue, WhatComesOutWholeIsRightWhateverTheDamage) {
  MailRig rig;
  rig.Fill();
  const mffs::SimImage image = rig.Image();
  const std::set<std::string> right = AllBytes(rig);
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    base::Random random(seed);
    mffs::SimImage rotten = image;
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t offset = random.Below(12 * mffs::kMiB);
      rotten.FlipBit(offset, static_cast<int>(random.Below(8)));
    }
    const Rescued rescued = RescueImage(rotten);
    ASSERT_TRUE(rescued.report) << "seed " << seed << ": " << rescued.report.error().message();
    for (const auto& [name, file] : rescued.files) {
      const bool is_placed = name.starts_with("mailbox/") || name.starts_with("queue/");
      if (!file.is_whole || !is_placed) continue;
      const bool was_deleted =
          file.bytes.find("expunged") != std::string::npos || file.bytes.find("removed") != std::string::npos;
      EXPECT_TRUE(right.contains(file.bytes) || was_deleted) << "seed " << seed << ", " << name;
    }
  }
}

}  // namespace
}  // namespace salvage
