#include "pop3/server/maildrop.h"

#include <optional>
#include <utility>

#include <gtest/gtest.h>

namespace pop3::server {
namespace {

TEST(Maildrop, NumbersFromOneAndHidesWhatIsDeleted) {
  MaildropLocks locks;
  const proto::UidlFormat format;
  Maildrop drop(*locks.TryLock(store::AccountId(1)), store::MailboxId(2), 77, &format);
  drop.Add(5, 100, "own-id");
  drop.Add(9, 200);
  drop.Add(10, 300);
  EXPECT_EQ(drop.Find(0), nullptr);
  EXPECT_EQ(drop.Find(4), nullptr);
  ASSERT_NE(drop.Find(2), nullptr);
  EXPECT_EQ(drop.Find(2)->size_bytes, 200u);
  EXPECT_EQ(drop.UniqueId(*drop.Find(2)), "000000090000004d");
  EXPECT_EQ(drop.UniqueId(*drop.Find(1)), "own-id");
  EXPECT_EQ(drop.kept_bytes(), 600u);
  drop.Delete(2);
  EXPECT_EQ(drop.Find(2), nullptr);
  EXPECT_EQ(drop.Find(3)->uid, 10u);
  EXPECT_EQ(drop.kept_count(), 2u);
  EXPECT_EQ(drop.kept_bytes(), 400u);
  EXPECT_EQ(drop.DeletedUids(), std::vector<std::uint32_t>{9});
  drop.Reset();
  EXPECT_EQ(drop.kept_count(), 3u);
  EXPECT_EQ(drop.kept_bytes(), 600u);
  EXPECT_TRUE(drop.DeletedUids().empty());
}

TEST(MaildropLocks, OneSessionAnAccount) {
  MaildropLocks locks;
  auto first = locks.TryLock(store::AccountId(1));
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(locks.TryLock(store::AccountId(1)).has_value());
  EXPECT_TRUE(locks.TryLock(store::AccountId(2)).has_value());
  {
    const std::optional<MaildropLocks::Lock> moved = std::exchange(first, std::nullopt);
    EXPECT_FALSE(locks.TryLock(store::AccountId(1)).has_value());
  }
  EXPECT_TRUE(locks.TryLock(store::AccountId(1)).has_value());
}

}  // namespace
}  // namespace pop3::server
