#include "app/services.h"

#include <algorithm>

#include <fmt/format.h>

#include "admin/node_metrics.h"
#include "app/address_sources.h"
#include "app/outgoing_metrics.h"
#include "app/routes.h"
#include "app/version.h"
#include "imap/server/session.h"
#include "pop3/server/session.h"
#include "smtp/server/session.h"

namespace app {
namespace {

store::WhenFull WhenFullOf(const NodeConfig& config);

smtp::Settings SmtpSettings(const NodeConfig& config) {
  smtp::Settings settings;
  settings.hostname = config.HostName();
  settings.auto_create_domains.insert(config.auto_create_accounts.begin(), config.auto_create_accounts.end());
  settings.message_bytes_max = config.message_bytes_max;
  settings.recipients_max = static_cast<std::uint32_t>(config.recipients_max);
  settings.hops_max = static_cast<std::uint32_t>(config.hops_max);
  settings.command_timeout = config.smtp_command_timeout;
  settings.data_timeout = config.smtp_data_timeout;
  settings.line_ends = config.smtp_line_ends == "normalize" ? smtp::LineEnds::kNormalize : smtp::LineEnds::kRefuse;
  settings.normalize_clients.insert(config.smtp_normalize_clients.begin(), config.smtp_normalize_clients.end());
  settings.plaintext_auth_on_loopback = config.plaintext_auth_on_loopback;
  settings.path = config.smtp_path == "queue" ? smtp::Path::kQueue : smtp::Path::kAuto;
  settings.check_sender = config.submission_check_sender;
  settings.check_from = config.submission_check_from;
  settings.takes_unchecked = config.callout_without_answer == "accept";
  settings.submission_rates = {.mails_per_hour = config.submission_mails_per_hour,
                               .recipients_per_hour = config.submission_recipients_per_hour};
  settings.when_full = WhenFullOf(config);
  return settings;
}

store::WhenFull WhenFullOf(const NodeConfig& config) {
  return config.quota_when_full == "reject" ? store::WhenFull::kReject : store::WhenFull::kTempfail;
}

// Who is told of mail that failed and has no sender.
std::string PostmasterOf(const NodeConfig& config) {
  if (!config.postmaster.empty()) return config.postmaster;
  return "postmaster@" + (config.domains.empty() ? config.HostName() : config.domains.front());
}

base::Counter* RefusalCounter(base::MetricsRegistry& registry, std::string_view protocol, std::string_view reason) {
  return &registry.AddCounter("posthorn_store_refusals", "Mails refused because the store could not take them.",
                              fmt::format("protocol=\"{}\",reason=\"{}\"", protocol, reason));
}

smtp::SessionMetrics SmtpMetrics(base::MetricsRegistry& registry) {
  smtp::SessionMetrics metrics;
  const std::string_view accepted = "posthorn_smtp_mails_accepted";
  const std::string_view accepted_help = "Mails answered with 250, by the path they took.";
  metrics.mails_direct = &registry.AddCounter(accepted, accepted_help, "path=\"direct\"");
  metrics.mails_queued = &registry.AddCounter(accepted, accepted_help, "path=\"queue\"");
  metrics.bytes = &registry.AddCounter("posthorn_smtp_bytes", "Bytes of the mails accepted.");
  const std::string_view refused = "posthorn_smtp_mails_refused";
  const std::string_view refused_help = "Mails or recipients refused.";
  metrics.refused_temporary = &registry.AddCounter(refused, refused_help, "kind=\"temporary\"");
  metrics.refused_permanent = &registry.AddCounter(refused, refused_help, "kind=\"permanent\"");
  const auto for_store = [&registry](std::string_view reason) { return RefusalCounter(registry, "smtp", reason); };
  metrics.refused_no_space = for_store("no_space");
  metrics.refused_read_only = for_store("read_only");
  metrics.refused_busy = for_store("busy");
  metrics.refused_over_quota = for_store("over_quota");
  metrics.refused_failed = for_store("failed");
  metrics.commit_seconds =
      &registry.AddHistogram("posthorn_smtp_commit_seconds", "From the last byte of a mail to its 250.",
                             {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5});
  return metrics;
}

async::Task<void> RunSmtp(std::unique_ptr<net::Connection> connection, const smtp::Settings* settings,
                          const smtp::Services* services) {
  smtp::Session session(std::move(connection), settings, services);
  co_await session.Run();
}

void SetSmtpSettings(Node::Parts* parts, const NodeConfig& config) {
  parts->smtp_settings = SmtpSettings(config);
  parts->submission_settings = parts->smtp_settings;
  parts->submission_settings.submission = true;
}

base::Result<> OpenSmtp(Node::Parts* parts) {
  SetSmtpSettings(parts, parts->config);
  parts->reloader.Add("smtp", [parts](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
    return [parts, effective] { SetSmtpSettings(parts, effective); };
  });
  parts->reloader.Add("addresses", [parts](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
    ASSIGN_OR_RETURN(auto addresses, LoadAddresses(effective));
    return [parts, addresses] { parts->smtp_services.addresses = addresses; };
  });
  ASSIGN_OR_RETURN(auto addresses, LoadAddresses(parts->config));
  parts->smtp_services = {.addresses = std::move(addresses),
                          .store = parts->store.get(),
                          .queue = parts->queue.get(),
                          .log = parts->log.get(),
                          .judge = parts->world.judge.get(),
                          .authenticator = parts->authenticator.get(),
                          .submission_limit = &parts->submission_limit,
                          .tls = parts->tls.get(),
                          .clock = parts->world.clock,
                          .random = &parts->random,
                          .metrics = SmtpMetrics(parts->metrics)};
  const auto refusal_line = [](net::Refusal) {
    return std::string("421 4.7.0 Too many connections, try again later\r\n");
  };
  RETURN_IF_ERROR(parts->listeners->Open({.protocol = "smtp",
                                          .addresses = parts->config.smtp_listen,
                                          .session =
                                              [parts](std::unique_ptr<net::Connection> connection) {
                                                return RunSmtp(std::move(connection), &parts->smtp_settings,
                                                               &parts->smtp_services);
                                              },
                                          .refusal_line = refusal_line}));
  return parts->listeners->Open({.protocol = "submission",
                                 .addresses = parts->config.submission_listen,
                                 .session =
                                     [parts](std::unique_ptr<net::Connection> connection) {
                                       return RunSmtp(std::move(connection), &parts->submission_settings,
                                                      &parts->smtp_services);
                                     },
                                 .refusal_line = refusal_line});
}

async::Task<void> RunPop3(std::unique_ptr<net::Connection> connection, Node::Parts* parts) {
  pop3::server::Session session(std::move(connection), &parts->pop3_settings, &parts->pop3_services);
  co_await session.Run();
}

async::Task<void> RunImap(std::unique_ptr<net::Connection> connection, Node::Parts* parts) {
  imap::Session session(std::move(connection), &parts->imap_settings, &parts->imap_services);
  co_await session.Run();
}

// A service with and without TLS from the first byte.
base::Result<> OpenPlainAndTls(Node::Parts* parts, const Service& service, std::vector<std::string> tls_addresses) {
  Service over_tls = service;
  over_tls.protocol += 's';
  over_tls.addresses = std::move(tls_addresses);
  over_tls.implicit_tls = parts->tls.get();
  RETURN_IF_ERROR(parts->listeners->Open(service));
  return parts->listeners->Open(over_tls);
}

base::Counter* LoginCounter(base::MetricsRegistry& registry, std::string_view protocol, std::string_view result) {
  return &registry.AddCounter("posthorn_logins", "Attempts to log in.",
                              fmt::format("protocol=\"{}\",result=\"{}\"", protocol, result));
}

base::Result<> OpenPop3(Node::Parts* parts) {
  ASSIGN_OR_RETURN(parts->pop3_settings.uidl_format, pop3::proto::UidlFormat::Parse(parts->config.pop3_uidl_format));
  parts->pop3_settings.hostname = parts->config.HostName();
  parts->pop3_settings.plaintext_auth_on_loopback = parts->config.plaintext_auth_on_loopback;
  parts->pop3_services.store = parts->store.get();
  parts->pop3_services.authenticator = parts->authenticator.get();
  parts->pop3_services.tls = parts->tls.get();
  parts->pop3_services.locks = &parts->maildrop_locks;
  parts->pop3_services.metrics.logins = LoginCounter(parts->metrics, "pop3", "ok");
  parts->pop3_services.metrics.login_failures = LoginCounter(parts->metrics, "pop3", "wrong");
  return OpenPlainAndTls(
      parts,
      {.protocol = "pop3",
       .addresses = parts->config.pop3_listen,
       .session = [parts](std::unique_ptr<net::Connection> c) { return RunPop3(std::move(c), parts); },
       .refusal_line = [](net::Refusal) { return std::string("-ERR [SYS/TEMP] Too many connections\r\n"); }},
      parts->config.pop3s_listen);
}

base::Result<> OpenImap(Node::Parts* parts) {
  parts->imap_settings.hostname = parts->config.HostName();
  parts->imap_settings.message_bytes_max = parts->config.message_bytes_max;
  parts->imap_settings.plaintext_auth_on_loopback = parts->config.plaintext_auth_on_loopback;
  parts->imap_services.store = parts->store.get();
  parts->imap_services.log = parts->log.get();
  parts->imap_services.authenticator = parts->authenticator.get();
  parts->imap_services.tls = parts->tls.get();
  parts->imap_services.clock = parts->world.clock;
  parts->imap_services.recent = &parts->recent;
  parts->imap_services.metrics.logins = LoginCounter(parts->metrics, "imap", "ok");
  parts->imap_services.metrics.login_failures = LoginCounter(parts->metrics, "imap", "wrong");
  parts->imap_services.metrics.refused_no_space = RefusalCounter(parts->metrics, "imap", "no_space");
  parts->imap_services.metrics.refused_read_only = RefusalCounter(parts->metrics, "imap", "read_only");
  parts->imap_services.metrics.refused_busy = RefusalCounter(parts->metrics, "imap", "busy");
  parts->imap_services.metrics.refused_over_quota = RefusalCounter(parts->metrics, "imap", "over_quota");
  parts->imap_services.metrics.refused_failed = RefusalCounter(parts->metrics, "imap", "failed");
  return OpenPlainAndTls(
      parts,
      {.protocol = "imap",
       .addresses = parts->config.imap_listen,
       .session = [parts](std::unique_ptr<net::Connection> c) { return RunImap(std::move(c), parts); },
       .refusal_line = [](net::Refusal) { return std::string("* BYE Too many connections\r\n"); }},
      parts->config.imaps_listen);
}

// Why mail is not accepted now; nothing when it is.
std::optional<std::string> WhyNotReady(const Node::Parts& parts) {
  const mffs::VolumeStatus status = parts.volume->Status();
  if (status.read_only) return "the volume is read-only: " + status.read_only_reason;
  const auto admitted = parts.log->Admit(mffs::Stream::kTransit, 0);
  if (!admitted) return admitted.error().message();
  if (status.space_level == mffs::SpaceLevel::kNewRefused) {
    return fmt::format("the volume is full: {} of {} bytes are in use, and new mail is refused; remove mail",
                       status.space.live_bytes, status.space.capacity_bytes);
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::uint64_t>> SessionsByProtocol(const Node::Parts& parts) {
  std::vector<std::pair<std::string, std::uint64_t>> sessions;
  for (const auto& [protocol, address] : parts.listeners->addresses()) {
    const bool counted = !sessions.empty() && sessions.back().first == protocol;
    if (!counted) sessions.emplace_back(protocol, parts.listeners->sessions(protocol));
  }
  return sessions;
}

void RegisterReadings(Node::Parts* parts) {
  admin::NodeReadings readings;
  readings.volume = [parts] { return parts->volume->Status(); };
  readings.scrub = [parts] { return parts->volume->Scrub(); };
  readings.log = [parts] { return parts->log->Status(); };
  readings.queue = [parts] { return parts->queue->Status(); };
  readings.full_accounts = [parts] { return parts->store->full_accounts(); };
  readings.history = [parts] { return parts->history->Status(); };
  readings.buffers_used_bytes = [parts] { return parts->buffers->used_bytes(); };
  for (const std::string_view protocol : {"smtp", "submission", "pop3", "pop3s", "imap", "imaps", "http"}) {
    readings.sessions.push_back(
        {std::string(protocol), [parts, protocol] { return std::uint64_t{parts->listeners->sessions(protocol)}; }});
  }
  admin::RegisterNodeMetrics(&parts->metrics, std::move(readings));
}

base::Result<> OpenAdmin(Node::Parts* parts) {
  RegisterReadings(parts);
  parts->queue_pages = std::make_unique<admin::QueuePages>(
      parts->executor(), parts->queue.get(), parts->world.clock,
      admin::QueuePagesOptions{.is_for_loopback_only = parts->config.http_queue_clients != "all",
                               .hostname = parts->config.HostName()});
  parts->pages = std::make_unique<admin::HttpPages>(
      &parts->metrics, [parts] { return WhyNotReady(*parts); }, parts->queue_pages.get());
  parts->http = std::make_unique<admin::HttpServer>(parts->pages.get(), parts->world.clock, admin::HttpServerOptions{});
  RETURN_IF_ERROR(parts->listeners->Open(
      {.protocol = "http",
       .addresses = parts->config.http_listen,
       .session = [parts](std::unique_ptr<net::Connection> c) { return parts->http->Serve(std::move(c)); },
       .refusal_line =
           [](net::Refusal) {
             return std::string("HTTP/1.1 503 Too many connections\r\nConnection: close\r\n\r\n");
           }}));
  parts->commands = std::make_unique<admin::Commands>(
      parts->executor(), admin::NodeParts{.store = parts->store.get(),
                                          .queue = parts->queue.get(),
                                          .volume = parts->volume.get(),
                                          .log = parts->log.get(),
                                          .history = parts->history.get(),
                                          .authenticator = parts->authenticator.get(),
                                          .hashing = &parts->file_worker,
                                          .clock = parts->world.clock,
                                          .version = std::string(Build().version),
                                          .hostname = parts->config.HostName(),
                                          .domains = &parts->config.domains,
                                          .uidl_format = parts->pop3_settings.uidl_format,
                                          .message_bytes_max = parts->config.message_bytes_max,
                                          .recipient_delimiter = parts->config.recipient_delimiter.front(),
                                          .sessions = [parts] { return SessionsByProtocol(*parts); }});
  ASSIGN_OR_RETURN(admin::ControlSocket socket, admin::ControlSocket::Open(parts->config.ControlSocketPath()));
  parts->control = std::make_unique<admin::ControlServer>(parts->executor(), std::move(socket),
                                                          parts->commands->table(), admin::ControlServerOptions{});
  return {};
}

void UseCallouts(Node::Parts* parts, const NodeConfig& config) {
  parts->smtp_services.recipient_check = config.callout_relay_domains ? parts->outgoing->recipient_check() : nullptr;
}

base::Result<> MakeOutgoing(Node::Parts* parts) {
  const NodeConfig& config = parts->config;
  parts->notices =
      std::make_unique<deliver::Notices>(parts->queue.get(), parts->world.clock,
                                         deliver::NoticesOptions{.hostname = config.HostName(),
                                                                 .postmaster = PostmasterOf(config),
                                                                 .delay_notice_after = config.delay_notice_after,
                                                                 .metrics = AddNoticeMetrics(&parts->metrics)});
  ASSIGN_OR_RETURN(parts->outgoing, Outgoing::Make(config, {.executor = parts->executor(),
                                                            .clock = parts->world.clock,
                                                            .metrics = &parts->metrics,
                                                            .queue = parts->queue.get(),
                                                            .notices = parts->notices.get(),
                                                            .table = &parts->next_hops,
                                                            .resolver = std::move(parts->world.resolver)}));
  parts->reloader.Add("routes", [parts](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
    ASSIGN_OR_RETURN(deliver::NextHopTable table, ReadRoutes(effective));
    return [parts, table = std::move(table)] { parts->next_hops = table; };
  });
  UseCallouts(parts, config);
  parts->reloader.Add("callouts", [parts](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
    return [parts, effective] { UseCallouts(parts, effective); };
  });
  return {};
}

std::string_view AddressOf(const Node::Parts& parts, std::string_view protocol, std::string& text) {
  for (const auto& [name, address] : parts.listeners->addresses()) {
    if (name == protocol) return text = fmt::format("{}:{}", address.ip, address.port);
  }
  return {};
}

}  // namespace

store::QuotaRule QuotaRuleOf(const NodeConfig& config) {
  store::QuotaRule rule{.limits = {.bytes = config.quota_bytes, .mails = config.quota_mails}};
  std::ranges::transform(config.quota_warn_at, rule.warn_at.begin(),
                         [](std::uint64_t percent) { return static_cast<std::uint8_t>(percent); });
  return rule;
}

base::Result<> OpenServices(Node::Parts* parts) {
  parts->reloader.Add("quota", [parts](const NodeConfig& effective) -> base::Result<Reloader::Apply> {
    return [parts, effective] {
      parts->store->SetQuotaRule(QuotaRuleOf(effective));
      if (parts->courier) parts->courier->SetWhenFull(WhenFullOf(effective));
    };
  });
  RETURN_IF_ERROR(OpenSmtp(parts));
  RETURN_IF_ERROR(OpenPop3(parts));
  RETURN_IF_ERROR(OpenImap(parts));
  RETURN_IF_ERROR(MakeOutgoing(parts));
  return OpenAdmin(parts);
}

void StartServices(Node::Parts* parts) {
  parts->courier = std::make_unique<deliver::LocalCourier>(
      parts->queue.get(), parts->store.get(), parts->world.clock,
      deliver::LocalCourierOptions{.recipient_delimiter = parts->config.recipient_delimiter.front(),
                                   .postmaster = parts->config.postmaster,
                                   .when_full = WhenFullOf(parts->config)});
  parts->dispatcher = std::make_unique<deliver::Dispatcher>(
      parts->executor(), parts->queue.get(), parts->courier.get(), parts->notices.get(),
      deliver::DispatcherOptions{.workers = static_cast<std::uint32_t>(parts->config.deliver_workers),
                                 .metrics = AddDeliveryMetrics(&parts->metrics, parts->world.clock, "mailbox")});
  parts->dispatcher->Start();
  parts->outgoing->Start();
  parts->control->Start();
  parts->listeners->Start();
}

std::string WelcomeText(const Node::Parts& parts) {
  std::string text = "Posthorn is ready.\n";
  for (const auto& [protocol, address] : parts.listeners->addresses()) {
    text += fmt::format("  {:<12} {}:{}\n", protocol, address.ip, address.port);
  }
  if (parts.config.dev_accounts.empty()) return text;
  const DevAccount& account = parts.config.dev_accounts.front();
  std::string smtp;
  std::string imap;
  if (!AddressOf(parts, "smtp", smtp).empty() && !AddressOf(parts, "imap", imap).empty()) {
    text += fmt::format(
        "Send a mail, then read it back:\n"
        "  printf 'Subject: hello\\r\\n\\r\\nFirst mail.\\r\\n' | curl -sS smtp://{}/ --mail-from you@example.org "
        "--mail-rcpt {} -T -\n"
        "  curl -sS 'imap://{}/INBOX;MAILINDEX=1' -u {}:{}\n",
        smtp, account.address, imap, account.address, account.password);
  }
  return text;
}

}  // namespace app
