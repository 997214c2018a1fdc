#include "app/mffs_commands.h"

#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "app/commands_text.h"
#include "app/config.h"
#include "async/run_to_end.h"
#include "async/shard.h"
#include "mffs/open_device.h"
#include "mffs/preallocate.h"
#include "mffs/volume.h"

namespace app {

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
  return async::RunToEnd<T>(&shard, work(device.get(), argument));
}

Task<Result<VolumeFacts>> FormatDevice(mffs::BlockDevice* device, std::uint32_t segment_bytes) {
  CO_RETURN_IF_ERROR(co_await mffs::Volume::Format(device, {.segment_bytes = segment_bytes}));
  co_return co_await ReadVolumeFacts(device);
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

}  // namespace

MffsSubcommands::MffsSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const group =
      root->add_subcommand("mffs", "Volumes: format, info, check, dump, repair, rescue; of a running node: scrub");
  group->require_subcommand(1);
  group->footer("Example:\n  posthorn mffs info /var/lib/posthorn/volume.mffs");
  CLI::App* const format = group->add_subcommand("format", "Make an empty volume in a file or on a block device");
  format->add_option("PATH", format_.path, "File, made when it is missing, or block device")->required()->type_name("");
  format->add_option("--size", size_text_, "Size of a file that is made (default 16GiB)")->type_name("SIZE");
  format
      ->add_option("--segment-size", segment_text_,
                   "Segment size, a multiple of 1MiB (default by the volume's: 16MiB for 16GiB)")
      ->type_name("SIZE");
  format->add_flag("--force", format_.force, "Format what exists, and destroy what is on it");
  format->footer(
      "Examples:\n  posthorn mffs format /var/lib/posthorn/volume.mffs --size 64GiB\n"
      "  posthorn mffs format /dev/sdb --force");
  invocation->SetAction(format, [this] { return Format(); });
  AddInfo(group);
  AddMffsDump(group, invocation, &dump_);
  AddMffsRepair(group, invocation, &repair_);
  AddMffsScrub(group, invocation, &scrub_);
  tools_.emplace(group, invocation);
}

void MffsSubcommands::AddInfo(CLI::App* group) {
  CLI::App* const info = group->add_subcommand(
      "info", "Show how the space of a volume is used, a map of its segments, what recovery finds; writes nothing");
  info->add_option("PATH", info_.path, "File or block device")->required()->type_name("");
  info->add_option("--svg", info_.svg, "Also write the map as a picture")->type_name("FILE");
  info->footer(
      "Exit codes: 0 nothing is damaged, 1 acknowledged data is, or it could not be read.\n"
      "Examples:\n  posthorn mffs info /var/lib/posthorn/volume.mffs\n"
      "  posthorn mffs info /var/lib/posthorn/volume.mffs --svg map.svg --json");
  invocation_->SetAction(info, [this] { return MffsInfo(*invocation_, info_); });
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
  if (options.segment_bytes % kUnit != 0 || options.segment_bytes > (1u << 30)) {
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
                                  ReadableBytes(facts->capacity_bytes()), facts->map.segments.size(),
                                  ReadableBytes(facts->map.geometry.segment_bytes));
  return kExitOk;
}

}  // namespace app
