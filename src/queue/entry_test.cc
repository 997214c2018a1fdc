#include "queue/entry.h"

#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "queue/mail_table.h"
#include "queue/queue_partition.h"
#include "queue/retry.h"

namespace queue {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
constexpr base::WallTime kNow(seconds(1'800'000'000));

mail::Envelope EnvelopeTo(std::vector<std::string> recipients) {
  mail::Envelope envelope;
  envelope.sender = "sender@example.test";
  envelope.client_ip = "192.0.2.1";
  envelope.helo = "client.example.test";
  envelope.auth_account = "account";
  envelope.protocol = "ESMTPSA";
  envelope.id = "0123456789abcdef";
  envelope.received = kNow;
  for (std::string& recipient : recipients) envelope.recipients.push_back({.address = std::move(recipient)});
  return envelope;
}

SavedMail MailOf(std::uint64_t index, const std::vector<std::string>& recipients) {
  SavedMail mail{.index = replog::Index(index),
                 .queued_at = kNow,
                 .cls = mail::Class::kNormal,
                 .body = {},
                 .envelope = EnvelopeTo(recipients),
                 .recipients = {}};
  mail.recipients.resize(recipients.size(), {RecipientState::kWaiting, 0, kNow, ""});
  return mail;
}

template <class Entry>
void ExpectEveryCutFails(const std::string& bytes) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Entry::Decode(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
}

TEST(QueueEntries, AreReadBackAndCutsFail) {
  const EnqueueEntry enqueue{.queued_at = kNow, .envelope = EnvelopeTo({"a@example.test"})};
  const auto enqueue_read = EnqueueEntry::Decode(enqueue.Encode());
  ASSERT_TRUE(enqueue_read.has_value());
  EXPECT_EQ(enqueue_read->queued_at, kNow);
  EXPECT_EQ(enqueue_read->envelope, enqueue.envelope);
  ExpectEveryCutFails<EnqueueEntry>(enqueue.Encode());

  const OutcomeEntry outcome{
      .mail = replog::Index(300),
      .recipients = {{1, RecipientState::kHeld, kNow, "550 no"}, {2, RecipientState::kDelivered, kNow, ""}}};
  const auto outcome_read = OutcomeEntry::Decode(outcome.Encode());
  ASSERT_TRUE(outcome_read.has_value());
  ASSERT_EQ(outcome_read->recipients.size(), 2u);
  EXPECT_EQ(outcome_read->recipients[0].answer, "550 no");
  ExpectEveryCutFails<OutcomeEntry>(outcome.Encode());

  const OutcomeWithNoticeEntry both{
      .outcome =
          {.mail = replog::Index(300),
           .recipients = {{.recipient = 1, .state = RecipientState::kBounced, .next_attempt = kNow, .told = true},
                          {.recipient = 2, .state = RecipientState::kWaiting, .next_attempt = kNow, .told = true},
                          {.recipient = 3, .state = RecipientState::kBounced, .next_attempt = kNow}}},
      .notice = enqueue};
  const auto both_read = OutcomeWithNoticeEntry::Decode(both.Encode());
  ASSERT_TRUE(both_read.has_value());
  EXPECT_EQ(both_read->notice.envelope, enqueue.envelope);
  ASSERT_EQ(both_read->outcome.recipients.size(), 3u);
  EXPECT_EQ(both_read->outcome.recipients[0].state, RecipientState::kBounced);
  EXPECT_TRUE(both_read->outcome.recipients[0].told);
  EXPECT_EQ(both_read->outcome.recipients[1].state, RecipientState::kWaiting);
  EXPECT_TRUE(both_read->outcome.recipients[1].told);
  EXPECT_FALSE(both_read->outcome.recipients[2].told);
  ExpectEveryCutFails<OutcomeWithNoticeEntry>(both.Encode());

  const ControlEntry control{
      .mail = replog::Index(5), .operation = Operation::kReclass, .cls = mail::Class::kBulk, .now = kNow};
  const auto control_read = ControlEntry::Decode(control.Encode());
  ASSERT_TRUE(control_read.has_value());
  EXPECT_EQ(control_read->cls, mail::Class::kBulk);
  ExpectEveryCutFails<ControlEntry>(control.Encode());

  std::string other = control.Encode();
  other[0] = 2;
  EXPECT_EQ(ControlEntry::Decode(other).error().code(), base::Errc::kUnsupported);
}

TEST(QueueOutcome, SaysWhenWithWhomAndHowTheAttemptWasMade) {
  const OutcomeEntry outcome{.mail = replog::Index(5),
                             .attempted_at = kNow,
                             .recipients = {{.recipient = 1,
                                             .next_attempt = kNow,
                                             .answer = "451 later",
                                             .relay = "mx.x.test[192.0.2.1]:25",
                                             .cipher = "TLSv1.3"}}};
  const auto read = OutcomeEntry::Decode(outcome.Encode());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->attempted_at, kNow);
  EXPECT_EQ(read->recipients.at(0).relay, "mx.x.test[192.0.2.1]:25");
  EXPECT_EQ(read->recipients.at(0).cipher, "TLSv1.3");
  ExpectEveryCutFails<OutcomeEntry>(outcome.Encode());
}

// The bytes as older programs wrote them: mail 5, one recipient.
TEST(QueueOutcome, OfEarlierVersionsIsRead) {
  const auto bytes_of = [](std::uint8_t version, std::uint8_t state) {
    std::string bytes;
    base::Encoder e(bytes);
    e.U8(version);
    e.Varint(5);
    e.Varint(1);
    e.Varint(7);
    e.U8(state);
    e.I64(kNow.time_since_epoch().count());
    e.Text("550 no");
    return bytes;
  };
  const auto first = OutcomeEntry::Decode(bytes_of(1, 3));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->mail, replog::Index(5));
  EXPECT_EQ(first->recipients.at(0).recipient, 7u);
  EXPECT_EQ(first->recipients.at(0).state, RecipientState::kHeld);
  EXPECT_EQ(first->recipients.at(0).answer, "550 no");
  EXPECT_EQ(first->recipients.at(0).relay, "");
  const auto second = OutcomeEntry::Decode(bytes_of(2, 0x84));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->recipients.at(0).state, RecipientState::kBounced);
  EXPECT_TRUE(second->recipients.at(0).told);
  // States of the second version in the first are damage.
  EXPECT_EQ(OutcomeEntry::Decode(bytes_of(1, 4)).error().code(), base::Errc::kCorrupt);
  EXPECT_EQ(OutcomeEntry::Decode(bytes_of(4, 0)).error().code(), base::Errc::kUnsupported);
}

