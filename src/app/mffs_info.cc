#include "app/mffs_info.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/json_values.h"
#include "admin/status_command.h"
#include "app/commands_text.h"
#include "app/mffs_image.h"
#include "app/space_drawing.h"
#include "base/clock.h"
#include "mail/class.h"
#include "mffs/image_device.h"
#include "mffs/record_reader.h"
#include "mffs/segment_survey.h"

namespace app {

namespace json = boost::json;
using base::Errc;
using base::Error;

namespace {

json::object ToJson(const mffs::SpaceCounts& counts) {
  return {{"live_bytes", counts.live_bytes},         {"dead_bytes", counts.dead_bytes},
          {"overhead_bytes", counts.overhead_bytes}, {"unused_bytes", counts.unused_bytes},
          {"free_bytes", counts.free_bytes},         {"records", counts.records},
          {"live_records", counts.live_records}};
}

json::object ToJson(const mffs::StreamSpace& space) {
  json::object out = ToJson(space.counts);
  out["segments"] = space.segments;
  return out;
}

json::object SpaceToJson(const mffs::SpaceMap& map) {
  json::object streams;
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    streams[mffs::ToString(static_cast<mffs::Stream>(i))] = ToJson(map.streams[i]);
  }
  json::array segments;
  segments.reserve(map.segments.size());
  for (std::size_t i = 0; i < map.segments.size(); ++i) {
    const mffs::SegmentSpace& segment = map.segments[i];
    json::object row{{"segment", i}, {"state", ToString(segment.state)}, {"generation", segment.generation}};
    if (segment.state != mffs::SegmentState::kFree) row["stream"] = mffs::ToString(segment.stream);
    for (auto& field : ToJson(segment.counts)) row.insert(field);
    segments.emplace_back(std::move(row));
  }
  return {{"segment_bytes", map.geometry.segment_bytes},
          {"streams", std::move(streams)},
          {"free_segments", ToJson(map.free)},
          {"total", ToJson(map.total)},
          {"segments", std::move(segments)}};
}

// What the node's own status says of it.
mffs::VolumeStatus StatusOf(const VolumeFacts& facts) {
  mffs::VolumeStatus status;
  status.space = {.capacity_bytes = facts.capacity_bytes(),
                  .live_bytes = facts.map.total.counts.live_bytes,
                  .free_segments = facts.map.free.segments,
                  .segments = facts.map.segments.size()};
  status.durable_lsn = facts.map.durable_lsn;
  status.corrupt_blocks = facts.map.recovery.corruptions.size();
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    status.live_bytes_by_stream[i] = facts.map.streams[i].counts.live_bytes;
  }
  return status;
}

void AddRow(TextTable* table, std::string_view name, const mffs::StreamSpace& space) {
  table->AddRow({std::string(name), fmt::to_string(space.segments), ReadableBytes(space.counts.live_bytes),
                 ReadableBytes(space.counts.dead_bytes), ReadableBytes(space.counts.overhead_bytes),
                 ReadableBytes(space.counts.unused_bytes), ReadableBytes(space.counts.free_bytes),
                 fmt::to_string(space.counts.records), fmt::to_string(space.counts.live_records)});
}

void PrintSpace(const Invocation& invocation, const mffs::SpaceMap& map) {
  constexpr auto kRight = TextTable::Align::kRight;
  TextTable table({{"STREAM"},
                   {"SEGMENTS", kRight},
                   {"LIVE", kRight},
                   {"DEAD", kRight},
                   {"OVERHEAD", kRight},
                   {"UNUSED", kRight},
                   {"FREE", kRight},
                   {"RECORDS", kRight},
                   {"LIVE RECORDS", kRight}});
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    AddRow(&table, mffs::ToString(static_cast<mffs::Stream>(i)), map.streams[i]);
  }
  AddRow(&table, "free segments", map.free);
  AddRow(&table, "all", map.total);
  invocation.out() << '\n' << table.ToString() << '\n';
}

// In the order in which mail goes.
constexpr mail::Class kClassesInOrder[] = {mail::Class::kKnown, mail::Class::kNormal,  mail::Class::kUnjudged,
                                           mail::Class::kBulk,  mail::Class::kSuspect, mail::Class::kHeld};

json::object ToJson(const salvage::MailSpace& space) {
  return {{"mails", space.mails}, {"bytes", space.bytes}};
}

json::object ToJson(const salvage::ClassSpace& space) {
  json::object queued;
  for (const mail::Class cls : kClassesInOrder) {
    queued[mail::ToString(cls)] = ToJson(space.queued[static_cast<std::size_t>(cls)]);
  }
  return {{"queued", std::move(queued)},
          {"leaving", ToJson(space.leaving)},
          {"mailboxes", ToJson(space.mailboxes)},
          {"log_bytes", space.log_bytes},
          {"own_bytes", space.own_bytes}};
}

