#include "mffs/volume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/volume_testing.h"

namespace mffs {
namespace {

TEST(Volume, KeepsRecordsOverAReopening) {
  ModelOwner owner;
  TestMachine first(FormattedImage());
  ASSERT_TRUE(first.Open());
  EXPECT_THAT(first.Scan(), testing::IsEmpty());
  first.Start(&owner);
  const auto one = first.Append(Stream::kTransit, TestKey(1), "head one", "body one");
  const auto two = first.Append(Stream::kMailbox, TestKey(2), "head two", std::string(300'000, 'x'));
  ASSERT_TRUE(one && two);
  EXPECT_EQ(first.Read(*one)->body, "body one");
  EXPECT_EQ(first.Read(*two)->head, "head two");
  first.volume->Release(*one);
  ASSERT_TRUE(first.Close());

  TestMachine second(first.device.Snapshot());
  ASSERT_TRUE(second.Open());
  EXPECT_THAT(second.volume->recovery().corruptions, testing::IsEmpty());
  EXPECT_FALSE(second.volume->recovery().torn_tail);
  const auto seen = second.Scan();
  ASSERT_EQ(seen.size(), 1u);  // The other one's segment is free.
  EXPECT_EQ(seen[0].key, TestKey(2));
  EXPECT_EQ(seen[0].location, *two);
  EXPECT_TRUE(seen[0].is_live);
  EXPECT_EQ(second.Read(*two)->body, std::string(300'000, 'x'));
  EXPECT_EQ(second.Read(*one).error().code(), base::Errc::kNotFound);
}

TEST(Volume, HasAThousandSegmentsIfItIsLargeEnough) {
  constexpr std::uint64_t kGiB = 1024 * kMiB;
  struct Row {
    std::uint64_t device_bytes;
    std::uint64_t segments;
  };
  for (const Row& row : std::initializer_list<Row>{
           {18 * kMiB, 16}, {kGiB, 1022}, {2 * kGiB, 1023}, {16 * kGiB, 1023}, {96 * kGiB, 1535}}) {
    TestMachine machine{SimImage(row.device_bytes)};
    ASSERT_TRUE(machine.Format(0));
    ASSERT_TRUE(machine.Open());
    EXPECT_EQ(machine.volume->Status().space.segments, row.segments) << row.device_bytes << " bytes";
  }
}

}  // namespace
}  // namespace mffs
