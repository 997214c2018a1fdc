#include "admin/node_metrics.h"

#include <utility>

#include <fmt/format.h>

namespace admin {
namespace {

void RegisterVolume(base::MetricsRegistry* registry, const std::function<mffs::VolumeStatus()>& read) {
  constexpr std::string_view kBytes = "Bytes of the volume: in all its segments, of them live, and of them not.";
  registry->AddCallback(
      "posthorn_volume_bytes", kBytes, [read] { return static_cast<double>(read().space.capacity_bytes); },
      "kind=\"capacity\"");
  registry->AddCallback(
      "posthorn_volume_bytes", kBytes, [read] { return static_cast<double>(read().space.live_bytes); },
      "kind=\"live\"");
  registry->AddCallback(
      "posthorn_volume_bytes", kBytes, [read] { return static_cast<double>(read().space.FreeBytes()); },
      "kind=\"free\"");
  constexpr std::string_view kRefuses = "1 while mail is refused for want of space.";
  registry->AddCallback(
      "posthorn_volume_refuses", kRefuses,
      [read] { return read().space_level >= mffs::SpaceLevel::kParkedRefused ? 1.0 : 0.0; }, "mail=\"suspect\"");
  registry->AddCallback(
      "posthorn_volume_refuses", kRefuses,
      [read] { return read().space_level >= mffs::SpaceLevel::kNewRefused ? 1.0 : 0.0; }, "mail=\"all\"");
  registry->AddCounterCallback("posthorn_volume_commits", "Gathering writes since the start.",
                               [read] { return static_cast<double>(read().commits); });
  registry->AddCounterCallback("posthorn_volume_written_bytes", "Bytes written to the device since the start.",
                               [read] { return static_cast<double>(read().bytes_written); });
  registry->AddCounterCallback("posthorn_volume_corrupt_blocks", "Damaged blocks found since the start.",
                               [read] { return static_cast<double>(read().corrupt_blocks); });
  registry->AddCallback("posthorn_volume_read_only", "1 when write errors have made the volume read-only.",
                        [read] { return read().read_only ? 1.0 : 0.0; });
}

void RegisterScrub(base::MetricsRegistry* registry, const std::function<mffs::ScrubStatus()>& read) {
  registry->AddCounterCallback("posthorn_scrub_read_bytes", "Bytes that the scrub has read since the start.",
                               [read] { return static_cast<double>(read().bytes_read); });
  registry->AddCounterCallback("posthorn_scrub_bad_sectors", "Different bad sectors found by the scrub.",
                               [read] { return static_cast<double>(read().bad_sectors); });
  registry->AddCounterCallback("posthorn_scrub_lost_records", "Live records in these sectors.",
                               [read] { return static_cast<double>(read().lost_records); });
  registry->AddCallback("posthorn_scrub_last_pass_time_seconds", "When the last whole pass ended, 0: never.",
                        [read] { return static_cast<double>(read().last_pass_ended); });
}

void RegisterQueue(base::MetricsRegistry* registry, const std::function<queue::QueueStatus()>& read) {
  constexpr std::string_view kRecipients = "Recipients of mail in the queue, by state.";
  registry->AddCallback("posthorn_queue_mails", "Mails in the queue.",
                        [read] { return static_cast<double>(read().mails); });
  registry->AddCallback(
      "posthorn_queue_recipients", kRecipients, [read] { return static_cast<double>(read().recipients_waiting); },
      "state=\"waiting\"");
  registry->AddCallback(
      "posthorn_queue_recipients", kRecipients, [read] { return static_cast<double>(read().recipients_claimed); },
      "state=\"claimed\"");
  registry->AddCallback(
      "posthorn_queue_recipients", kRecipients, [read] { return static_cast<double>(read().recipients_held); },
      "state=\"held\"");
  constexpr std::string_view kDestinations = "Mailbox domains and next hops that mail waits for.";
  registry->AddCallback(
      "posthorn_queue_destinations", kDestinations,
      [read] { return static_cast<double>(read().destinations - read().destinations_paused); }, "state=\"open\"");
  registry->AddCallback(
      "posthorn_queue_destinations", kDestinations, [read] { return static_cast<double>(read().destinations_paused); },
      "state=\"paused\"");
}

void RegisterHistory(base::MetricsRegistry* registry, const std::function<history::HistoryStatus()>& read) {
  registry->AddCallback("posthorn_history_bytes", "Bytes of the volume that the history of mails takes.",
                        [read] { return static_cast<double>(read().bytes); });
  registry->AddCounterCallback("posthorn_history_events_written", "Events of mails written since the start.",
                               [read] { return static_cast<double>(read().counts.events_written); });
  registry->AddCounterCallback("posthorn_history_events_lost", "Events of mails for which there was no room.",
                               [read] { return static_cast<double>(read().counts.events_lost); });
}

}  // namespace

void RegisterNodeMetrics(base::MetricsRegistry* registry, NodeReadings readings) {
  RegisterVolume(registry, readings.volume);
  RegisterScrub(registry, readings.scrub);
  RegisterQueue(registry, readings.queue);
  RegisterHistory(registry, readings.history);
  registry->AddCounterCallback("posthorn_log_entries_committed", "Log entries committed since the start.",
                               [read = readings.log] { return static_cast<double>(read().entries_committed); });
  registry->AddCallback("posthorn_log_damaged_entries", "Log entries left out at the start because they are damaged.",
                        [read = readings.log] { return static_cast<double>(read().damaged_entries); });
  registry->AddCounterCallback("posthorn_log_body_reads_from_memory", "Reads of mail that memory answered.",
                               [read = readings.log] { return static_cast<double>(read().bodies_from_memory); });
  registry->AddCounterCallback("posthorn_log_body_reads_from_disk", "Reads of mail that went to the device.",
                               [read = readings.log] { return static_cast<double>(read().bodies_from_disk); });
  registry->AddCallback("posthorn_log_body_cache_bytes", "Buffers that keep queued mail in memory.",
                        [read = readings.log] { return static_cast<double>(read().body_cache_bytes); });
  registry->AddCallback("posthorn_buffers_used_bytes", "Memory taken by mail in flight, in whole buffers.",
                        [read = readings.buffers_used_bytes] { return static_cast<double>(read()); });
  registry->AddCallback("posthorn_accounts_full", "Accounts in memory that have no room for any mail.",
                        [read = readings.full_accounts] { return static_cast<double>(read()); });
  for (SessionCount& sessions : readings.sessions) {
    registry->AddCallback(
        "posthorn_sessions", "Sessions open.",
        [read = std::move(sessions.open)] { return static_cast<double>(read()); },
        fmt::format("protocol=\"{}\"", sessions.protocol));
  }
}

}  // namespace admin
