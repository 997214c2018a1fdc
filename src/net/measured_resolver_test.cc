#include "net/measured_resolver.h"

#include <gtest/gtest.h>

#include "net/dialogue_testing.h"
#include "net/resolver_testing.h"

namespace net {
namespace {

TEST(MeasuredResolver, CountsAnswersAndFailures) {
  asio::io_context context;
  base::SimClock clock;
  DnsTable table;
  table.AddIp("mx.test", "192.0.2.1");
  table.Fail("broken.test", DnsType::kMx);
  base::Counter answered;
  base::Counter failed;
  base::Histogram seconds({1});
  MeasuredResolver resolver(std::make_unique<ScriptedResolver>(context.get_executor(), &table), &clock,
                            {.answered = &answered, .failed = &failed, .seconds = &seconds});
  EXPECT_TRUE(async::RunTask(context, resolver.LookUp("mx.test", DnsType::kA)).has_value());
  EXPECT_TRUE(async::RunTask(context, resolver.LookUp("no-such.test", DnsType::kA)).has_value());
  EXPECT_EQ(async::RunTask(context, resolver.LookUp("broken.test", DnsType::kMx)).error().code(), base::Errc::kIo);
  EXPECT_EQ(answered.value(), 2u);
  EXPECT_EQ(failed.value(), 1u);
  EXPECT_EQ(seconds.CumulativeCount(1), 3u);
}

}  // namespace
}  // namespace net
