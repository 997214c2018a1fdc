#include "app/config.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "mail/address.h"
#include "store/quota.h"

namespace app {
namespace {

base::Error Bad(std::string_view key, std::string_view problem) {
  return base::Error(base::Errc::kInvalid, fmt::format("configuration key {}: {}", key, problem));
}

// Stores the value of one key through its member pointer.
struct Reader {
  NodeConfig& config;
  const ConfigKey& key;
  const toml::node& node;

  base::Result<> operator()(bool NodeConfig::* member) const {
    const auto value = node.value_exact<bool>();
    if (!value) return Bad(key.name, "must be true or false");
    config.*member = *value;
    return {};
  }
  base::Result<> operator()(std::string NodeConfig::* member) const {
    const auto value = node.value_exact<std::string>();
    if (!value) return Bad(key.name, "must be a text in quotes");
    config.*member = *value;
    return {};
  }
  base::Result<> operator()(std::uint64_t NodeConfig::* member) const {
    if (const auto text = node.value_exact<std::string>(); text && key.unit == ConfigKey::Unit::kBytes) {
      auto bytes = ParseBytes(*text);
      if (!bytes) return Bad(key.name, bytes.error().message());
      config.*member = *bytes;
      return {};
    }
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < 0) {
      return Bad(key.name,
                 key.unit == ConfigKey::Unit::kBytes ? "must be a size such as \"64MiB\"" : "must be a whole number");
    }
    config.*member = static_cast<std::uint64_t>(*value);
    return {};
  }
  base::Result<> operator()(std::chrono::seconds NodeConfig::* member) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value <= 0) return Bad(key.name, "must be a whole number of seconds, at least 1");
    config.*member = std::chrono::seconds(*value);
    return {};
  }
  base::Result<> operator()(std::vector<std::string> NodeConfig::* member) const {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return Bad(key.name, "must be a list of texts: [\"a\", \"b\"]");
    std::vector<std::string> values;
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<std::string>();
      if (!value) return Bad(key.name, "must be a list of texts: [\"a\", \"b\"]");
      values.push_back(*value);
    }
    config.*member = std::move(values);
    return {};
  }
  base::Result<> operator()(std::vector<std::uint64_t> NodeConfig::* member) const {
    const toml::array* const array = node.as_array();
    if (array == nullptr) return Bad(key.name, "must be a list of whole numbers: [1, 2]");
    std::vector<std::uint64_t> values;
    for (const toml::node& element : *array) {
      const auto value = element.value_exact<std::int64_t>();
      if (!value || *value < 0) return Bad(key.name, "must be a list of whole numbers: [1, 2]");
      values.push_back(static_cast<std::uint64_t>(*value));
    }
    config.*member = std::move(values);
    return {};
  }
};

// Reads [[account]] tables.
base::Result<> ReadAccounts(const toml::node& node, NodeConfig& config) {
  const toml::array* const array = node.as_array();
  if (array == nullptr) return Bad("account", "must be written as [[account]] with address and password");
  for (const toml::node& element : *array) {
    const toml::table* const table = element.as_table();
    const auto address = table != nullptr ? (*table)["address"].value_exact<std::string>() : std::nullopt;
    const auto password = table != nullptr ? (*table)["password"].value_exact<std::string>() : std::nullopt;
    if (!address || !password || table->size() != 2)
      return Bad("account", "needs address and password, and nothing else");
    config.dev_accounts.push_back({*address, *password});
  }
  return {};
}

// Reads [[next_hop]] tables.
base::Result<> ReadNextHops(const toml::node& node, NodeConfig& config) {
  constexpr std::pair<std::string_view, std::string NextHopConfig::*> kFields[] = {
      {"hop", &NextHopConfig::hop},           {"tls", &NextHopConfig::tls},
      {"ca_file", &NextHopConfig::ca_file},   {"username", &NextHopConfig::username},
      {"password", &NextHopConfig::password},
  };
  const toml::array* const array = node.as_array();
  if (array == nullptr) return Bad("next_hop", "must be written as [[next_hop]] with hop");
  for (const toml::node& element : *array) {
    const toml::table* const table = element.as_table();
    if (table == nullptr) return Bad("next_hop", "must be written as [[next_hop]] with hop");
    NextHopConfig hop;
    for (const auto& [name, value] : *table) {
      const auto* field =
          std::ranges::find(kFields, name.str(), &std::pair<std::string_view, std::string NextHopConfig::*>::first);
      const auto text = value.value_exact<std::string>();
      if (field == std::end(kFields) || !text) {
        return Bad("next_hop", "has hop, tls, ca_file, username and password, each a text in quotes");
      }
      hop.*field->second = *text;
    }
    if (hop.hop.empty()) return Bad("next_hop", "needs hop, such as \"smtp:relay.example.org:587\"");
    config.next_hops.push_back(std::move(hop));
  }
  return {};
}

