#include "app/mffs_commands.h"

#include <filesystem>
#include <memory>
#include <utility>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "admin/status_command.h"
#include "app/commands_text.h"
#include "app/config.h"
#include "app/run_to_end.h"
#include "async/shard.h"
#include "base/clock.h"
#include "mffs/open_device.h"
#include "mffs/preallocate.h"
#include "mffs/volume.h"

namespace app {

namespace json = boost::json;
using async::Task;
using base::Errc;
using base::Error;
using base::Result;

namespace {

// Runs the task that `make` makes for a device at `path`, on a loop of its own.
template <class T>
Result<T> WithDevice(const std::string& path, Task<Result<T>> (*work)(mffs::BlockDevice*, std::uint32_t),
                     std::uint32_t argument) {
  async::Shard shard("mffs");
  ASSIGN_OR_RETURN(const auto device, mffs::OpenDevice(shard.executor(), path, {}));
  return RunToEnd<T>(&shard, work(device.get(), argument));
}

struct VolumeFacts {
  std::string name;
  std::uint64_t device_bytes = 0;
  mffs::VolumeStatus status;
  mffs::RecoveryReport recovery;
};

// Opens without Start(): nothing is written.
Task<Result<VolumeFacts>> ReadFacts(mffs::BlockDevice* device, std::uint32_t) {
  const base::SystemClock clock;
  ASSIGN_OR_CO_RETURN(const auto volume, co_await mffs::Volume::Open(device, &clock, {}));
  co_return VolumeFacts{.name = device->name(),
                        .device_bytes = device->size_bytes(),
                        .status = volume->Status(),
                        .recovery = volume->recovery()};
}

Task<Result<VolumeFacts>> FormatDevice(mffs::BlockDevice* device, std::uint32_t segment_bytes) {
  CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(device, {.segment_bytes = segment_bytes}));
  co_return co_await ReadFacts(device, 0);
}

// Makes the file and answers true, or makes sure that what exists may be destroyed.
Result<bool> PrepareFormat(const MffsFormatOptions& options) {
  std::error_code code;
  if (!std::filesystem::exists(options.path, code)) {
    RETURN_IF_ERROR(mffs::PreallocateFile(options.path, options.size_bytes, {}));
    return true;
  }
  if (options.force) return false;
  return Error(Errc::kExists, fmt::format("{} exists; give --force to destroy what is on it", options.path));
}

void PrintStreams(const Invocation& invocation, const mffs::VolumeStatus& status) {
  TextTable table({{"STREAM"}, {"LIVE", TextTable::Align::kRight}});
  for (std::size_t i = 0; i < mffs::kStreamCount; ++i) {
    table.AddRow({std::string(ToString(static_cast<mffs::Stream>(i))), ReadableBytes(status.live_bytes_by_stream[i])});
  }
  invocation.out() << '\n' << table.ToString();
}

json::object ToJson(const VolumeFacts& facts) {
  json::object out;
  out["path"] = facts.name;
  out["device_bytes"] = facts.device_bytes;
  out["volume"] = admin::ToJson(facts.status);
  out["recovery"] = admin::ToJson(facts.recovery);
  return out;
}

}  // namespace

MffsSubcommands::MffsSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const group = root->add_subcommand("mffs", "Volumes that no node has open: format, info, check, rescue");
  group->require_subcommand(1);
  group->footer("Example:\n  posthorn mffs info /var/lib/posthorn/volume.mffs");
  CLI::App* const format = group->add_subcommand("format", "Make an empty volume in a file or on a block device");
  format->add_option("PATH", format_.path, "File, made when it is missing, or block device")->required()->type_name("");
  format->add_option("--size", size_text_, "Size of a file that is made (default 16GiB)")->type_name("SIZE");
  format->add_option("--segment-size", segment_text_, "Segment size, a multiple of 1MiB (default 64MiB)")
      ->type_name("SIZE");
  format->add_flag("--force", format_.force, "Format what exists, and destroy what is on it");
  format->footer(
      "Examples:\n  posthorn mffs format /var/lib/posthorn/volume.mffs --size 64GiB\n"
      "  posthorn mffs format /dev/sdb --force");
  invocation->SetAction(format, [this] { return Format(); });
  CLI::App* const info =
      group->add_subcommand("info", "Show the space of a volume and what recovery finds; writes nothing");
  info->add_option("PATH", info_.path, "File or block device")->required()->type_name("");
  info->footer(
      "Examples:\n  posthorn mffs info /var/lib/posthorn/volume.mffs\n"
      "  posthorn mffs info /var/lib/posthorn/volume.mffs --json");
  invocation->SetAction(info, [this] { return MffsInfo(*invocation_, info_); });
  tools_.emplace(group, invocation);
}

