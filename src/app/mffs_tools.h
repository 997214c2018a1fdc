// posthorn mffs check|rescue: tools that save mail, on volumes that no node has open. docs/cli.md, "When a disk fails"
#pragma once

#include <cstdint>
#include <string>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

// Exit codes of `mffs check` beside 0, 1 and 2.
inline constexpr int kExitDamage = 1;
inline constexpr int kExitNotChecked = 2;
inline constexpr int kExitWarnings = 3;
// And of `mffs rescue`: 1 is "some mail is damaged".
inline constexpr int kExitNotRescued = 2;

struct MffsCheckOptions {
  std::string path;
  std::string scratch;  // Where a folder for the index is made and removed; empty: $TMPDIR or /tmp.
  std::uint64_t records_max = 20'000'000;
  bool is_quiet = false;
};

struct MffsRescueOptions {
  std::string path;
  std::string directory;
  std::uint64_t records_max = 20'000'000;
  bool go_on = false;
  bool with_deleted = false;
};

// Both return the exit code.
int MffsCheck(const Invocation& invocation, const MffsCheckOptions& options);
int MffsRescue(const Invocation& invocation, const MffsRescueOptions& options);

// Holds what the options of these commands are parsed into. Borrows group (`mffs`) and invocation, which outlive it.
class MffsToolSubcommands {
 public:
  MffsToolSubcommands(CLI::App* group, Invocation* invocation);
  MffsToolSubcommands(const MffsToolSubcommands&) = delete;
  MffsToolSubcommands& operator=(const MffsToolSubcommands&) = delete;

 private:
  void AddCheck(CLI::App* group, Invocation* invocation);
  void AddRescue(CLI::App* group, Invocation* invocation);

  MffsCheckOptions check_;
  MffsRescueOptions rescue_;
};

}  // namespace app
