#include "app/services.h"

#include <fmt/format.h>

#include "smtp/server/session.h"

namespace app {
namespace {

smtp::Settings SmtpSettings(const NodeConfig& config) {
  smtp::Settings settings;
  settings.hostname = config.HostName();
  settings.domains.insert(config.domains.begin(), config.domains.end());
  settings.auto_create_domains.insert(config.auto_create_accounts.begin(), config.auto_create_accounts.end());
  settings.postmaster = config.postmaster;
  settings.recipient_delimiter = config.recipient_delimiter.front();
  settings.message_bytes_max = config.message_bytes_max;
  settings.recipients_max = static_cast<std::uint32_t>(config.recipients_max);
  settings.hops_max = static_cast<std::uint32_t>(config.hops_max);
  settings.command_timeout = config.smtp_command_timeout;
  settings.data_timeout = config.smtp_data_timeout;
  settings.line_ends = config.smtp_line_ends == "normalize" ? smtp::LineEnds::kNormalize : smtp::LineEnds::kRefuse;
  settings.normalize_clients.insert(config.smtp_normalize_clients.begin(), config.smtp_normalize_clients.end());
  settings.plaintext_auth_on_loopback = config.plaintext_auth_on_loopback;
  settings.path = config.smtp_path == "queue" ? smtp::Path::kQueue : smtp::Path::kAuto;
  return settings;
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

base::Result<> OpenSmtp(Node::Parts* parts) {
  parts->smtp_settings = SmtpSettings(parts->config);
  parts->submission_settings = parts->smtp_settings;
  parts->submission_settings.submission = true;
  parts->smtp_services = {.store = parts->store.get(),
                          .queue = parts->queue.get(),
                          .log = parts->log.get(),
                          .authenticator = parts->authenticator.get(),
                          .tls = parts->tls.get(),
                          .clock = parts->world.clock,
                          .random = &parts->random,
                          .metrics = SmtpMetrics(parts->metrics)};
  const auto refusal_line = [](net::Refusal) { return std::string("421 4.7.0 Too many connections, try again later\r\n"); };
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

std::string_view AddressOf(const Node::Parts& parts, std::string_view protocol, std::string& text) {
  for (const auto& [name, address] : parts.listeners->addresses()) {
    if (name == protocol) return text = fmt::format("{}:{}", address.ip, address.port);
  }
  return {};
}

}  // namespace

base::Result<> OpenServices(Node::Parts* parts) {
  parts->listeners = std::make_unique<Listeners>(parts->executor(), parts->world.clock, parts->config);
  RETURN_IF_ERROR(OpenSmtp(parts));
  return {};
}

void StartServices(Node::Parts* parts) { parts->listeners->Start(); }

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
        "  printf 'Subject: hello\\r\\n\\r\\nFirst mail.\\r\\n' | curl -sS smtp://{}/ --mail-from you@example.org --mail-rcpt {} -T -\n"
        "  curl -sS 'imap://{}/INBOX;MAILINDEX=1' -u {}:{}\n",
        smtp, account.address, imap, account.address, account.password);
  }
  return text;
}

}  // namespace app
