#include "admin/node_metrics.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/metrics_page.h"

namespace admin {
namespace {

// Tests run in the checkout's top folder.
std::string MetricsPage() {
  std::ifstream file("docs/metrics.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class NodeMetricsTest : public testing::Test {
 protected:
  NodeMetricsTest() {
    RegisterNodeMetrics(
        &registry_,
        {.volume = [this] { return volume_; },
         .scrub =
             [] {
               return mffs::ScrubStatus{.bytes_read = 4096, .bad_sectors = 2, .lost_records = 1, .last_pass_ended = 99};
             },
         .log = [] { return replog::LogStatus{.entries_committed = 12}; },
         .queue =
             [] {
               return queue::QueueStatus{.mails = 3,
                                         .recipients_waiting = 4,
                                         .recipients_claimed = 5,
                                         .recipients_held = 6,
                                         .destinations = 9,
                                         .destinations_paused = 2};
             },
         .history =
             [] { return history::HistoryStatus{.bytes = 70'000, .counts = {.events_written = 11, .events_lost = 1}}; },
         .buffers_used_bytes = [] { return 8192u; },
         .full_accounts = [] { return 3u; },
         .sessions = {{"imap", [] { return 2u; }}, {"smtp", [] { return 9u; }}}});
  }

  mffs::VolumeStatus volume_{.space = {.capacity_bytes = 1u << 30, .live_bytes = 1u << 20}, .commits = 7};
  base::MetricsRegistry registry_;
};

TEST_F(NodeMetricsTest, ReadsTheNodeWhenAsked) {
  const std::string before = registry_.Render();
  for (const std::string line : {"posthorn_volume_bytes{kind=\"capacity\"} 1073741824\n",
                                 "posthorn_volume_bytes{kind=\"live\"} 1048576\n",
                                 "posthorn_volume_commits_total 7\n",
                                 "posthorn_volume_read_only 0\n",
                                 "posthorn_scrub_read_bytes_total 4096\n",
                                 "posthorn_scrub_bad_sectors_total 2\n",
                                 "posthorn_scrub_lost_records_total 1\n",
                                 "posthorn_scrub_last_pass_time_seconds 99\n",
                                 "posthorn_queue_mails 3\n",
                                 "posthorn_queue_recipients{state=\"waiting\"} 4\n",
                                 "posthorn_queue_recipients{state=\"claimed\"} 5\n",
                                 "posthorn_queue_recipients{state=\"held\"} 6\n",
                                 "posthorn_queue_destinations{state=\"open\"} 7\n",
                                 "posthorn_queue_destinations{state=\"paused\"} 2\n",
                                 "posthorn_log_entries_committed_total 12\n",
                                 "posthorn_history_bytes 70000\n",
                                 "posthorn_history_events_written_total 11\n",
                                 "posthorn_history_events_lost_total 1\n",
                                 "posthorn_buffers_used_bytes 8192\n",
                                 "posthorn_accounts_full 3\n",
                                 "posthorn_sessions{protocol=\"imap\"} 2\n",
                                 "posthorn_sessions{protocol=\"smtp\"} 9\n"}) {
    EXPECT_NE(before.find("\n" + line), std::string::npos) << line << before;
  }
  volume_.read_only = true;
  EXPECT_NE(registry_.Render().find("posthorn_volume_read_only 1\n"), std::string::npos);
}

TEST_F(NodeMetricsTest, EachHasItsRowInTheDocumentation) {
  EXPECT_THAT(MetricsPageFaults(MetricsPage(), registry_.Render(), false), testing::IsEmpty());
}

TEST(MetricsPage, FindsWhatDiffers) {
  base::MetricsRegistry registry;
  registry.AddCounter("posthorn_a", "A.");
  registry.AddGauge("posthorn_b", "B.");
  registry.AddGauge("posthorn_c", "C.");
  const std::string page =
      "| Family | Type |\n| --- | --- |\n| `posthorn_b` | counter | x |\n| `posthorn_c` | gauge | x |\n"
      "| `posthorn_d` | gauge | x |\n";
  EXPECT_THAT(MetricsPageFaults(page, registry.Render(), false),
              testing::ElementsAre("posthorn_a has no row in docs/metrics.md",
                                   "posthorn_b is a gauge, docs/metrics.md calls it a counter"));
  EXPECT_THAT(MetricsPageFaults(page, registry.Render(), true),
              testing::Contains("docs/metrics.md has posthorn_d, the code has not"));
}

}  // namespace
}  // namespace admin