TEST(QueueId, IsWrittenAndReadInHexadecimal) {
  const QueueId id{replog::PartitionId(0x80000001), replog::Index(0x1f)};
  EXPECT_EQ(id.ToString(), "80000001-1f");
  EXPECT_EQ(QueueId::Parse("80000001-1f"), id);
  for (const std::string_view bad : {"", "-", "1-", "-1", "1-g", "1-1 ", "100000000-1", "1-11111111111111111", "1"}) {
    EXPECT_FALSE(QueueId::Parse(bad).has_value()) << bad;
  }
}

TEST(Retry, DoublesUntilTheMaximumThenGivesUp) {
  RetrySchedule schedule;
  schedule.jitter_percent = 0;
  base::Random random(1);
  const struct {
    std::uint32_t attempts;
    std::int64_t seconds;
  } rows[] = {{1, 60}, {2, 120}, {3, 240}, {8, 7680}, {9, 14'400}, {50, 14'400}, {4'000'000'000, 14'400}};
  for (const auto& row : rows) {
    EXPECT_EQ(NextAttempt(schedule, row.attempts, kNow, kNow, &random), kNow + seconds(row.seconds)) << row.attempts;
  }
  EXPECT_TRUE(NextAttempt(schedule, 3, kNow, kNow + hours(120) - seconds(1), &random).has_value());
  EXPECT_FALSE(NextAttempt(schedule, 3, kNow, kNow + hours(120), &random).has_value());
}

