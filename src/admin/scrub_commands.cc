#include "admin/scrub_commands.h"

#include <chrono>
#include <functional>
#include <limits>

#include <boost/json/array.hpp>

#include "admin/json_values.h"

namespace admin {

namespace json = boost::json;

namespace {

constexpr std::uint32_t kRateDefault = 32u << 20;  // Bytes a second.

json::value TimeOf(std::uint64_t seconds) {
  if (seconds == 0) return nullptr;
  return JsonTime(base::WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds))));
}

json::object ToJson(const mffs::Finding& finding) {
  json::object out{{"severity", ToString(finding.severity)}, {"kind", finding.kind}};
  out["sentence"] = JsonText(finding.sentence);
  if (finding.segment) out["segment"] = *finding.segment;
  if (finding.offset) out["offset"] = *finding.offset;
  if (finding.partition) out["partition"] = *finding.partition;
  if (finding.index) out["index"] = *finding.index;
  return out;
}

}  // namespace

void ScrubCommands::AddTo(CommandTable* table) {
  table->Add(
      "scrub.start",
      {.effect = Effect::kChanges, .arguments = {"rate"}, .handler = std::bind_front(&ScrubCommands::Start, this)});
  table->Add("scrub.stop",
             {.effect = Effect::kChanges, .arguments = {}, .handler = std::bind_front(&ScrubCommands::Stop, this)});
  table->Add("scrub.status",
             {.effect = Effect::kReads, .arguments = {}, .handler = std::bind_front(&ScrubCommands::Status, this)});
}

ScrubCommands::Answer ScrubCommands::Start(Arguments arguments) {
  ASSIGN_OR_CO_RETURN(const std::uint32_t rate,
                      arguments.Count("rate", kRateDefault, std::numeric_limits<std::uint32_t>::max()));
  CO_RETURN_IF_ERROR(volume_->BeginScrub(rate));
  co_return ToJson(volume_->Scrub());
}

ScrubCommands::Answer ScrubCommands::Stop(Arguments) {
  volume_->EndScrub();
  co_return ToJson(volume_->Scrub());
}

ScrubCommands::Answer ScrubCommands::Status(Arguments) {
  co_return ToJson(volume_->Scrub());
}

json::object ToJson(const mffs::ScrubStatus& status) {
  json::object out;
  out["on"] = status.is_on;
  out["requested"] = status.is_requested;
  out["bytes_per_second"] = status.bytes_per_second;
  out["pass_bytes_done"] = status.pass_bytes_done;
  out["pass_bytes_total"] = status.pass_bytes_total;
  out["bytes_read"] = status.bytes_read;
  out["passes_ended"] = status.passes_ended;
  out["bad_sectors"] = status.bad_sectors;
  out["lost_records"] = status.lost_records;
  out["pass_began"] = TimeOf(status.pass_began);
  out["last_pass_ended"] = TimeOf(status.last_pass_ended);
  json::array findings;
  for (const mffs::Finding& finding : status.findings) findings.emplace_back(ToJson(finding));
  out["findings"] = std::move(findings);
  return out;
}

}  // namespace admin
