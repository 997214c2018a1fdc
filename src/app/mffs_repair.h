// posthorn mffs repair: makes a damaged volume one that a node starts on. docs/cli.md, "posthorn mffs repair"
#pragma once

#include <cstdint>
#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

// Exit codes beside 0 and kExitUsage, which is also "could not begin".
inline constexpr int kExitMailIsLost = 1;
inline constexpr int kExitWouldRepair = 3;  // A dry run that found something to do; no mail is lost.
inline constexpr int kExitNotRepairable = 4;

struct MffsRepairOptions {
  std::string path;
  bool write = false;
  std::string keep;          // The undo file to make; empty: beside the volume.
  std::string undo;          // The undo file to put back.
  std::string index_folder;  // The index of the node that had the volume; empty: do without.
  std::string scratch;       // Where a folder for the index is made and removed; empty: $TMPDIR or /tmp.
  std::uint64_t records_max = 20'000'000;
};

// Returns the exit code.
int MffsRepair(const Invocation& invocation, const MffsRepairOptions& options);

// Parses into `options`, which outlives the group.
void AddMffsRepair(CLI::App* group, Invocation* invocation, MffsRepairOptions* options);

}  // namespace app
