#include "routing/networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace routing {
namespace {

TEST(Networks, ContainTheAddressesOfTheirPrefixes) {
  struct Row {
    std::string_view network;
    std::string_view ip;
    bool contains;
  };
  for (const Row& row : {
           Row{"192.0.2.0/24", "192.0.2.255", true},
           Row{"192.0.2.0/24", "192.0.3.0", false},
           Row{"192.0.2.0/24", "::ffff:192.0.2.9", true},
           Row{"192.0.2.128/25", "192.0.2.127", false},
           Row{"192.0.2.7", "192.0.2.7", true},
           Row{"192.0.2.7", "192.0.2.6", false},
           Row{"10.0.0.0/8", "10.255.0.1", true},
           Row{"10.0.0.0/8", "a00::1", false},
           Row{"2001:db8::/32", "2001:db8:ffff::1", true},
           Row{"2001:db8::/32", "2001:db9::1", false},
           Row{"::1", "::1", true},
           Row{"::ffff:0:0/96", "192.0.2.1", true},
           Row{"192.0.2.0/24", "", false},
           Row{"192.0.2.0/24", "192.0.2", false},
           Row{"192.0.2.0/24", "not an address, and a long text at that, longer than any", false},
       }) {
    Networks networks;
    ASSERT_TRUE(networks.Add(row.network)) << row.network;
    EXPECT_EQ(networks.Contains(row.ip), row.contains) << row.network << " " << row.ip;
  }
  EXPECT_FALSE(Networks().Contains("127.0.0.1"));
}

TEST(Networks, RefuseWhatIsNoneAndWhatIsEverybody) {
  for (const std::string_view network :
       {"", "/", "/8", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/2x", "192.0.2.1/24", "0.0.0.0/0",
        "::/0", "2001:db8::1/32", "2001:db8::/129", "mx.example.test", "192.0.2.0/24 ", "192.0.2.0/255.255.255.0"}) {
    Networks networks;
    const auto added = networks.Add(network);
    EXPECT_FALSE(added) << network;
    EXPECT_EQ(networks.size(), 0u);
  }
}

}  // namespace
}  // namespace routing
