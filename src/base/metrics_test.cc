#include "base/metrics.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Metrics, RendersOpenMetricsText) {
  MetricsRegistry registry;
  registry.AddCounter("posthorn_mails_accepted", "Mails accepted.", "protocol=\"smtp\"").Add(3);
  registry.AddGauge("posthorn_sessions", "Sessions open.").Set(2);
  registry.AddHistogram("posthorn_commit_seconds", "Commit time.", {0.001, 0.01}).Observe(0.005);
  EXPECT_EQ(registry.Render(),
            "# HELP posthorn_mails_accepted Mails accepted.\n# TYPE posthorn_mails_accepted counter\n"
            "posthorn_mails_accepted_total{protocol=\"smtp\"} 3\n"
            "# HELP posthorn_sessions Sessions open.\n# TYPE posthorn_sessions gauge\nposthorn_sessions 2\n"
            "# HELP posthorn_commit_seconds Commit time.\n# TYPE posthorn_commit_seconds histogram\n"
            "posthorn_commit_seconds_bucket{le=\"0.001\"} 0\nposthorn_commit_seconds_bucket{le=\"0.01\"} 1\n"
            "posthorn_commit_seconds_bucket{le=\"+Inf\"} 1\nposthorn_commit_seconds_count 1\n"
            "posthorn_commit_seconds_sum 0.005\n# EOF\n");
}

TEST(Metrics, ReadsCallbacksWhenAskedWithTheSuffixOfTheirType) {
  MetricsRegistry registry;
  double commits = 1;
  registry.AddCounterCallback("posthorn_commits", "Commits.", [&] { return commits; });
  registry.AddCallback("posthorn_depth", "Depth.", [] { return 0.5; });
  commits = 7;
  EXPECT_EQ(registry.Render(),
            "# HELP posthorn_commits Commits.\n# TYPE posthorn_commits counter\nposthorn_commits_total 7\n"
            "# HELP posthorn_depth Depth.\n# TYPE posthorn_depth gauge\nposthorn_depth 0.5\n# EOF\n");
}

}  // namespace
}  // namespace base
