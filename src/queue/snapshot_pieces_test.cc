// Snapshots of a queue partition that take over pieces of the one before.
#include "queue/snapshot_pieces.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "queue/mail_queue.h"
#include "queue/queue_partition.h"
#include "queue/queue_rig.h"
#include "queue/testing.h"

namespace queue {
namespace {

constexpr base::WallTime kNow(std::chrono::seconds(1'800'000'000));

using State = std::map<replog::Index, std::string>;  // Mails as a snapshot has them.

TEST(SnapshotPieces, KeepWhatIsLargeAndHasNotChanged) {
  constexpr std::uint32_t kLarge = SnapshotPieces::kKeptBytesMin;
  SnapshotPieces pieces;
  pieces.Add({replog::Index(3), replog::Index(9), kLarge});
  pieces.Add({replog::Index(10), replog::Index(10), kLarge - 1});
  pieces.Add({replog::Index(20), replog::Index(30), kLarge + 1});
  EXPECT_EQ(pieces.kept_bytes(), 2 * kLarge + 1);
  EXPECT_FALSE(pieces.IsKept(1));
  for (const std::uint64_t elsewhere : {1, 2, 10, 11, 19, 31}) pieces.Changed(replog::Index(elsewhere));
  EXPECT_EQ(pieces.kept_bytes(), 2 * kLarge + 1);
  pieces.Changed(replog::Index(9));
  pieces.Changed(replog::Index(3));
  EXPECT_EQ(pieces.kept_bytes(), kLarge + 1);
  pieces.Changed(replog::Index(20));
  EXPECT_EQ(pieces.kept_bytes(), 0u);
}

// A partition, changed at random, and the pieces of its snapshots as the log would have them.
class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed), partition_(&strings_) {}

  void Change() {
    const replog::Index some(1 + random_.Below(last_ + 1));
    MailState* const mail = partition_.mails().Find(some);
    switch (random_.Below(12)) {
      case 0:
        partition_.Control({.mail = some, .operation = Operation::kHold, .now = kNow});
        break;
      case 1:
        partition_.Record({.mail = some, .recipients = {{0, RecipientState::kWaiting, kNow, "later"}}});
        break;
      case 2:
        if (mail == nullptr) break;
        partition_.BeforeChange(*mail);
        partition_.mails().Erase(mail);
        break;
      case 3:
        if (mail == nullptr || mail->index() > partition_.reached()) break;
        partition_.Move({.body = replog::BodyId(some.value()), .from = PlaceOf(some, 1), .to = PlaceOf(some, 2)});
        break;
      default:
        Enqueue();
    }
  }

  // One that others wait for: changes go on meanwhile. It ends in force, or is given up.
  void Snapshot() {
    const State expected = Now();
    partition_.BeginSnapshot();
    std::vector<std::string> pieces;
    for (;;) {
      while (const auto kept = partition_.NextKept()) {
        ASSERT_LT(*kept, in_force_.size());
        pieces.push_back(in_force_[*kept]);
        pieces_kept += 1;
      }
      std::string piece = partition_.NextPiece(20'000);
      if (piece.empty()) break;
      pieces.push_back(std::move(piece));
      for (std::uint64_t n = random_.Below(4); n > 0; --n) ChangeButMove();
      if (random_.OneIn(200)) {
        partition_.EndSnapshot();
        return;
      }
    }
    partition_.EndSnapshot();
    State shown;
    for (const std::string& piece : pieces) Add(piece, &shown);
    ASSERT_EQ(shown.size(), expected.size());
    ASSERT_TRUE(shown == expected);
    if (random_.OneIn(5)) return;
    in_force_ = std::move(pieces);
    partition_.SnapshotInForce();
  }

  // What a start would make of it.
  void Restart(std::unique_ptr<Life>* next, std::uint64_t seed) {
    Snapshot();
    *next = std::make_unique<Life>(seed);
    QueuePartition& partition = (*next)->partition_;
    for (const std::string& piece : in_force_) {
      const auto mails = DecodePiece(piece);
      ASSERT_TRUE(mails.has_value());
      for (const SavedMail& mail : *mails) partition.Load(mail);
      partition.Loaded({mails->front().index, mails->back().index, static_cast<std::uint32_t>(piece.size())});
      (*next)->last_ = mails->back().index.value();
    }
    partition.set_reached(replog::Index((*next)->last_));
    (*next)->in_force_ = in_force_;
  }

  std::uint64_t pieces_kept = 0;

 private:
  static mffs::Location PlaceOf(replog::Index index, std::uint32_t generation) {
    return {.segment = static_cast<std::uint32_t>(index.value()), .generation = generation, .size = 4096};
  }
  void ChangeButMove() {
    const std::uint64_t last = last_;
    if (random_.OneIn(2)) {
      Enqueue();
      return;
    }
    partition_.Control(
        {.mail = replog::Index(1 + random_.Below(last + 1)), .operation = Operation::kHold, .now = kNow});
  }
  void Enqueue() {
    last_ += 1 + random_.Below(2);
    mail::Envelope envelope = EnvelopeTo({std::string(random_.Below(200), 'r') + "@x.test"});
    const replog::BodyRef body{.id = replog::BodyId(last_),
                               .size_bytes = 100,
                               .extents = {PlaceOf(replog::Index(last_), 1)},
                               .extent_bytes = {100}};
    partition_.Enqueue(replog::Index(last_), {.queued_at = kNow, .envelope = std::move(envelope)}, mail::Class::kNormal,
                       body);
    partition_.set_reached(replog::Index(last_));
  }
  State Now() const {
    State state;
    const MailTable& mails = partition_.mails();
    for (const MailState* mail = mails.Next(replog::Index(0)); mail != nullptr; mail = mails.Next(mail->index())) {
      mails.Save(*mail).EncodeTo(state[mail->index()]);
    }
    return state;
  }
  static void Add(const std::string& piece, State* state) {
    const auto mails = DecodePiece(piece);
    ASSERT_TRUE(mails.has_value());
    for (const SavedMail& mail : *mails) {
      ASSERT_TRUE(state->empty() || state->rbegin()->first < mail.index) << "out of order";
      mail.EncodeTo((*state)[mail.index]);
    }
  }

  base::Random random_;
  SharedStrings strings_;
  QueuePartition partition_;
  std::uint64_t last_ = 0;
  std::vector<std::string> in_force_;
};

// Whatever changes before, between and during snapshots: each shows the state of its beginning.
TEST(QueuePartition, SnapshotsThatKeepPiecesShowTheStateOfTheirBeginning) {
  std::uint64_t pieces_kept = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto life = std::make_unique<Life>(seed);
    for (int i = 0; i < 3000; ++i) life->Change();
    for (int snapshot = 0; snapshot < 30; ++snapshot) {
      // From hardly any change to so many that no piece stays.
      for (int i = 0; i < snapshot * snapshot; ++i) life->Change();
      life->Snapshot();
      if (HasFatalFailure()) return;
      if (snapshot % 10 != 9) continue;
      pieces_kept += life->pieces_kept;
      std::unique_ptr<Life> next;
      life->Restart(&next, seed * 100 + static_cast<std::uint64_t>(snapshot));
      if (HasFatalFailure()) return;
      life = std::move(next);
    }
  }
  EXPECT_GT(pieces_kept, 100u);
}

// A queue that only grows is not written again and again, and yet a start replays little of it.
TEST(GrowingQueue, IsReplayedForASmallPartOnly) {
  constexpr int kMails = 4000;
  base::SimClock clock;
  const replog::LogOptions options{.replay_entries_max = 400};
  auto rig = std::make_unique<QueueRig>(&clock, std::nullopt, MailQueueOptions{}, options);
  for (int i = 0; i < kMails; ++i) {
    const std::string name(100, static_cast<char>('a' + i % 26));
    const auto id = async::RunTask(rig->context, EnqueueText(rig->queue.get(), EnvelopeTo({name + "@x.test"}), "text"));
    ASSERT_TRUE(id.has_value()) << id.error().message();
  }
  EXPECT_LT(rig->log->Status().tail_entries, 1000u);
  mffs::SimImage image = rig->Shut(true);
  rig = std::make_unique<QueueRig>(&clock, std::move(image), MailQueueOptions{}, options);
  EXPECT_EQ(rig->queue->Status().mails, static_cast<std::uint64_t>(kMails));
  EXPECT_LT(rig->log->Status().replayed_entries, 1000u);
  rig->Shut(false);
}

}  // namespace
}  // namespace queue