TEST(Retry, JitterSpreadsWithinItsBounds) {
  const RetrySchedule schedule;
  base::Random random(7);
  std::set<base::WallTime> times;
  for (int i = 0; i < 1000; ++i) {
    const base::WallTime next = *NextAttempt(schedule, 1, kNow, kNow, &random);
    EXPECT_GE(next, kNow + seconds(48));
    EXPECT_LE(next, kNow + seconds(72));
    times.insert(next);
  }
  EXPECT_GT(times.size(), 900u);
}

TEST(MailTable, KeepsMailWhileOthersGo) {
  SharedStrings strings;
  {
    MailTable table(&strings);
    for (std::uint64_t i = 1; i <= 1000; ++i) table.Add(MailOf(i * 3, {"a@x.test", "b@y.test"}));
    for (std::uint64_t i = 1; i <= 1000; ++i) {
      if (i % 7 != 0) table.Erase(table.Find(replog::Index(i * 3)));
    }
    EXPECT_EQ(table.size(), 142u);
    EXPECT_EQ(table.Find(replog::Index(3)), nullptr);
    EXPECT_EQ(table.Find(replog::Index(22)), nullptr);
    ASSERT_NE(table.Find(replog::Index(21)), nullptr);
    EXPECT_EQ(table.Find(replog::Index(21))->Envelope(strings), EnvelopeTo({"a@x.test", "b@y.test"}));
    EXPECT_EQ(table.Next(replog::Index(21))->index(), replog::Index(42));
    EXPECT_EQ(table.Next(replog::Index(2982)), nullptr);
    EXPECT_EQ(strings.size(), 1u);  // Where they all came from.
  }
  EXPECT_EQ(strings.size(), 0u);
}

TEST(MailTable, FollowsMovedBodiesAndNoOthers) {
  SharedStrings strings;
  MailTable table(&strings);
  const mffs::Location a{.segment = 1, .generation = 1}, b{.segment = 2, .generation = 1},
      c{.segment = 3, .generation = 1};
  SavedMail one = MailOf(1, {"a@x.test"});
  one.body = {.id = replog::BodyId(1), .size_bytes = 10, .extents = {a}, .extent_bytes = {10}};
  SavedMail parts = MailOf(2, {"a@x.test"});
  parts.body = {
      .id = replog::BodyId(replog::kPartsBodyBit | 77), .size_bytes = 20, .extents = {a, b}, .extent_bytes = {10, 10}};
  table.Add(one);
  table.Add(parts);
  table.Move({.body = replog::BodyId(1), .part = 0, .from = b, .to = c});
  EXPECT_EQ(table.BodyOf(*table.Find(replog::Index(1))).extents[0], a);
  table.Move({.body = replog::BodyId(1), .part = 0, .from = a, .to = c});
  EXPECT_EQ(table.BodyOf(*table.Find(replog::Index(1))).extents[0], c);
  table.Move({.body = parts.body.id, .part = 1, .from = b, .to = c});
  EXPECT_EQ(table.BodyOf(*table.Find(replog::Index(2))).extents, (std::vector{a, c}));
  table.Erase(table.Find(replog::Index(2)));
  table.Move({.body = parts.body.id, .part = 1, .from = c, .to = b});
}

std::vector<SavedMail> ReadPieces(QueuePartition* partition, std::size_t piece_bytes) {
  std::vector<SavedMail> all;
  for (std::string piece = partition->NextPiece(piece_bytes); !piece.empty();
       piece = partition->NextPiece(piece_bytes)) {
    const auto mails = DecodePiece(piece);
    EXPECT_TRUE(mails.has_value());
    all.insert(all.end(), mails->begin(), mails->end());
  }
  return all;
}

