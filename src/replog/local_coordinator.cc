#include "replog/local_coordinator.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/crc32c.h"

namespace replog {
namespace {

constexpr std::string_view kMagic = "PHEPOCH1\n";

// Blocking: on the worker.
base::Result<> WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::ErrnoError("write the epochs", errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

base::Result<> WriteAndSync(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return base::ErrnoError("create " + path, errno);
  base::Result<> result = WriteAll(fd, text);
  if (result.has_value() && ::fsync(fd) != 0) result = base::ErrnoError("sync " + path, errno);
  ::close(fd);
  return result;
}

base::Result<> ReplaceFile(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  RETURN_IF_ERROR(WriteAndSync(fresh, text));
  if (::rename(fresh.c_str(), path.c_str()) != 0) return base::ErrnoError("rename " + fresh, errno);
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return base::ErrnoError("open " + folder, errno);
  const int synced = ::fsync(fd);
  const int sync_errno = errno;
  ::close(fd);
  if (synced != 0) return base::ErrnoError("sync " + folder, sync_errno);
  return {};
}

base::Result<std::string> ReadWholeFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::string();
  if (fd < 0) return base::ErrnoError("open " + path, errno);
  std::string text;
  char piece[4096];
  ssize_t got = 0;
  while ((got = ::read(fd, piece, sizeof piece)) > 0) text.append(piece, static_cast<std::size_t>(got));
  const int read_errno = errno;
  ::close(fd);
  if (got < 0) return base::ErrnoError("read " + path, read_errno);
  return text;
}

// Takes a decimal number and `end` from the front.
template <class T>
bool TakeNumber(std::string_view* text, char end, T* value) {
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), *value);
  if (error != std::errc() || stop == text->data() + text->size() || *stop != end) return false;
  text->remove_prefix(static_cast<std::size_t>(stop - text->data()) + 1);
  return true;
}

}  // namespace

LocalCoordinator::LocalCoordinator(async::Executor executor, async::WorkerPool* worker, std::string path)
    : worker_(worker), path_(std::move(path)), written_(executor) {}

async::Task<base::Result<>> LocalCoordinator::Load() {
  ASSIGN_OR_CO_RETURN(base::Result<std::string> text,
                      co_await worker_->Run([path = path_] { return ReadWholeFile(path); }));
  CO_RETURN_IF_ERROR(text);
  if (text->empty()) co_return base::Result<>();
  base::Result<std::map<PartitionId, Epoch>> epochs = DecodeEpochs(*text);
  if (!epochs.has_value()) {
    co_return base::Error(epochs.error().code(), path_ + " is damaged: " + epochs.error().message() +
                                                     "; move it away, the log knows its epochs too");
  }
  epochs_ = *std::move(epochs);
  co_return base::Result<>();
}

async::Task<base::Result<Epoch>> LocalCoordinator::TakeEpoch(PartitionId partition, Epoch own_log) {
  Epoch& recorded = epochs_[partition];
  recorded = std::max(recorded, own_log).Next();
  const Epoch taken = recorded;
  CO_RETURN_IF_ERROR(co_await MakeDurable(++version_));
  co_return taken;
}

async::Task<base::Result<>> LocalCoordinator::MakeDurable(std::uint64_t version) {
  while (durable_version_ < version) {
    if (writing_) {
      co_await written_.Wait();
      continue;
    }
    writing_ = true;
    const std::uint64_t now = version_;
    const base::Result<base::Result<>> ran =
        co_await worker_->Run([path = path_, text = EncodeEpochs(epochs_)] { return ReplaceFile(path, text); });
    writing_ = false;
    written_.NotifyAll();
    CO_RETURN_IF_ERROR(ran);
    CO_RETURN_IF_ERROR(*ran);
    durable_version_ = std::max(durable_version_, now);
  }
  co_return base::Result<>();
}

std::string EncodeEpochs(const std::map<PartitionId, Epoch>& epochs) {
  std::string text(kMagic);
  for (const auto& [partition, epoch] : epochs) text += fmt::format("{} {}\n", partition.value(), epoch.value());
  const std::uint32_t checksum = base::Crc32c(base::AsBytes(text));
  text += fmt::format("end {}\n", checksum);
  return text;
}

base::Result<std::map<PartitionId, Epoch>> DecodeEpochs(std::string_view text) {
  const auto damaged = [](std::string_view what) { return base::Error(base::Errc::kCorrupt, std::string(what)); };
  if (!text.starts_with(kMagic)) return damaged("it does not begin with PHEPOCH1");
  const std::size_t end = text.rfind("end ");
  if (end == std::string_view::npos) return damaged("its end is missing");
  std::string_view last = text.substr(end + 4);
  std::uint32_t checksum = 0;
  if (!TakeNumber(&last, '\n', &checksum) || !last.empty()) return damaged("its end is missing");
  if (checksum != base::Crc32c(base::AsBytes(text.substr(0, end)))) return damaged("its checksum is wrong");
  std::map<PartitionId, Epoch> epochs;
  std::string_view lines = text.substr(kMagic.size(), end - kMagic.size());
  while (!lines.empty()) {
    std::uint32_t partition = 0;
    std::uint64_t epoch = 0;
    if (!TakeNumber(&lines, ' ', &partition) || !TakeNumber(&lines, '\n', &epoch))
      return damaged("a line cannot be read");
    epochs[PartitionId(partition)] = Epoch(epoch);
  }
  return epochs;
}

}  // namespace replog
