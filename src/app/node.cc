#include "app/node.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <sys/stat.h>

#include "app/node_parts.h"
#include "app/routes.h"
#include "app/secret_file.h"
#include "app/services.h"
#include "base/log.h"
#include "mail/address.h"
#include "net/self_signed.h"
#include "replog/stopwatch.h"
#include "salvage/record_meaning.h"

namespace app {
namespace {

// Where the time of a start goes.
struct StartTimes {
  std::chrono::milliseconds volume{};    // Opened, its last writes found.
  std::chrono::milliseconds index{};     // RocksDB opened.
  std::chrono::milliseconds log{};       // Snapshots and entries in the queue and the index.
  std::chrono::milliseconds accounts{};  // Certificate, and accounts of the configuration.
  std::chrono::milliseconds services{};  // Listeners open.
};
void LogStart(const Node::Parts& parts, const StartTimes& times);

// The steps of Start(), in order. Each takes the parts that the ones before it made.
base::Result<> MakeDataFolder(const std::string& path);
base::Result<> OpenWhatRootMay(Node::Parts* parts);
async::Task<base::Result<>> OpenVolume(Node::Parts* parts);
async::Task<base::Result<>> RecoverState(Node::Parts* parts, StartTimes* times);
async::Task<base::Result<>> MakeDevAccounts(Node::Parts* parts);
base::Result<> LoadTls(Node::Parts* parts);
void ReportRecovery(const mffs::RecoveryReport& report);
async::Task<base::Result<>> StopParts(Node::Parts* parts);

}  // namespace

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() = default;

async::Task<base::Result<std::unique_ptr<Node>>> Node::Start(NodeConfig config, NodeWorld world) {
  auto parts = std::make_unique<Parts>(std::move(config), std::move(world));
  StartTimes times;
  replog::Stopwatch watch;
  base::Result<> started = OpenWhatRootMay(parts.get());
  if (started) started = co_await OpenVolume(parts.get());
  times.volume = watch.Lap();
  if (started) started = co_await RecoverState(parts.get(), &times);
  watch.Lap();
  if (started) started = LoadTls(parts.get());
  if (started) started = co_await MakeDevAccounts(parts.get());
  times.accounts = watch.Lap();
  if (started) started = OpenServices(parts.get());
  times.services = watch.Lap();
  if (!started) {
    base::Ignore(co_await StopParts(parts.get()));  // The first error is the one to tell.
    co_return std::move(started).error();
  }
  StartServices(parts.get());
  LogStart(*parts, times);
  co_return std::unique_ptr<Node>(new Node(std::move(parts)));
}

async::Task<base::Result<>> Node::Reload(NodeConfig next) {
  ConfigChanges changes = CompareConfigs(parts_->config, next);
  CO_RETURN_IF_ERROR(co_await parts_->reloader.Run(changes.effective));
  parts_->config = std::move(changes.effective);
  base::LogInfo("reloaded", {{"changed", fmt::format("{}", fmt::join(changes.applied, ","))}});
  for (const std::string_view key : changes.need_restart) {
    base::LogWarning("reload_needs_restart",
                     {{"key", key}, {"do", "restart the node; until then the old value holds"}});
  }
  co_return base::Result<>();
}

async::Task<base::Result<>> Node::Stop() {
  return StopParts(parts_.get());
}

const Listeners& Node::listeners() const {
  return *parts_->listeners;
}

std::string Node::Welcome() const {
  return WelcomeText(*parts_);
}

namespace {

// A folder that is made lets the group in, to the control socket; the files in it are the node's alone (umask).
base::Result<> MakeDataFolder(const std::string& path) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(path, error);
  if (error) return base::ErrnoError("make the folder " + path, error.value());
  if (is_new && ::chmod(path.c_str(), 0750) != 0) return base::ErrnoError("set the mode of " + path, errno);
  return {};
}

// What may need root's rights, and then their end: what comes later belongs to the user that the node runs as.
base::Result<> OpenWhatRootMay(Node::Parts* parts) {
  RETURN_IF_ERROR(MakeDataFolder(parts->config.data_folder));
  parts->listeners = std::make_unique<Listeners>(parts->executor(), parts->world.clock, parts->config);
  RETURN_IF_ERROR(parts->listeners->Bind(parts->config));
  if (parts->world.device == nullptr) {
    ASSIGN_OR_RETURN(parts->volume_file, OpenVolumeFile(parts->executor(), parts->config));
  }
  // Before the first read or write: the kernel keeps the threads that it makes for io_uring, with the rights of then.
  if (parts->world.on_opened) RETURN_IF_ERROR(parts->world.on_opened(parts->volume_file.path));
  return {};
}

async::Task<base::Result<>> OpenVolume(Node::Parts* parts) {
  const bool has_file = parts->world.device == nullptr;
  mffs::VolumeOptions options = parts->world.volume_options;
  if (has_file) {
    CO_RETURN_IF_ERROR(co_await FormatIfNew(&parts->volume_file, &parts->config));
    parts->world.device = std::move(parts->volume_file.device);
    options = WithClaims(&parts->volume_file, std::move(options));
  }
  options.progress = [parts](const mffs::Progress& progress) { parts->progress.Tell(progress); };
  options.scrub_within = std::chrono::days(parts->config.volume_scrub_days);
  options.describe_record = [](const mffs::RecordKey& key, std::string_view head) {
    return salvage::MeaningOf(key, head, {});
  };
  mffs::BlockDevice* const device = parts->world.device.get();
  auto volume = co_await mffs::Volume::Open(device, parts->world.clock, std::move(options));
  if (!volume) co_return std::move(volume).error().In("open the volume " + device->name());
  parts->volume = *std::move(volume);
  if (has_file) StartZeroing(&parts->volume_file, parts->volume.get());
  ReportRecovery(parts->volume->recovery());
  co_return base::Result<>();
}

void ReportRecovery(const mffs::RecoveryReport& report) {
  base::LogInfo("volume_open", {{"blocks_scanned", report.blocks_scanned},
                                {"records", report.records_found},
                                {"torn_tail", report.torn_tail ? "yes" : "no"},
                                {"ambiguous_tail", report.ambiguous_tail ? "yes" : "no"},
                                {"corruptions", report.corruptions.size()},
                                {"ms", report.took.count()}});
  for (const std::string& corruption : report.corruptions) {
    base::LogError("volume_corrupt", {{"what", corruption}, {"do", "run `posthorn mffs check` on the stopped node"}});
  }
}

void LogStart(const Node::Parts& parts, const StartTimes& times) {
  const replog::RecoverTimes& log = parts.log->recover_times();
  const auto total = times.volume + times.index + times.log + times.accounts + times.services;
  base::LogInfo("start", {{"total_ms", total.count()},
                          {"volume_ms", times.volume.count()},
                          {"index_ms", times.index.count()},
                          {"log_ms", times.log.count()},
                          {"scan_ms", log.scan.count()},
                          {"snapshots_ms", log.snapshots.count()},
                          {"replay_ms", log.replay.count()},
                          {"lead_ms", log.lead.count()},
                          {"apply_ms", log.apply.count()},
                          {"accounts_ms", times.accounts.count()},
                          {"services_ms", times.services.count()},
                          {"entries_replayed", parts.log->Status().replayed_entries}});
}

queue::MailQueueOptions QueueOptions(const NodeConfig& config) {
  queue::MailQueueOptions options;
  options.retry = {
      .delay_min = config.retry_min, .delay_max = config.retry_max, .give_up_after = config.queue_lifetime};
  options.delay_told_after = config.delay_notice_after;
  options.lane_of = [](const std::string& destination) {
    return deliver::IsRemoteDestination(destination) ? queue::Lane::kRemote : queue::Lane::kLocal;
  };
  return options;
}

history::HistoryOptions HistoryOptionsOf(const NodeConfig& config) {
  history::HistoryOptions options;
  options.keeping.keep = std::chrono::days(config.history_keep_days);
  options.keeping.space_max = config.history_bytes_max;
  return options;
}

async::Task<base::Result<>> RecoverState(Node::Parts* parts, StartTimes* times) {
  replog::Stopwatch watch;
  const NodeConfig& config = parts->config;
  parts->buffers = std::make_unique<mffs::BufferPool>(parts->executor(),
                                                      mffs::BufferPool::Options{.budget_bytes = config.buffer_bytes});
  parts->coordinator = std::make_unique<replog::LocalCoordinator>(parts->executor(), &parts->file_worker,
                                                                  config.data_folder + "/epochs");
  CO_RETURN_IF_ERROR(co_await parts->coordinator->Load());
  parts->history = std::make_unique<history::History>(parts->executor(), parts->volume.get(), parts->world.clock,
                                                      &parts->file_worker, HistoryOptionsOf(config));
  replog::LogOptions log_options;
  log_options.guest = parts->history.get();
  log_options.progress = [parts](const mffs::Progress& progress) { parts->progress.Tell(progress); };
  parts->log = std::make_unique<replog::Log>(parts->executor(), parts->volume.get(), parts->buffers.get(),
                                             parts->coordinator.get(), std::move(log_options));
  store::MailStoreOptions store_options;
  store_options.index_folder = config.data_folder + "/index";
  store_options.index_memory_bytes = config.index_bytes;
  store_options.quota = QuotaRuleOf(config);
  ASSIGN_OR_CO_RETURN(parts->store, store::MailStore::Open(parts->executor(), parts->log.get(), parts->world.clock,
                                                           std::move(store_options)));
  ASSIGN_OR_CO_RETURN(parts->next_hops, ReadRoutes(config));
  parts->queue = std::make_unique<queue::MailQueue>(
      parts->executor(), parts->log.get(), parts->world.clock,
      [table = &parts->next_hops](const std::string& recipient) { return table->DestinationOf(recipient); },
      QueueOptions(config));
  parts->mailbox_watch = std::make_unique<history::MailboxWatch>(parts->store.get(), parts->history.get());
  parts->queue_watch = std::make_unique<history::QueueWatch>(parts->queue.get(), parts->history.get());
  times->index = watch.Lap();
  CO_RETURN_IF_ERROR(co_await parts->log->Recover(parts->mailbox_watch.get(), parts->queue_watch.get()));
  parts->history->Start();
  times->log = watch.Lap();
  // Reading the log takes more than is kept of it, in small pieces, which the allocator would hold on to.
  ::malloc_trim(0);
  parts->log_runs = true;
  parts->directory = std::make_unique<StoreDirectory>(parts->world.shard, parts->store.get());
  auth::AuthenticatorOptions auth_options;
  auth_options.hashing_threads = static_cast<std::uint32_t>(config.hashing_threads);
  auth_options.cache_ttl = config.auth_cache_ttl;
  if (config.auth_scram == "on") auth_options.scram = auth::ScramOffer::kOn;
  if (config.auth_scram == "off") auth_options.scram = auth::ScramOffer::kOff;
  auth_options.scram_upgrade = config.auth_scram_upgrade;
  ASSIGN_OR_CO_RETURN(auth_options.scram_secret, EnsureSecretFile(config.data_folder + "/scram.secret"));
  parts->authenticator =
      std::make_unique<auth::Authenticator>(parts->directory.get(), parts->world.clock, auth_options);
  co_return base::Result<>();
}

base::Result<std::unique_ptr<net::TlsContext>> ReadCertificate(const NodeConfig& config) {
  net::TlsFiles files{config.tls_certificate, config.tls_key};
  if (files.certificate.empty()) {
    ASSIGN_OR_RETURN(files, net::EnsureSelfSigned(config.data_folder, config.HostName()));
  }
  return net::TlsContext::Load(files);
}

base::Result<> LoadTls(Node::Parts* parts) {
  ASSIGN_OR_RETURN(parts->tls, ReadCertificate(parts->config));
  parts->reloader.Add("certificate", [parts](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
    ASSIGN_OR_RETURN(std::unique_ptr<net::TlsContext> read, ReadCertificate(effective));
    // Shared by the copies of the function that takes it over.
    return [parts, next = std::shared_ptr<net::TlsContext>(std::move(read))] { parts->tls->Adopt(next.get()); };
  });
  return {};
}

async::Task<base::Result<>> MakeDevAccounts(Node::Parts* parts) {
  for (const DevAccount& account : parts->config.dev_accounts) {
    auto address = mail::Address::Parse(account.address, {.utf8 = true});
    if (!address) co_return std::move(address).error().In("[[account]] " + account.address);
    const std::string key = address->CanonicalKey();
    auto found = co_await parts->store->FindAccount(key);
    if (found) continue;
    if (found.error().code() != base::Errc::kNotFound) co_return std::move(found).error();
    auto made =
        co_await parts->file_worker.Run([authenticator = parts->authenticator.get(), password = account.password] {
          return authenticator->MakeCredentials(password);
        });
    CO_RETURN_IF_ERROR(made);
    CO_RETURN_IF_ERROR(*made);
    auto created = co_await parts->store->CreateAccount(
        key, {.password_hash = std::move((*made)->password_hash), .scram_keys = std::move((*made)->scram_keys)});
    CO_RETURN_IF_ERROR(created);
    base::LogInfo("account_created", {{"account", key}});
  }
  co_return base::Result<>();
}

// From the outside in: no new work, then the log, then the volume.
async::Task<base::Result<>> StopParts(Node::Parts* parts) {
  if (parts->listeners) co_await parts->listeners->Stop();
  if (parts->control) co_await parts->control->Stop();
  if (parts->commands) co_await parts->commands->Stop();
  if (parts->dispatcher) co_await parts->dispatcher->Stop();
  if (parts->outgoing) co_await parts->outgoing->Stop();
  if (parts->log_runs) co_await parts->store->Stop();
  if (parts->log_runs) co_await parts->log->Stop();
  if (parts->log_runs) co_await parts->history->Stop();
  base::Result<> closed;
  if (parts->volume) closed = co_await parts->volume->Close();
  co_return closed;
}

}  // namespace
}  // namespace app
