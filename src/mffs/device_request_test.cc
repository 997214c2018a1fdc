// What the kernel's answers to reads and writes mean.
#include "mffs/device_request.h"

#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mffs/device_testing.h"

namespace mffs {
namespace {

TEST(DeviceRequest, AnythingButAllOfItsBytesIsAnError) {
  AlignedMemory memory(2);
  const auto size = static_cast<std::int64_t>(memory.span().size());
  const DeviceRequest requests[] = {DeviceRequest::Write(0, memory.span(), Sync::kYes, {}),
                                    DeviceRequest::Read(0, memory.span(), {})};
  for (const DeviceRequest& request : requests) {
    EXPECT_TRUE(RequestResult("disk", request, size));
    for (const std::int64_t answer : {std::int64_t{0}, std::int64_t{512}, size / 2, size - 1, std::int64_t{-EIO}}) {
      const auto result = RequestResult("disk", request, answer);
      ASSERT_FALSE(result) << answer;
      EXPECT_EQ(result.error().code(), base::Errc::kIo);
      EXPECT_THAT(result.error().message(), testing::HasSubstr("disk"));
    }
  }
  EXPECT_TRUE(RequestResult("disk", DeviceRequest::Flush({}), 0));
  EXPECT_FALSE(RequestResult("disk", DeviceRequest::Flush({}), -EIO));
}

}  // namespace
}  // namespace mffs