// What is wrong with one file, with the line of each key that it has.
class Findings {
 public:
  Findings(std::string_view name, routing::Problems* problems) : name_(name), problems_(*problems) {}

  void SawKey(const std::string& path, std::uint32_t line) { lines_[path] = line; }
  // A problem with the key, or with one below it.
  void Add(std::string_view path, const base::Result<>& result) {
    if (result) return;
    const auto line = lines_.find(path);
    problems_.Add(name_, line == lines_.end() ? 0 : line->second, result.error().message());
  }

 private:
  std::string name_;
  routing::Problems& problems_;
  std::map<std::string, std::uint32_t, std::less<>> lines_;
};

void ReadTable(const toml::table& table, const std::string& prefix, NodeConfig& config, Findings& findings) {
  for (const auto& [name, node] : table) {
    const std::string path = prefix + std::string(name.str());
    const auto& keys = ConfigKeys();
    const auto key = std::ranges::find(keys, path, &ConfigKey::name);
    findings.SawKey(path, name.source().begin.line);
    if (path == "account") {
      findings.Add(path, ReadAccounts(node, config));
    } else if (path == "next_hop") {
      findings.Add(path, ReadNextHops(node, config));
    } else if (key != keys.end()) {
      findings.Add(path, std::visit(Reader{config, *key, node}, key->member));
    } else if (node.is_table()) {
      ReadTable(*node.as_table(), path + ".", config, findings);
    } else {
      findings.Add(path, Bad(path, "there is no such key; docs/configuration.md lists all"));
    }
  }
}

base::Result<> OneOf(std::string_view key, const std::string& value, std::initializer_list<std::string_view> allowed) {
  if (std::ranges::find(allowed, value) != allowed.end()) return {};
  return Bad(key, fmt::format("\"{}\" is not one of {}", value, fmt::join(allowed, ", ")));
}

base::Result<> CanonicalizeDomains(std::string_view key, std::vector<std::string>& domains) {
  for (std::string& domain : domains) {
    auto canonical = mail::CanonicalDomain(domain, {.utf8 = true});
    if (!canonical) return Bad(key, fmt::format("\"{}\": {}", domain, canonical.error().message()));
    domain = *std::move(canonical);
  }
  return {};
}

base::Result<> CheckDevOnly(const NodeConfig& config) {
  if (config.dev) return {};
  if (!config.auto_create_accounts.empty()) return Bad("mail.auto_create_accounts", "is refused unless dev = true");
  if (!config.dev_accounts.empty()) return Bad("account", "is refused unless dev = true; use `posthorn user add`");
  return {};
}

base::Result<> CheckAutoCreate(const NodeConfig& config) {
  for (const std::string& domain : config.auto_create_accounts) {
    if (std::ranges::find(config.domains, domain) != config.domains.end()) continue;
    return Bad("mail.auto_create_accounts", fmt::format("\"{}\" is not in mail.domains", domain));
  }
  return {};
}

base::Result<> CheckUidlFormat(const NodeConfig& config) {
  const auto format = pop3::proto::UidlFormat::Parse(config.pop3_uidl_format);
  if (!format) return Bad("pop3.uidl_format", format.error().message());
  if (format->has_uid_validity()) return {};
  return Bad("pop3.uidl_format", "must have %v: without the UIDVALIDITY clients take new mail for old");
}

base::Result<> CanonicalizePostmaster(NodeConfig& config) {
  if (config.postmaster.empty()) return {};
  const auto address = mail::Address::Parse(config.postmaster, {.utf8 = true});
  if (!address) return Bad("mail.postmaster", address.error().message());
  config.postmaster = address->CanonicalKey();
  return {};
}

base::Result<> CheckWarnAt(NodeConfig& config) {
  std::vector<std::uint64_t>& percents = config.quota_warn_at;
  std::ranges::sort(percents);
  const auto repeated = std::ranges::unique(percents);
  percents.erase(repeated.begin(), repeated.end());
  const bool is_good =
      percents.size() <= store::kWarnAtMax && (percents.empty() || (percents.front() > 0 && percents.back() <= 100));
  if (is_good) return {};
  return Bad("quota.warn_at", fmt::format("takes at most {} percentages from 1 to 100", store::kWarnAtMax));
}

