// NodeConfig: everything an operator can set, read from one TOML file. Each key stands in docs/configuration.md
// (tested).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "pop3/proto/uidl_format.h"
#include "routing/problem.h"

namespace app {

// An account made at start when it does not exist; only with dev = true.
struct DevAccount {
  std::string address;
  std::string password;
};

// How a server is spoken to that mail goes to: [[next_hop]].
struct NextHopConfig {
  std::string hop;  // As in deliver.routes: "smtp:relay.example.org:587".
  std::string tls = "opportunistic";
  std::string ca_file;  // PEM; empty: the system's authorities.
  std::string username;
  std::string password;
};

// Sizes are bytes, durations carry their type. The defaults are those of docs/configuration.md.
struct NodeConfig {
  bool dev = false;
  std::string hostname;  // Empty: the machine's name.
  std::string data_folder = "/var/lib/posthorn";
  std::string control_socket;       // Empty: control.sock in data_folder.
  std::string run_as = "posthorn";  // "user" or "user:group"; for a node that root starts.
  std::string log_level = "info";

  std::string volume_path;  // Empty: volume.mffs in data_folder.
  std::uint64_t volume_bytes = 16ull << 30;
  std::uint64_t volume_segment_bytes = 0;  // By the size of the volume.
  std::string volume_io = "auto";
  std::uint64_t volume_scrub_days = 14;  // 0: only by `posthorn mffs scrub`.
  std::string volume_zero_fill = "auto";

  std::uint64_t history_keep_days = 14;  // 0: no history.
  std::uint64_t history_bytes_max = 0;   // 0: a tenth of the volume.

  std::uint64_t buffer_bytes = 128ull << 20;
  std::uint64_t index_bytes = 64ull << 20;

  std::vector<std::string> domains;
  std::vector<std::string> auto_create_accounts;
  std::string postmaster;
  std::string recipient_delimiter = "+";
  std::uint64_t message_bytes_max = 50ull << 20;
  std::uint64_t recipients_max = 1000;
  std::uint64_t hops_max = 100;

  std::uint64_t quota_bytes = 0;  // 0: no limit; likewise quota_mails.
  std::uint64_t quota_mails = 0;
  std::string quota_when_full = "tempfail";
  std::vector<std::uint64_t> quota_warn_at{80, 95, 100};

  std::vector<std::string> domain_aliases;
  std::vector<std::string> relay_domains;
  std::vector<std::string> alias_files;
  std::vector<std::string> virtual_files;
  std::vector<std::string> relay_recipient_files;
  std::vector<std::string> trusted_networks;

  bool callout_relay_domains = false;
  std::string callout_without_answer = "refuse";
  std::chrono::seconds callout_deadline{5};
  std::chrono::seconds callout_taken_ttl{24 * 3600};
  std::chrono::seconds callout_refused_ttl{3600};

  bool submission_check_sender = true;
  bool submission_check_from = false;
  std::vector<std::string> sender_login_files;
  std::uint64_t submission_mails_per_hour = 1000;
  std::uint64_t submission_recipients_per_hour = 5000;

  std::vector<std::string> smtp_listen;
  std::vector<std::string> submission_listen;
  std::vector<std::string> pop3_listen;
  std::vector<std::string> pop3s_listen;
  std::string pop3_uidl_format{pop3::proto::UidlFormat::kDefault};
  std::vector<std::string> imap_listen;
  std::vector<std::string> imaps_listen;
  std::vector<std::string> http_listen;
  std::string http_queue_clients{"loopback"};
  std::uint64_t connections_max = 10'000;
  std::uint64_t connections_per_client_max = 1'000;
  std::chrono::seconds smtp_command_timeout{300};
  std::chrono::seconds smtp_data_timeout{180};
  std::string smtp_line_ends = "refuse";
  std::vector<std::string> smtp_normalize_clients;
  std::string smtp_path = "auto";
  std::uint64_t deliver_workers = 8;

  std::vector<std::string> routes;
  std::vector<NextHopConfig> next_hops;
  std::uint64_t remote_workers = 500;
  std::chrono::seconds connect_timeout{30};
  std::uint64_t mx_port = 25;
  std::chrono::seconds retry_min{60};
  std::chrono::seconds retry_max{4 * 3600};
  std::chrono::seconds queue_lifetime{5 * 24 * 3600};
  std::chrono::seconds delay_notice_after{4 * 3600};
  std::vector<std::string> dns_servers;
  bool dns_from_root = false;

  std::string tls_certificate;  // Empty: a self-signed one in data_folder, made when missing.
  std::string tls_key;
  bool plaintext_auth_on_loopback = false;
  std::uint64_t hashing_threads = 1;
  std::chrono::seconds auth_cache_ttl{600};
  std::string auth_scram = "auto";
  bool auth_scram_upgrade = true;

  std::vector<DevAccount> dev_accounts;

  // Where things lie once the empty defaults are filled in.
  std::string VolumePath() const;
  std::string ControlSocketPath() const;
  std::string HostName() const;
};

// One key of the file. `Read` and `Default` work through a pointer to the member.
struct ConfigKey {
  using Member = std::variant<bool NodeConfig::*, std::string NodeConfig::*, std::uint64_t NodeConfig::*,
                              std::chrono::seconds NodeConfig::*, std::vector<std::string> NodeConfig::*,
                              std::vector<std::uint64_t> NodeConfig::*>;
  enum class Unit : std::uint8_t { kNone, kBytes, kSeconds, kCount };
  enum class TakesEffect : std::uint8_t { kRestart, kReload };  // kReload: at SIGHUP too (app/reloader.h).

  std::string_view name;  // "smtp.listen".
  Member member;
  Unit unit = Unit::kNone;
  std::string_view meaning;
  TakesEffect takes_effect = TakesEffect::kRestart;
};
const std::vector<ConfigKey>& ConfigKeys();

// "list of texts", and the value when nothing is set: "[]".
std::string KindOf(const ConfigKey& key);
std::string DefaultOf(const ConfigKey& key);
// The row of docs/configuration.md: "| `smtp.listen` | list | `[]` | meaning |".
std::string DescribeKey(const ConfigKey& key);

// Reads and checks a file. Errors: one sentence that names the line or key, and what is allowed.
base::Result<NodeConfig> LoadConfig(const std::string& path);
base::Result<NodeConfig> ParseConfig(std::string_view text, std::string_view name);

// All that ParseConfig() finds wrong, not the first thing only: with its line, where it has one.
std::vector<routing::Problem> CheckConfigText(std::string_view text, std::string_view name);

// A whole number with KiB, MiB, GiB or TiB, or without a unit: "4GiB", "512 MiB", "4096". Errors: kInvalid.
base::Result<std::uint64_t> ParseBytes(std::string_view text);

}  // namespace app
