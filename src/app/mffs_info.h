// posthorn mffs info: how the space of a volume is used. docs/cli.md, "posthorn mffs info"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "app/commands_invocation.h"
#include "async/asio.h"
#include "mffs/space_map.h"
#include "salvage/class_space.h"

namespace app {

// "free", "open", "sealed", "empty".
std::string_view ToString(mffs::SegmentState state);

struct VolumeFacts {
  std::string name;
  std::uint64_t device_bytes = 0;
  mffs::SpaceMap map;
  std::optional<salvage::ClassSpace> classes{};  // Nothing: it cannot be told, and why.
  std::string classes_problem{};

  std::uint64_t capacity_bytes() const { return std::uint64_t{map.geometry.segment_bytes} * map.segments.size(); }
};

boost::json::object ToJson(const VolumeFacts& facts);

// Writes nothing. Borrows the device. Errors: those of mffs::Volume::Open.
async::Task<base::Result<VolumeFacts>> ReadVolumeFacts(mffs::BlockDevice* device);

struct MffsInfoOptions {
  std::string path;
  std::string svg;  // Where the map is drawn; empty: nowhere.
};

// Returns the exit code.
int MffsInfo(const Invocation& invocation, const MffsInfoOptions& options);

}  // namespace app
