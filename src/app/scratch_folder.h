// ScratchFolder: a folder for a command's temporary files.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include "base/random.h"

namespace app {

// Names a new folder below `parent` (empty: $TMPDIR or /tmp), which whoever uses it makes; it goes with the object.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& parent) {
    std::error_code unset;
    std::filesystem::path base(parent);
    if (parent.empty()) base = std::filesystem::temp_directory_path(unset);
    if (base.empty()) base = "/tmp";
    path_ = (base / ("posthorn-check-" + base::RandomHex(8))).string();
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace app
