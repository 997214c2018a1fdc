#include "admin/status_command.h"

#include <algorithm>
#include <chrono>

#include <boost/json/array.hpp>

#include "admin/json_values.h"

namespace admin {

namespace json = boost::json;

namespace {

constexpr std::size_t kCorruptionsShownMax = 100;

}  // namespace

void StatusCommand::AddTo(CommandTable* table) {
  table->Add("status",
             {.effect = Effect::kReads, .arguments = {}, .handler = std::bind_front(&StatusCommand::Status, this)});
}

async::Task<base::Result<json::object>> StatusCommand::Status(Arguments) {
  json::object sessions;
  for (const auto& [protocol, count] : parts_.sessions()) sessions[protocol] = count;
  const auto uptime = parts_.clock->SteadyNow() - started_at_;
  json::object answer;
  answer["version"] = JsonText(parts_.version);
  answer["hostname"] = JsonText(parts_.hostname);
  answer["uptime_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(uptime).count();
  answer["sessions"] = std::move(sessions);
  answer["volume"] = ToJson(parts_.volume->Status());
  answer["recovery"] = ToJson(parts_.volume->recovery());
  answer["log"] = ToJson(parts_.log->Status());
  answer["queue"] = ToJson(parts_.queue->Status());
  co_return answer;
}

json::object ToJson(const mffs::VolumeStatus& status) {
  json::object by_stream;
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    by_stream[ToString(static_cast<mffs::Stream>(i))] = status.live_bytes_by_stream[i];
  }
  json::object out;
  out["capacity_bytes"] = status.space.capacity_bytes;
  out["live_bytes"] = status.space.live_bytes;
  out["live_bytes_by_stream"] = std::move(by_stream);
  out["segments"] = status.space.segments;
  out["free_segments"] = status.space.free_segments;
  out["space_level"] = ToString(status.space_level);
  out["read_only"] = status.read_only;
  if (status.read_only) out["read_only_reason"] = JsonText(status.read_only_reason);
  out["durable_lsn"] = status.durable_lsn.value();
  out["commits"] = status.commits;
  out["records"] = status.records;
  out["bytes_written"] = status.bytes_written;
  out["segments_cleaned"] = status.segments_cleaned;
  out["corrupt_blocks"] = status.corrupt_blocks;
  return out;
}

json::object ToJson(const mffs::RecoveryReport& report) {
  json::array corruptions;
  for (const std::string& sentence : report.corruptions) {
    if (corruptions.size() == kCorruptionsShownMax) break;
    corruptions.push_back(JsonText(sentence));
  }
  json::object out;
  out["took_milliseconds"] = report.took.count();
  out["blocks_scanned"] = report.blocks_scanned;
  out["records_found"] = report.records_found;
  out["torn_tail"] = report.torn_tail;
  out["ambiguous_tail"] = report.ambiguous_tail;
  out["corruption_count"] = report.corruptions.size();
  out["corruptions"] = std::move(corruptions);
  return out;
}

json::object ToJson(const replog::LogStatus& status) {
  json::object out;
  out["entries_committed"] = status.entries_committed;
  out["proposals_pending"] = status.proposals_pending;
  out["snapshots_written"] = status.snapshots_written;
  out["replayed_entries"] = status.replayed_entries;
  out["damaged_entries"] = status.damaged_entries;
  out["tail_entries"] = status.tail_entries;
  out["body_cache_bytes"] = status.body_cache_bytes;
  out["bodies_from_memory"] = status.bodies_from_memory;
  out["bodies_from_disk"] = status.bodies_from_disk;
  return out;
}

json::object ToJson(const queue::QueueStatus& status) {
  json::object out;
  out["mails"] = status.mails;
  out["bytes"] = status.bytes;
  out["recipients_waiting"] = status.recipients_waiting;
  out["recipients_claimed"] = status.recipients_claimed;
  out["recipients_held"] = status.recipients_held;
  out["destinations"] = status.destinations;
  out["destinations_paused"] = status.destinations_paused;
  return out;
}

}  // namespace admin
