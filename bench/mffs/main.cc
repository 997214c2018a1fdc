// mffs_load: durable mails by W writers into MFFS or a peer of it, one run; a line of JSON is its answer.
// bench/mffs.py runs it. Everything is kept below --folder, which is on the file system to be measured.
#include <cstdio>
#include <fstream>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "mffs_run.h"
#include "peers.h"

namespace {

struct Arguments {
  std::string engine = "mffs";
  std::string work = "append";
  std::string size = "4096";
  std::string folder;
  std::string volume;
  std::uint64_t volume_bytes = std::uint64_t{8} << 30;
  std::uint64_t backlog_bytes = std::uint64_t{256} << 20;
  std::uint32_t writers = 64;
  std::uint32_t directories = 1;
  double seconds = 1.5;
  double warm_up = 0.3;
  bool no_gathering = false;
  bool no_prefetching = false;
  bench::DeviceLimits limits;
  bench::ChurnPlan churn;
};

// Writes and bytes written of the disk below `folder`, by everybody on this machine; zeroes where it does not tell.
struct DiskWrites {
  std::uint64_t writes = 0;
  std::uint64_t bytes = 0;
};
DiskWrites WritesOfDisk(const std::string& folder) {
  struct stat status{};
  DiskWrites disk;
  if (stat(folder.c_str(), &status) != 0) return disk;
  std::ifstream file(fmt::format("/sys/dev/block/{}:{}/stat", major(status.st_dev), minor(status.st_dev)));
  std::uint64_t ignored = 0;
  std::uint64_t sectors = 0;
  file >> ignored >> ignored >> ignored >> ignored >> disk.writes >> ignored >> sectors;
  disk.bytes = sectors * 512;
  return disk;
}

base::Result<bench::Outcome> RunPeer(const Arguments& arguments, const bench::LoadPlan& plan) {
  base::Result<std::unique_ptr<bench::BlockingStore>> store = base::Error(base::Errc::kInvalid, "no such engine");
  if (arguments.engine == "file") store = bench::OpenFileStore(arguments.folder, arguments.directories);
  if (arguments.engine == "rocksdb") store = bench::OpenRocksStore(arguments.folder);
  if (arguments.engine == "sqlite") store = bench::OpenSqliteStore(arguments.folder);
  if (!store) return std::move(store).error();
  return bench::RunThreads(plan, store->get());
}

base::Result<bench::Outcome> RunMffs(const Arguments& arguments, const bench::LoadPlan& plan) {
  const bench::MffsPlan mffs{.load = plan,
                             .path = arguments.volume,
                             .gathering = !arguments.no_gathering,
                             .prefetching = !arguments.no_prefetching,
                             .limits = arguments.limits};
  if (arguments.work == "drain") return bench::RunFillAndDrain(mffs, arguments.backlog_bytes);
  if (arguments.work == "read") return bench::RunReads(mffs);
  if (arguments.work == "churn") return bench::RunChurn(mffs, arguments.churn);
  return bench::RunAppends(mffs);
}

void Print(const bench::Outcome& outcome, const DiskWrites& before, const DiskWrites& after) {
  const bench::Tally& tally = outcome.tally;
  fmt::print(
      R"({{"seconds": {:.3f}, "mails": {}, "acknowledged": {}, "mails_per_second": {:.1f}, "bytes_per_second": {:.0f}, )"
      R"("p50_us": {:.1f}, "p99_us": {:.1f}, "p999_us": {:.1f}, "disk_writes": {}, "disk_bytes": {}{}}})"
      "\n",
      outcome.seconds, tally.mails, tally.acknowledged, static_cast<double>(tally.mails) / outcome.seconds,
      static_cast<double>(tally.bytes) / outcome.seconds, tally.waits.Microseconds(.5), tally.waits.Microseconds(.99),
      tally.waits.Microseconds(.999), after.writes - before.writes, after.bytes - before.bytes, outcome.more);
}

base::Result<> Run(const Arguments& arguments) {
  if (arguments.work == "prepare") return bench::PrepareVolumeFile(arguments.volume, arguments.volume_bytes);
  ASSIGN_OR_RETURN(const bench::MailSizes sizes, bench::MailSizes::Parse(arguments.size));
  const std::string bytes = bench::MailSource::MakeBytes(sizes);
  const bench::LoadPlan plan{.writers = arguments.writers,
                             .sizes = sizes,
                             .bytes = bytes,
                             .warm_up = std::chrono::duration<double>(arguments.warm_up),
                             .seconds = std::chrono::duration<double>(arguments.seconds)};
  const bool is_mffs = arguments.engine == "mffs";
  const std::string& measured = is_mffs ? arguments.volume : arguments.folder;
  const DiskWrites before = WritesOfDisk(measured);
  ASSIGN_OR_RETURN(const bench::Outcome outcome, is_mffs ? RunMffs(arguments, plan) : RunPeer(arguments, plan));
  Print(outcome, before, WritesOfDisk(measured));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Durable mails by many writers into MFFS or a peer of it; one line of JSON.");
  app.add_option("--engine", arguments.engine)->check(CLI::IsMember({"mffs", "file", "rocksdb", "sqlite"}));
  app.add_option("--work", arguments.work, "mffs: append, drain, read, churn, or prepare the volume's file")
      ->check(CLI::IsMember({"append", "drain", "read", "churn", "prepare"}));
  app.add_option("--size", arguments.size, "bytes, specmail or power2");
  app.add_option("--folder", arguments.folder, "of the peers: exists and is empty");
  app.add_option("--volume", arguments.volume, "the volume's file; formatted anew");
  app.add_option("--volume-bytes", arguments.volume_bytes, "of the file to be prepared");
  app.add_option("--backlog-bytes", arguments.backlog_bytes, "drain: how far the queue fills");
  app.add_option("--writers", arguments.writers)->check(CLI::Range(1, 4096));
  app.add_option("--directories", arguments.directories, "file: the writers share so many")->check(CLI::Range(1, 4096));
  app.add_option("--seconds", arguments.seconds)->check(CLI::Range(0.1, 3600.0));
  app.add_option("--warm-up", arguments.warm_up)->check(CLI::Range(0.0, 60.0));
  const std::map<std::string, bench::Lives> lives{{"uniform", bench::Lives::kUniform},
                                                  {"skewed", bench::Lives::kSkewed},
                                                  {"skewed-unknown", bench::Lives::kSkewedUnknown},
                                                  {"parked", bench::Lives::kParked}};
  app.add_option("--lives", arguments.churn.lives, "churn: uniform, skewed, skewed-unknown, parked")
      ->transform(CLI::CheckedTransformer(lives));
  app.add_option("--fill", arguments.churn.fill, "churn: of the volume is live")->check(CLI::Range(0.01, 0.9));
  app.add_option("--volumes", arguments.churn.volumes_written, "churn: measured over so many times the capacity");
  app.add_option("--segment-bytes", arguments.churn.segment_bytes, "churn: of the volume");
  app.add_flag("!--no-streams", arguments.churn.streams);
  app.add_flag("--no-gathering", arguments.no_gathering);
  app.add_flag("--no-prefetching", arguments.no_prefetching);
  app.add_option("--limit-operations", arguments.limits.operations_per_second, "a second, of the volume's device");
  app.add_option("--limit-bytes", arguments.limits.bytes_per_second, "the same");
  CLI11_PARSE(app, argc, argv);
  base::SetLogSink([](std::string_view) {});  // The answer stands alone.
  const auto result = Run(arguments);
  if (result) return 0;
  std::fprintf(stderr, "mffs_load: %s\n", result.error().message().c_str());
  return 1;
}
