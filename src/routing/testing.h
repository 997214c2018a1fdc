// For tests of what works with an AddressBook: files in a folder of their own.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <stdlib.h>

#include "base/check.h"

namespace routing {

// Removed with all that is in it at the end.
class TableFolder {
 public:
  TableFolder() {
    std::string name = std::filesystem::temp_directory_path() / "posthorn_tables_XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~TableFolder() { std::filesystem::remove_all(folder_); }
  TableFolder(const TableFolder&) = delete;
  TableFolder& operator=(const TableFolder&) = delete;

  std::string Path(std::string_view name) const { return folder_ / name; }
  // The path of a file with this text.
  std::string Write(std::string_view name, std::string_view text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
    return Path(name);
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace routing
