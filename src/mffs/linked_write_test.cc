#include "mffs/linked_write.h"

#include <gtest/gtest.h>

namespace mffs {
namespace {

using Next = LinkedWrite::Next;
constexpr std::size_t kBytes = 8192;

TEST(LinkedWrite, EndsWhenBothSucceeded) {
  LinkedWrite write(kBytes);
  EXPECT_EQ(write.WriteAnswered(kBytes), Next::kWait);
  EXPECT_EQ(write.FlushAnswered(0), Next::kEnd);
  EXPECT_EQ(write.answer(), static_cast<std::int64_t>(kBytes));
}

TEST(LinkedWrite, AFailedWriteIsTheAnswerWhateverTheFlushSays) {
  for (const std::int64_t flush : {-ECANCELED, 0, -EIO}) {
    LinkedWrite write(kBytes);
    EXPECT_EQ(write.WriteAnswered(-ENOSPC), Next::kWait);
    EXPECT_EQ(write.FlushAnswered(flush), Next::kEnd);
    EXPECT_EQ(write.answer(), -ENOSPC);
  }
}

TEST(LinkedWrite, AShortWriteIsTheAnswer) {
  LinkedWrite write(kBytes);
  EXPECT_EQ(write.WriteAnswered(4096), Next::kWait);
  EXPECT_EQ(write.FlushAnswered(-ECANCELED), Next::kEnd);
  EXPECT_EQ(write.answer(), 4096);
}

TEST(LinkedWrite, AFailedFlushIsNotRepeated) {
  LinkedWrite write(kBytes);
  EXPECT_EQ(write.WriteAnswered(kBytes), Next::kWait);
  EXPECT_EQ(write.FlushAnswered(-EIO), Next::kEnd);
  EXPECT_EQ(write.answer(), -EIO);
}

TEST(LinkedWrite, AFailedFlushThatWasPartedIsNotRepeatedEither) {
  LinkedWrite write(kBytes);
  write.FlushWasParted();
  EXPECT_EQ(write.FlushAnswered(-EIO), Next::kWait);
  EXPECT_EQ(write.WriteAnswered(kBytes), Next::kEnd);
  EXPECT_EQ(write.answer(), -EIO);
}

TEST(LinkedWrite, AFlushThatAnswersFirstIsFollowedByAnother) {
  LinkedWrite write(kBytes);
  EXPECT_EQ(write.FlushAnswered(0), Next::kWait);
  EXPECT_EQ(write.WriteAnswered(kBytes), Next::kFlush);
  EXPECT_EQ(write.FlushAnswered(0), Next::kEnd);
  EXPECT_EQ(write.answer(), static_cast<std::int64_t>(kBytes));
}

TEST(LinkedWrite, APartedFlushIsFollowedByAnotherThoughItAnsweredLast) {
  LinkedWrite write(kBytes);
  write.FlushWasParted();
  EXPECT_EQ(write.WriteAnswered(kBytes), Next::kWait);
  EXPECT_EQ(write.FlushAnswered(0), Next::kFlush);
  EXPECT_EQ(write.FlushAnswered(-EIO), Next::kEnd);
  EXPECT_EQ(write.answer(), -EIO);
}

TEST(LinkedWrite, ACancelledFlushIsRepeatedOnce) {
  LinkedWrite write(kBytes);
  EXPECT_EQ(write.WriteAnswered(kBytes), Next::kWait);
  EXPECT_EQ(write.FlushAnswered(-ECANCELED), Next::kFlush);
  EXPECT_EQ(write.FlushAnswered(-ECANCELED), Next::kEnd);
  EXPECT_EQ(write.answer(), -ECANCELED);
}

}  // namespace
}  // namespace mffs