TEST(QueuePartition, ASnapshotShowsTheStateOfItsBeginning) {
  SharedStrings strings;
  QueuePartition partition(&strings);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    partition.Enqueue(replog::Index(i), {.queued_at = kNow, .envelope = EnvelopeTo({"a@x.test"})}, mail::Class::kNormal,
                      {});
  }
  partition.set_reached(replog::Index(10));
  partition.BeginSnapshot();
  std::vector<SavedMail> all = DecodePiece(partition.NextPiece(2)).value();
  ASSERT_EQ(all.size(), 1u);
  // Behind the writer's back: one that is written, one changed twice, one removed, a new one.
  partition.Control({.mail = replog::Index(1), .operation = Operation::kHold, .now = kNow});
  partition.Control({.mail = replog::Index(5), .operation = Operation::kHold, .now = kNow});
  partition.Control(
      {.mail = replog::Index(5), .operation = Operation::kReclass, .cls = mail::Class::kBulk, .now = kNow});
  partition.BeforeChange(*partition.mails().Find(replog::Index(7)));
  partition.mails().Erase(partition.mails().Find(replog::Index(7)));
  partition.Enqueue(replog::Index(11), {.queued_at = kNow, .envelope = EnvelopeTo({"a@x.test"})}, mail::Class::kNormal,
                    {});
  const auto rest = ReadPieces(&partition, 400);
  partition.EndSnapshot();
  all.insert(all.end(), rest.begin(), rest.end());
  ASSERT_EQ(all.size(), 10u);
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(all[i].index, replog::Index(i + 1));
    EXPECT_EQ(all[i].recipients[0].state, RecipientState::kWaiting) << i;
    EXPECT_EQ(all[i].cls, mail::Class::kNormal) << i;
  }
}

// The table of mails takes them in order only.
TEST(QueueSnapshot, APieceOutOfOrderIsDamaged) {
  for (const auto& [first, second, good] : {std::tuple{3, 9, true}, std::tuple{9, 3, false}, std::tuple{3, 3, false}}) {
    std::string piece = BeginPiece();
    MailOf(static_cast<std::uint64_t>(first), {"a@x.test"}).EncodeTo(piece);
    MailOf(static_cast<std::uint64_t>(second), {"b@x.test"}).EncodeTo(piece);
    EXPECT_EQ(DecodePiece(piece).has_value(), good) << first << ", " << second;
  }
}

TEST(QueueSnapshot, APieceOfTheFirstVersionIsRead) {
  std::string piece = BeginPiece();
  SavedMail mail = MailOf(1, {"a@x.test", "b@x.test"});
  mail.recipients[1].state = RecipientState::kHeld;
  mail.EncodeTo(piece);
  EXPECT_EQ(piece[0], 2);
  piece[0] = 1;
  const auto read = DecodePiece(piece);
  ASSERT_TRUE(read.has_value()) << read.error().message();
  EXPECT_EQ(read->front().recipients[1].state, RecipientState::kHeld);
  EXPECT_FALSE(read->front().recipients[0].told_of_delay);
  piece[0] = 3;
  EXPECT_EQ(DecodePiece(piece).error().code(), base::Errc::kUnsupported);
}

TEST(QueueSnapshot, ShowsWhoBouncedAndWhoWasTold) {
  std::string piece = BeginPiece();
  SavedMail mail = MailOf(1, {"a@x.test", "b@x.test"});
  mail.recipients[0].told_of_delay = true;
  mail.recipients[1].state = RecipientState::kBounced;
  mail.EncodeTo(piece);
  SharedStrings strings;
  QueuePartition partition(&strings);
  partition.Load(DecodePiece(piece).value().front());
  partition.set_reached(replog::Index(1));
  partition.BeginSnapshot();
  EXPECT_EQ(partition.NextPiece(1000), piece);
  partition.EndSnapshot();
}