// What no single key shows.
void Check(NodeConfig& config, Findings& findings) {
  const auto check = [&](std::string_view key, const base::Result<>& result) { findings.Add(key, result); };
  const auto must = [&](bool holds, std::string_view key, std::string_view what) {
    if (!holds) findings.Add(key, Bad(key, what));
  };
  check("log.level", OneOf("log.level", config.log_level, {"debug", "info", "warning", "error"}));
  check("volume.io", OneOf("volume.io", config.volume_io, {"auto", "io_uring", "threads"}));
  check("volume.zero_fill", OneOf("volume.zero_fill", config.volume_zero_fill, {"auto", "write"}));
  check("smtp.bare_line_ends", OneOf("smtp.bare_line_ends", config.smtp_line_ends, {"refuse", "normalize"}));
  check("callout.without_answer", OneOf("callout.without_answer", config.callout_without_answer, {"refuse", "accept"}));
  must(config.callout_deadline.count() > 0 && config.callout_deadline.count() <= 60, "callout.deadline",
       "must be 1 to 60");
  check("auth.scram", OneOf("auth.scram", config.auth_scram, {"auto", "on", "off"}));
  check("smtp.path", OneOf("smtp.path", config.smtp_path, {"auto", "queue"}));
  check("quota.when_full", OneOf("quota.when_full", config.quota_when_full, {"tempfail", "reject"}));
  check("quota.warn_at", CheckWarnAt(config));
  check("http.queue_clients", OneOf("http.queue_clients", config.http_queue_clients, {"loopback", "all"}));
  check("mail.domains", CanonicalizeDomains("mail.domains", config.domains));
  check("mail.relay_domains", CanonicalizeDomains("mail.relay_domains", config.relay_domains));
  check("mail.auto_create_accounts", CanonicalizeDomains("mail.auto_create_accounts", config.auto_create_accounts));
  check("mail.auto_create_accounts", CheckAutoCreate(config));
  check("account", CheckDevOnly(config));
  check("pop3.uidl_format", CheckUidlFormat(config));
  check("mail.postmaster", CanonicalizePostmaster(config));
  must(config.recipient_delimiter.size() == 1, "mail.recipient_delimiter", "must be one character");
  must(config.recipients_max >= 100, "mail.recipients_max", "must be at least 100 (RFC 5321 §4.5.3.1.8)");
  must(config.message_bytes_max >= 64u << 10, "mail.size_max", "must be at least 64KiB (RFC 5321 §4.5.3.1.7)");
  must(config.volume_segment_bytes % (1u << 20) == 0, "volume.segment_size", "must be a multiple of 1MiB, or 0");
  must(config.mx_port > 0 && config.mx_port <= 65'535, "deliver.mx_port", "must be a port: 1 to 65535");
  must(config.remote_workers > 0 && config.remote_workers <= 20'000, "deliver.remote_workers", "must be 1 to 20000");
  must(config.retry_min <= config.retry_max, "queue.retry_min", "must not be greater than queue.retry_max");
  must(!config.dns_from_root || config.dns_servers.empty(), "dns.from_root",
       "asks no dns.servers; give one of the two");
  must(config.history_keep_days <= 3650, "history.keep_days", "must be at most 3650");
  must(config.volume_scrub_days <= 3650, "volume.scrub_days", "must be at most 3650");
  must(config.tls_certificate.empty() == config.tls_key.empty(), config.tls_key.empty() ? "tls.certificate" : "tls.key",
       "tls.certificate and tls.key are given together or not at all");
}

NodeConfig ReadConfig(std::string_view text, std::string_view name, routing::Problems* problems) {
  NodeConfig config;
  try {
    const toml::table table = toml::parse(text, name);
    Findings findings(name, problems);
    ReadTable(table, "", config, findings);
    Check(config, findings);
  } catch (const toml::parse_error& error) {
    problems->Add(name, error.source().begin.line, std::string(error.description()));
  }
  return config;
}

std::string InFolder(const NodeConfig& config, const std::string& path, std::string_view name) {
  return path.empty() ? config.data_folder + "/" + std::string(name) : path;
}

}  // namespace

std::string NodeConfig::VolumePath() const {
  return InFolder(*this, volume_path, "volume.mffs");
}
std::string NodeConfig::ControlSocketPath() const {
  return InFolder(*this, control_socket, "control.sock");
}
std::string NodeConfig::HostName() const {
  if (!hostname.empty()) return hostname;
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

base::Result<std::uint64_t> ParseBytes(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  constexpr std::pair<std::string_view, int> kUnits[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  for (const auto& [name, shift] : kUnits) {
    if (error == std::errc() && unit == name && number <= (~std::uint64_t{0} >> shift)) return number << shift;
  }
  return base::Error(base::Errc::kInvalid,
                     fmt::format("\"{}\" is no size; write a whole number with KiB, MiB, GiB or TiB", text));
}

base::Result<NodeConfig> ParseConfig(std::string_view text, std::string_view name) {
  routing::Problems problems;
  NodeConfig config = ReadConfig(text, name, &problems);
  if (problems.empty()) return config;
  return base::Error(base::Errc::kInvalid, problems.kept().front().ToString());
}

std::vector<routing::Problem> CheckConfigText(std::string_view text, std::string_view name) {
  routing::Problems problems;
  ReadConfig(text, name, &problems);
  return std::move(problems).Take();
}

base::Result<NodeConfig> LoadConfig(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::ErrnoError("read the configuration " + path, errno);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return ParseConfig(text, path);
}

}  // namespace app
