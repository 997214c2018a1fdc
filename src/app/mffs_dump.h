// posthorn mffs dump: what lies at one place of a volume, or the life of one mail. docs/cli.md, "posthorn mffs dump"
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"

namespace app {

struct MffsDumpOptions {
  std::string path;
  // At most one is given; none: the superblocks.
  std::optional<std::uint64_t> lsn{};
  std::optional<std::uint32_t> segment{};
  std::string mail{};
  std::size_t limit = 200;  // Blocks and records.
};

// Returns the exit code.
int MffsDump(const Invocation& invocation, const MffsDumpOptions& options);

// Adds the command to `mffs`; its options are parsed into `options`. All are borrowed and outlive the program's run.
void AddMffsDump(CLI::App* group, Invocation* invocation, MffsDumpOptions* options);

// Lines of 16 bytes: offset, hexadecimal, and what is printable of them; at last how many of `bytes_total` are missing.
std::string HexLines(std::string_view bytes, std::uint64_t bytes_total, std::string_view indent);

}  // namespace app