void PrintClasses(const Invocation& invocation, const VolumeFacts& facts) {
  if (!facts.classes.has_value()) {
    invocation.out() << "space by class of mail cannot be told: " << Printable(facts.classes_problem) << "\n\n";
    return;
  }
  const salvage::ClassSpace& space = *facts.classes;
  constexpr auto kRight = TextTable::Align::kRight;
  TextTable table({{"MAIL"}, {"MAILS", kRight}, {"LIVE", kRight}});
  const auto add = [&table](std::string name, const salvage::MailSpace& of) {
    table.AddRow({std::move(name), fmt::to_string(of.mails), ReadableBytes(of.bytes)});
  };
  for (const mail::Class cls : kClassesInOrder) {
    add(fmt::format("queued, {}", mail::ToString(cls)), space.queued[static_cast<std::size_t>(cls)]);
  }
  add("leaving the queue", space.leaving);
  add("in mailboxes", space.mailboxes);
  table.AddRow({"no mail: the log", "", ReadableBytes(space.log_bytes)});
  table.AddRow({"no mail: checkpoints", "", ReadableBytes(space.own_bytes)});
  invocation.out() << table.ToString() << '\n';
}

base::Result<> WriteSvg(const VolumeFacts& facts, const MffsInfoOptions& options) {
  std::error_code code;
  if (std::filesystem::equivalent(options.path, options.svg, code)) {
    return Error(Errc::kInvalid, "--svg names the volume itself, which is never written to; give another file");
  }
  std::ofstream file(options.svg, std::ios::binary | std::ios::trunc);
  file << SvgMap(facts.map, facts.name);
  file.close();
  if (file.fail()) return Error(Errc::kIo, fmt::format("{} cannot be written; give another file", options.svg));
  return {};
}

void PrintFacts(const Invocation& invocation, const VolumeFacts& facts) {
  const mffs::RecoveryReport& recovery = facts.map.recovery;
  invocation.out() << fmt::format(
      "volume    {} ({})\n"
      "space     {} of {} used, {} of {} segments free\n"
      "recovery  {} records in {} blocks since the last checkpoint, {} ms{}{}\n",
      Printable(facts.name), ReadableBytes(facts.device_bytes), ReadableBytes(facts.map.total.counts.live_bytes),
      ReadableBytes(facts.capacity_bytes()), facts.map.free.segments, facts.map.segments.size(), recovery.records_found,
      recovery.blocks_scanned, recovery.took.count(), recovery.torn_tail ? "; the last write was incomplete" : "",
      recovery.ambiguous_tail ? "; THE LAST BLOCK IS DAMAGED" : "");
  PrintSpace(invocation, facts.map);
  PrintClasses(invocation, facts);
  invocation.out() << TextMap(facts.map);
  for (const std::string& sentence : recovery.corruptions) {
    invocation.out() << "damaged: " << Printable(sentence) << '\n';
  }
}

}  // namespace

std::string_view ToString(mffs::SegmentState state) {
  switch (state) {
    case mffs::SegmentState::kFree:
      return "free";
    case mffs::SegmentState::kOpen:
      return "open";
    case mffs::SegmentState::kSealed:
      return "sealed";
    case mffs::SegmentState::kEmpty:
      return "empty";
  }
  return "unknown";
}

json::object ToJson(const VolumeFacts& facts) {
  json::object out;
  out["path"] = admin::JsonText(facts.name);
  out["device_bytes"] = facts.device_bytes;
  out["volume"] = admin::ToJson(StatusOf(facts));
  out["recovery"] = admin::ToJson(facts.map.recovery);
  out["space"] = SpaceToJson(facts.map);
  if (facts.classes.has_value()) {
    out["classes"] = ToJson(*facts.classes);
  } else {
    out["classes_problem"] = admin::JsonText(facts.classes_problem);
  }
  return out;
}

async::Task<base::Result<VolumeFacts>> ReadVolumeFacts(mffs::BlockDevice* device) {
  VolumeFacts facts{.name = device->name(), .device_bytes = device->size_bytes(), .map = {}};
  salvage::ClassSurvey survey;
  ASSIGN_OR_CO_RETURN(facts.map, co_await mffs::ReadSpaceMap(
                                     device, [&survey](const mffs::RecordView& record) { survey.Add(record); }));
  base::Result<replog::OwnerState> state = replog::OwnerState();
  if (!facts.map.owner_state.empty()) state = replog::OwnerState::Decode(facts.map.owner_state);
  if (!state.has_value()) {
    facts.classes_problem = state.error().message();
    co_return facts;
  }
  mffs::ImageDevice image(co_await asio::this_coro::executor, device);
  const mffs::RecordReader reader(&image, facts.map.geometry, mffs::kSurveyDeadline);
  auto classes = co_await survey.Finish(*std::move(state), &reader);
  if (classes.has_value()) {
    facts.classes = *classes;
  } else {
    facts.classes_problem = classes.error().message();
  }
  co_return facts;
}

int MffsInfo(const Invocation& invocation, const MffsInfoOptions& options) {
  const base::SystemClock clock;
  const base::SteadyTime began = clock.SteadyNow();
  auto read = WithImage<VolumeFacts>(options.path, ReadVolumeFacts);
  if (!read) return invocation.Fail(read.error());
  VolumeFacts facts = *std::move(read);
  facts.map.recovery.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.SteadyNow() - began);
  if (!options.svg.empty()) {
    const auto written = WriteSvg(facts, options);
    if (!written) return invocation.Fail(written.error());
  }
  if (invocation.is_json()) {
    invocation.PrintJson(ToJson(facts));
  } else {
    PrintFacts(invocation, facts);
  }
  return facts.map.recovery.corruptions.empty() ? kExitOk : kExitFailed;
}

}  // namespace app
