#include "net/interface_addresses.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace net {
namespace {

TEST(InterfaceAddresses, HasLoopbackAndEachAddressOnce) {
  const auto addresses = InterfaceAddresses();
  ASSERT_TRUE(addresses.has_value()) << addresses.error().message();
  EXPECT_THAT(*addresses, testing::Contains("127.0.0.1"));
  EXPECT_EQ(std::ranges::adjacent_find(*addresses), addresses->end());
}

}  // namespace
}  // namespace net
