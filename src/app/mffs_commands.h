// posthorn mffs format|info|check|dump|repair|rescue: work on a volume that no node has open; scrub: on one in a node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"
#include "app/mffs_dump.h"
#include "app/mffs_info.h"
#include "app/mffs_repair.h"
#include "app/mffs_scrub.h"
#include "app/mffs_tools.h"

namespace app {

struct MffsFormatOptions {
  std::string path;
  std::uint64_t size_bytes = 16ull << 30;  // Of a file that is made; what exists is used whole.
  std::uint64_t segment_bytes = 0;         // By the size of the volume.
  bool force = false;                      // Format what exists, whatever is on it.
};

// Returns the exit code.
int MffsFormat(const Invocation& invocation, const MffsFormatOptions& options);

// Holds what the options of these commands are parsed into. Borrows root and invocation, which outlive it.
class MffsSubcommands {
 public:
  MffsSubcommands(CLI::App* root, Invocation* invocation);
  MffsSubcommands(const MffsSubcommands&) = delete;
  MffsSubcommands& operator=(const MffsSubcommands&) = delete;

 private:
  void AddInfo(CLI::App* group);
  int Format();

  Invocation* invocation_;
  MffsFormatOptions format_;
  std::string size_text_;
  std::string segment_text_;
  MffsInfoOptions info_;
  MffsDumpOptions dump_;
  MffsRepairOptions repair_;
  MffsScrubOptions scrub_;
  std::optional<MffsToolSubcommands> tools_;
};

}  // namespace app