int MffsSubcommands::Format() {
  const std::pair<const std::string*, std::uint64_t*> sizes[] = {{&size_text_, &format_.size_bytes},
                                                                 {&segment_text_, &format_.segment_bytes}};
  for (const auto& [text, bytes] : sizes) {
    if (text->empty()) continue;
    const auto parsed = ParseBytes(*text);
    if (!parsed) {
      invocation_->Fail(parsed.error());
      return kExitUsage;
    }
    *bytes = *parsed;
  }
  return MffsFormat(*invocation_, format_);
}

int MffsFormat(const Invocation& invocation, const MffsFormatOptions& options) {
  constexpr std::uint64_t kUnit = 1u << 20;
  if (options.segment_bytes == 0 || options.segment_bytes % kUnit != 0 || options.segment_bytes > (1u << 30)) {
    invocation.Fail(Error(Errc::kInvalid, "--segment-size must be a multiple of 1MiB, at most 1GiB"));
    return kExitUsage;
  }
  const auto is_made = PrepareFormat(options);
  if (!is_made) return invocation.Fail(is_made.error());
  const auto facts =
      WithDevice<VolumeFacts>(options.path, FormatDevice, static_cast<std::uint32_t>(options.segment_bytes));
  if (!facts) {
    // A file without a volume would stand in the way of the next try.
    std::error_code ignored;
    if (*is_made) std::filesystem::remove(options.path, ignored);
    return invocation.Fail(facts.error());
  }
  if (invocation.is_json()) return invocation.PrintJson(ToJson(*facts));
  invocation.out() << fmt::format("formatted {}: {} in {} segments of {}\n", facts->name,
                                  ReadableBytes(facts->status.space.capacity_bytes), facts->status.space.segments,
                                  ReadableBytes(options.segment_bytes));
  return kExitOk;
}

int MffsInfo(const Invocation& invocation, const MffsInfoOptions& options) {
  const auto facts = WithDevice<VolumeFacts>(options.path, ReadFacts, 0);
  if (!facts) return invocation.Fail(facts.error());
  if (invocation.is_json()) return invocation.PrintJson(ToJson(*facts));
  const mffs::SpaceStatus& space = facts->status.space;
  const mffs::RecoveryReport& recovery = facts->recovery;
  invocation.out() << fmt::format(
      "volume    {} ({})\n"
      "space     {} of {} used, {} of {} segments free\n"
      "recovery  {} records in {} blocks since the last checkpoint, {} ms{}{}\n",
      facts->name, ReadableBytes(facts->device_bytes), ReadableBytes(space.live_bytes),
      ReadableBytes(space.capacity_bytes), space.free_segments, space.segments, recovery.records_found,
      recovery.blocks_scanned, recovery.took.count(), recovery.torn_tail ? "; the last write was incomplete" : "",
      recovery.ambiguous_tail ? "; THE LAST BLOCK IS DAMAGED" : "");
  PrintStreams(invocation, facts->status);
  for (const std::string& sentence : recovery.corruptions)
    invocation.out() << "damaged: " << Printable(sentence) << '\n';
  return recovery.corruptions.empty() ? kExitOk : kExitFailed;
}

}  // namespace app
