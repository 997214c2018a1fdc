#include "queue/mail_table.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "queue/packed_envelope.h"
#include "queue/scheduler.h"

namespace queue {
namespace {

constexpr base::WallTime kNow(std::chrono::seconds(1'800'000'000));

std::string Word(base::Random* random, std::size_t size_max) {
  return std::string(random->Below(size_max + 1), static_cast<char>('a' + random->Below(26)));
}

SavedMail RandomMail(replog::Index index, base::Random* random) {
  SavedMail mail{.index = index,
                 .queued_at = kNow + std::chrono::microseconds(random->Below(1'000'000'000)),
                 .cls = static_cast<mail::Class>(random->Below(5)),
                 .body = {},
                 .envelope = {},
                 .recipients = {}};
  mail.envelope.id = random->Below(2) == 0 ? "00ff00ff12345678" : Word(random, 40);
  mail.envelope.sender = Word(random, 60);
  mail.envelope.smtputf8 = random->Below(2) == 0;
  mail.envelope.body = static_cast<mail::BodyType>(random->Below(3));
  mail.envelope.dsn_return = static_cast<mail::DsnReturn>(random->Below(3));
  mail.envelope.envelope_id = random->Below(4) == 0 ? Word(random, 100) : "";
  mail.envelope.client_ip = random->Below(2) == 0 ? "192.0.2.1" : "2001:db8::1";
  mail.envelope.helo = "client.test";
  mail.envelope.protocol = "ESMTPS";
  mail.envelope.received = mail.queued_at - std::chrono::microseconds(random->Below(100'000));
  mail.envelope.cls = mail.cls;
  const std::size_t recipients = random->Below(50) == 0 ? 300 : 1 + random->Below(3);
  for (std::size_t i = 0; i < recipients; ++i) {
    mail.envelope.recipients.push_back({.address = Word(random, 30) + "@x.test",
                                        .notify = static_cast<std::uint8_t>(random->Below(16)),
                                        .original = random->Below(8) == 0 ? "rfc822;" + Word(random, 9) : ""});
    mail.recipients.push_back({RecipientState::kWaiting, static_cast<std::uint32_t>(random->Below(9)), kNow, "later"});
  }
  const mffs::Location place{.segment = static_cast<std::uint32_t>(index.value()), .generation = 1, .size = 4096};
  const auto bytes =
      static_cast<std::uint32_t>(random->Below(8000));  // Larger than the record too: a damaged snapshot.
  mail.body = {.id = replog::BodyId(index.value()), .size_bytes = bytes, .extents = {place}, .extent_bytes = {bytes}};
  return mail;
}

std::string Encoded(const SavedMail& mail) {
  std::string out;
  mail.EncodeTo(out);
  return out;
}

// Whichever mails go, those that stay are as they were, in order, and the table shrinks with them.
TEST(MailTable, AgreesWithAModelWhateverGoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    base::Random random(seed);
    SharedStrings strings;
    {
      MailTable table(&strings);
      std::map<replog::Index, SavedMail> model;
      std::uint64_t last = 0;
      for (int step = 0; step < 3000; ++step) {
        const bool grows = step % 1000 < 600;
        if (model.empty() || random.Below(10) < (grows ? 7U : 2U)) {
          last += 1 + random.Below(3);
          const SavedMail mail = RandomMail(replog::Index(last), &random);
          table.Add(mail);
          model.emplace(mail.index, mail);
          continue;
        }
        auto goes = model.lower_bound(replog::Index(random.Below(last + 1)));
        if (goes == model.end()) goes = model.begin();
        table.Erase(table.Find(goes->first));
        EXPECT_EQ(table.Find(goes->first), nullptr);
        model.erase(goes);
      }
      ASSERT_EQ(table.size(), model.size());
      const MailState* found = table.Next(replog::Index(0));
      for (const auto& [index, mail] : model) {
        ASSERT_NE(found, nullptr);
        ASSERT_EQ(found->index(), index);
        ASSERT_EQ(table.Find(index), found);
        EXPECT_EQ(Encoded(table.Save(*found)), Encoded(mail));
        found = table.Next(index);
      }
      EXPECT_EQ(found, nullptr);
    }
    EXPECT_EQ(strings.size(), 0u);
  }
}

SavedMail UsualMail(std::uint64_t index) {
  SavedMail mail{.index = replog::Index(index),
                 .queued_at = kNow,
                 .cls = mail::Class::kNormal,
                 .body = {},
                 .envelope = {},
                 .recipients = {{RecipientState::kWaiting, 1, kNow, "later"}}};
  mail.envelope.id = "0123456789abcdef";
  mail.envelope.sender = "somebody@example.org";
  mail.envelope.client_ip = "192.0.2.1";
  mail.envelope.received = kNow - std::chrono::milliseconds(3);
  mail.envelope.recipients = {{.address = "user@example.test"}};
  return mail;
}

// The bar of NUMBERS: 128 bytes a mail beside its recipients, sender and schedule included.
TEST(MailTable, AUsualMailTakes128BytesBesideItsRecipient) {
  constexpr std::uint64_t kMails = 100'000;
  constexpr std::size_t kRecipient = sizeof(RecipientSlot) + std::string_view("user@example.test").size() + 2;
  SharedStrings strings;
  MailTable table(&strings);
  Scheduler scheduler({});
  for (std::uint64_t i = 1; i <= kMails; ++i) {
    const MailState* mail = table.Add(UsualMail(i));
    scheduler.SetDue(scheduler.Add({replog::PartitionId(0x80000001), mail->index()}, 1, mail->cls), kNow);
  }
  const std::size_t bytes = table.memory_bytes() + scheduler.memory_bytes();
  EXPECT_LE(bytes / kMails - kRecipient, 128u);
}

TEST(MailTable, AFewMailsThatStayKeepLittleMemory) {
  SharedStrings strings;
  MailTable table(&strings);
  for (std::uint64_t i = 1; i <= 20'000; ++i) table.Add(UsualMail(i));
  const std::size_t full = table.memory_bytes();
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    if (i % 20 != 0) table.Erase(table.Find(replog::Index(i)));
  }
  EXPECT_EQ(table.size(), 1000u);
  EXPECT_LT(table.memory_bytes(), full / 8);  // Of 1/20 of the mails; chunks may be half empty.
  EXPECT_EQ(table.Next(replog::Index(41))->index(), replog::Index(60));
}

}  // namespace
}  // namespace queue
