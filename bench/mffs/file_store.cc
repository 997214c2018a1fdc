#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peers.h"

namespace bench {
namespace {

class FileStore final : public BlockingStore {
 public:
  FileStore() = default;
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;
  ~FileStore() override {
    for (const int directory : directories_) close(directory);
  }

  base::Result<> AddDirectory(const std::string& path) {
    if (mkdir(path.c_str(), 0700) != 0) return base::ErrnoError("make the folder " + path, errno);
    const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return base::ErrnoError("open the folder " + path, errno);
    directories_.push_back(directory);
    return {};
  }

  base::Result<> Store(std::uint32_t writer, std::uint64_t number, std::string_view mail) override {
    const int directory = directories_[writer % directories_.size()];
    const std::string name = fmt::format("{}.{}", writer, number);
    const std::string unfinished = name + ".tmp";
    RETURN_IF_ERROR(WriteFile(directory, unfinished, mail));
    if (renameat(directory, unfinished.c_str(), directory, name.c_str()) != 0) {
      return base::ErrnoError("rename a mail's file", errno);
    }
    if (fsync(directory) != 0) return base::ErrnoError("sync a folder", errno);
    return {};
  }

 private:
  static base::Result<> WriteFile(int directory, const std::string& name, std::string_view mail) {
    const int file = openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return base::ErrnoError("make a mail's file", errno);
    const bool is_written =
        write(file, mail.data(), mail.size()) == static_cast<ssize_t>(mail.size()) && fsync(file) == 0;
    const int write_errno = errno;
    close(file);
    if (!is_written) return base::ErrnoError("write and sync a mail's file", write_errno);
    return {};
  }

  std::vector<int> directories_;
};

}  // namespace

base::Result<std::unique_ptr<BlockingStore>> OpenFileStore(const std::string& folder, std::uint32_t directories) {
  auto store = std::make_unique<FileStore>();
  for (std::uint32_t i = 0; i < directories; ++i) RETURN_IF_ERROR(store->AddDirectory(fmt::format("{}/{}", folder, i)));
  return store;
}

}  // namespace bench