// So that no notice is sent twice, whatever comes twice.
TEST(QueuePartition, ANoticeIsTakenOnceForEachThingItTells) {
  SharedStrings strings;
  QueuePartition partition(&strings);
  partition.Enqueue(replog::Index(1), {.queued_at = kNow, .envelope = EnvelopeTo({"a@x.test", "b@x.test"})},
                    mail::Class::kNormal, {});
  const OutcomeEntry delay{.mail = replog::Index(1),
                           .recipients = {{.recipient = 0, .state = RecipientState::kWaiting, .told = true}}};
  const OutcomeEntry untold{.mail = replog::Index(1),
                            .recipients = {{.recipient = 0, .state = RecipientState::kBounced}}};
  const OutcomeEntry failure{.mail = replog::Index(1),
                             .recipients = {{.recipient = 0, .state = RecipientState::kBounced, .told = true}}};
  EXPECT_FALSE(partition.TakesNotice({.mail = replog::Index(2), .recipients = failure.recipients}));
  EXPECT_FALSE(partition.TakesNotice(untold));
  EXPECT_TRUE(partition.TakesNotice(delay));
  partition.Record(delay);
  EXPECT_FALSE(partition.TakesNotice(delay));
  // Held meanwhile: what the sender was told of is over all the same.
  partition.Control({.mail = replog::Index(1), .operation = Operation::kHold, .now = kNow});
  partition.Record(untold);
  EXPECT_EQ(partition.mails().Find(replog::Index(1))->recipients()[0].state, RecipientState::kHeld);
  EXPECT_TRUE(partition.TakesNotice(failure));
  partition.Record(failure);
  EXPECT_EQ(partition.mails().Find(replog::Index(1))->recipients()[0].state, RecipientState::kBounced);
  EXPECT_FALSE(partition.TakesNotice(failure));
}

TEST(QueuePartition, AnOutcomeDoesNotFreeWhatAnOperatorHeld) {
  SharedStrings strings;
  QueuePartition partition(&strings);
  partition.Enqueue(replog::Index(1), {.queued_at = kNow, .envelope = EnvelopeTo({"a@x.test", "b@x.test"})},
                    mail::Class::kNormal, {});
  partition.Control({.mail = replog::Index(1), .operation = Operation::kHold, .now = kNow});
  const MailState* mail = partition.Record({.mail = replog::Index(1),
                                            .recipients = {{0, RecipientState::kWaiting, kNow, "later"},
                                                           {1, RecipientState::kDelivered, kNow, "ok"},
                                                           {9, RecipientState::kDelivered, kNow, "no such one"}}});
  ASSERT_NE(mail, nullptr);
  EXPECT_EQ(mail->recipients()[0].state, RecipientState::kHeld);
  EXPECT_EQ(strings.Text(mail->recipients()[0].answer), "later");
  EXPECT_EQ(mail->recipients()[1].state, RecipientState::kDelivered);
  EXPECT_FALSE(QueuePartition::IsDone(*mail));
}

TEST(QueuePartition, AMailTakesFewBytes) {
  // What is asked of a queued mail: at most 128 bytes beside its recipients. Counted: the table's entry and the block
  // without what belongs to the recipients.
  SharedStrings strings;
  MailTable table(&strings);
  const SavedMail saved = MailOf(1, {"recipient@example.test"});
  mail::Envelope bare = saved.envelope;
  bare.recipients.clear();
  bare.client_ip.clear();
  bare.helo.clear();
  bare.auth_account.clear();
  bare.protocol.clear();
  std::string encoded;
  mail::Encode(bare, encoded);
  EXPECT_LE(sizeof(MailState) + 12 + encoded.size(), 128u);
}

}  // namespace
}  // namespace queue
