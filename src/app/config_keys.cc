// The table of all configuration keys: the one place where a key, its member and its meaning stand together.
#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/config.h"

namespace app {
namespace {

using Unit = ConfigKey::Unit;
constexpr ConfigKey::TakesEffect kReload = ConfigKey::TakesEffect::kReload;

std::string FormatBytes(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

struct DefaultText {
  const NodeConfig& config;
  Unit unit;
  std::string operator()(bool NodeConfig::* m) const { return config.*m ? "true" : "false"; }
  std::string operator()(std::string NodeConfig::* m) const { return fmt::format("\"{}\"", config.*m); }
  std::string operator()(std::uint64_t NodeConfig::* m) const {
    return unit == Unit::kBytes ? fmt::format("\"{}\"", FormatBytes(config.*m)) : fmt::format("{}", config.*m);
  }
  std::string operator()(std::chrono::seconds NodeConfig::* m) const { return fmt::format("{}", (config.*m).count()); }
  std::string operator()(std::vector<std::string> NodeConfig::* m) const {
    return fmt::format("[{}]", fmt::join(config.*m, ", "));
  }
  std::string operator()(std::vector<std::uint64_t> NodeConfig::* m) const {
    return fmt::format("[{}]", fmt::join(config.*m, ", "));
  }
};

struct KindText {
  Unit unit;
  std::string operator()(bool NodeConfig::*) const { return "true or false"; }
  std::string operator()(std::string NodeConfig::*) const { return "text"; }
  std::string operator()(std::uint64_t NodeConfig::*) const { return unit == Unit::kBytes ? "size" : "number"; }
  std::string operator()(std::chrono::seconds NodeConfig::*) const { return "seconds"; }
  std::string operator()(std::vector<std::string> NodeConfig::*) const { return "list of texts"; }
  std::string operator()(std::vector<std::uint64_t> NodeConfig::*) const { return "list of numbers"; }
};

using C = NodeConfig;

// What the node is, and what it keeps where.
std::vector<ConfigKey> StorageKeys() {
  return {
      {"dev", &C::dev, Unit::kNone, "Allows what only a developer wants: `auto_create_accounts` and `[[account]]`."},
      {"hostname", &C::hostname, Unit::kNone,
       "The node's name in greetings and Received fields. Empty: the machine's name."},
      {"data_folder", &C::data_folder, Unit::kNone,
       "Folder of everything the node writes: volume, index, epochs, certificate, control socket."},
      {"control_socket", &C::control_socket, Unit::kNone,
       "Unix socket (mode 0660) for `posthorn user`, `queue`, `status`. Empty: `control.sock` in `data_folder`."},
      {"run_as", &C::run_as, Unit::kNone,
       "User, or `user:group`, that a node started by root becomes once its ports and its volume are open. With `dev = "
       "true` it stays root. Started by anybody else it stays who it is."},
      {"log.level", &C::log_level, Unit::kNone, "`debug`, `info`, `warning` or `error`.", kReload},
      {"volume.path", &C::volume_path, Unit::kNone,
       "File or raw block device that holds the mail. Empty: `volume.mffs` in `data_folder`. A missing file is made."},
      {"volume.size", &C::volume_bytes, Unit::kBytes,
       "Size of a volume file that is made. A block device is used whole."},
      {"volume.segment_size", &C::volume_segment_bytes, Unit::kBytes,
       "Segment size of a volume that is made; a multiple of 1MiB. 0: by its size, 16MiB for 16GiB."},
      {"volume.io", &C::volume_io, Unit::kNone,
       "`auto`, `io_uring` or `threads`: how the device is driven. `auto` takes io_uring and falls back with a "
       "warning."},
      {"volume.scrub_days", &C::volume_scrub_days, Unit::kCount,
       "Every sector in use is read and verified once in so many days, in the background. 0: only by `posthorn mffs "
       "scrub`."},
      {"volume.zero_fill", &C::volume_zero_fill, Unit::kNone,
       "How a volume file that is made gets its zeroes. `auto`: by the disk where it and the kernel can (Linux 6.17), "
       "else as `write`: written ahead of use, in the background."},
      {"history.keep_days", &C::history_keep_days, Unit::kCount,
       "For so many days `posthorn trace` knows what became of a mail. 0: nothing is kept."},
      {"history.space_max", &C::history_bytes_max, Unit::kBytes,
       "Space of the volume that this may take: of more the oldest goes, and all of it rather than refuse mail. 0: a "
       "tenth of the volume."},
      {"memory.mail_buffers", &C::buffer_bytes, Unit::kBytes,
       "Memory for mail in flight, all sessions together. When it is used up, new mail waits, then gets 451."},
      {"memory.index", &C::index_bytes, Unit::kBytes,
       "Memory of the mailbox index (RocksDB: write buffers and cache)."},
  };
}

// Whose mail is taken, and how much.
std::vector<ConfigKey> MailKeys() {
  return {
      {"mail.domains", &C::domains, Unit::kNone,
       "The domains whose mail is delivered here. The first is that of names without one.", kReload},
      {"mail.auto_create_accounts", &C::auto_create_accounts, Unit::kNone,
       "Domains whose accounts are made at their first mail. Only with `dev = true`.", kReload},
      {"mail.postmaster", &C::postmaster, Unit::kNone,
       "Account that gets mail to postmaster of every domain. Empty: the account postmaster@DOMAIN."},
      {"mail.recipient_delimiter", &C::recipient_delimiter, Unit::kNone,
       "One character: `user+anything` goes to `user`."},
      {"mail.size_max", &C::message_bytes_max, Unit::kBytes, "Largest mail accepted."},
      {"mail.recipients_max", &C::recipients_max, Unit::kCount,
       "Recipients of one mail, aliases counted with all they lead to; RFC 5321 asks for at least 100.", kReload},
      {"mail.hops_max", &C::hops_max, Unit::kCount,
       "Received fields a mail may have before it counts as going in circles.", kReload},
  };
}

// What an account may store.
std::vector<ConfigKey> QuotaKeys() {
  return {
      {"quota.bytes", &C::quota_bytes, Unit::kBytes,
       "What an account may store, all its mailboxes together, Trash and Junk too. 0: any amount. `posthorn user "
       "quota` "
       "gives an account another limit.",
       kReload},
      {"quota.mails", &C::quota_mails, Unit::kCount, "How many mails an account may store. 0: any number.", kReload},
      {"quota.when_full", &C::quota_when_full, Unit::kNone,
       "What becomes of mail for an account without room: `tempfail` (452 4.2.2: it waits at its sender's, or in the "
       "queue, and is tried again) or `reject` (552 5.2.2: it goes back to its sender at once).",
       kReload},
      {"quota.warn_at", &C::quota_warn_at, Unit::kCount,
       "At these percentages of its limit an account gets a mail that warns of it. Empty: none.", kReload},
  };
}

// Where mail for an address goes. docs/configuration.md, "Addresses", has the formats of the files.
std::vector<ConfigKey> AddressKeys() {
  return {
      {"mail.domain_aliases", &C::domain_aliases, Unit::kNone,
       "Other names of domains: `\"example.net = example.org\"` takes mail for anybody at example.net as if it were "
       "for "
       "the same name at example.org.",
       kReload},
      {"mail.relay_domains", &C::relay_domains, Unit::kNone,
       "Domains whose mail is taken from anybody and sent on to another server.", kReload},
      {"mail.alias_files", &C::alias_files, Unit::kNone,
       "Files in the format of `/etc/aliases`: aliases of the first domain of `mail.domains`.", kReload},
      {"mail.virtual_files", &C::virtual_files, Unit::kNone,
       "Files of addresses, each with where its mail goes: `info@example.org  alice, bob@example.com`, and catch-alls "
       "of domains: `@example.org  alice`.",
       kReload},
      {"mail.relay_recipient_files", &C::relay_recipient_files, Unit::kNone,
       "Files of the addresses that exist in `mail.relay_domains`, one a line, or `@domain`: others are refused. None: "
       "all are taken.",
       kReload},
      {"mail.trusted_networks", &C::trusted_networks, Unit::kNone,
       "Networks whose clients may send mail to anywhere without a login (Postfix's mynetworks): "
       "`\"192.0.2.0/24\"`, `\"::1\"`.",
       kReload},
      {"callout.relay_domains", &C::callout_relay_domains, Unit::kNone,
       "At RCPT for an address of `mail.relay_domains`, asks the server that its mail goes to whether it takes it, and "
       "refuses what that refuses. Clients that may relay are not kept waiting for it.",
       kReload},
      {"callout.without_answer", &C::callout_without_answer, Unit::kNone,
       "What happens to an address whose server is down, slow or says 4xx: `refuse` it for now (451), or `accept` it.",
       kReload},
      {"callout.deadline", &C::callout_deadline, Unit::kSeconds, "How long the server may take to answer."},
      {"callout.taken_ttl", &C::callout_taken_ttl, Unit::kSeconds,
       "How long a yes is remembered (in memory), also while the server is down."},
      {"callout.refused_ttl", &C::callout_refused_ttl, Unit::kSeconds, "How long a no is remembered."},
  };
}

// What our users' mail is held to.
std::vector<ConfigKey> SubmissionKeys() {
  return {
      {"submission.check_sender", &C::submission_check_sender, Unit::kNone,
       "Clients that have logged in may send as their account, its sub-addresses and aliases, and what "
       "`submission.sender_login_files` gives them, but as nobody else.",
       kReload},
      {"submission.check_from", &C::submission_check_from, Unit::kNone, "The same for the addresses in the From field.",
       kReload},
      {"submission.sender_login_files", &C::sender_login_files, Unit::kNone,
       "Files of addresses, or `@domain`, each with the accounts that may send as them too: "
       "`news@example.org  alice, bob`.",
       kReload},
      {"submission.mails_per_hour", &C::submission_mails_per_hour, Unit::kCount,
       "Mails that an account may send in an hour. 0: any number.", kReload},
      {"submission.recipients_per_hour", &C::submission_recipients_per_hour, Unit::kCount,
       "Recipients, of all its mails together, that an account may send to in an hour. 0: any number.", kReload},
  };
}

// Where it listens.
std::vector<ConfigKey> ListenKeys() {
  return {
      {"smtp.listen", &C::smtp_listen, Unit::kNone,
       "Addresses for mail from other servers: `\"192.0.2.1:25\"`, `\"[::]:25\"`."},
      {"submission.listen", &C::submission_listen, Unit::kNone,
       "Addresses for mail from our users, who log in (RFC 6409)."},
      {"pop3.listen", &C::pop3_listen, Unit::kNone, "Addresses of POP3, plain with STLS."},
      {"pop3.listen_tls", &C::pop3s_listen, Unit::kNone, "Addresses of POP3 over TLS."},
      {"pop3.uidl_format", &C::pop3_uidl_format, Unit::kNone,
       "How POP3's unique ids are made of UID (`%u`) and UIDVALIDITY (`%v`), in Dovecot's notation: `X` is "
       "hexadecimal, "
       "`08` a width. Clients fetch all mail again when it changes."},
      {"imap.listen", &C::imap_listen, Unit::kNone, "Addresses of IMAP, plain with STARTTLS."},
      {"imap.listen_tls", &C::imaps_listen, Unit::kNone, "Addresses of IMAP over TLS."},
      {"http.listen", &C::http_listen, Unit::kNone,
       "Addresses of `/metrics`, `/healthz`, `/readyz` and `/queue`. No login: keep it private."},
      {"http.queue_clients", &C::http_queue_clients, Unit::kNone,
       "Who may look at `/queue`, which shows addresses of correspondents: `loopback` (the node's own machine) or "
       "`all`."},
  };
}

// How clients are served.
std::vector<ConfigKey> ServiceKeys() {
  return {
      {"limits.connections", &C::connections_max, Unit::kCount, "Connections at once, all protocols together."},
      {"limits.connections_per_client", &C::connections_per_client_max, Unit::kCount,
       "Connections at once from one IP address."},
      {"smtp.command_timeout", &C::smtp_command_timeout, Unit::kSeconds,
       "How long a client may be silent between commands.", kReload},
      {"smtp.data_timeout", &C::smtp_data_timeout, Unit::kSeconds, "How long a client may be silent within a mail.",
       kReload},
      {"smtp.bare_line_ends", &C::smtp_line_ends, Unit::kNone,
       "`refuse` mail with a bare CR or LF (they enable SMTP smuggling), or `normalize` them to CRLF.", kReload},
      {"smtp.normalize_clients", &C::smtp_normalize_clients, Unit::kNone,
       "IP addresses whose bare CR and LF are normalized although others' are refused.", kReload},
      {"smtp.path", &C::smtp_path, Unit::kNone,
       "`auto`: mail whose recipients lie in one partition is delivered directly. `queue`: all mail goes through the "
       "queue.",
       kReload},
      {"deliver.workers", &C::deliver_workers, Unit::kCount, "Deliveries from the queue to mailboxes at once."},
      {"tls.certificate", &C::tls_certificate, Unit::kNone,
       "PEM file with the chain. Empty: a self-signed one in `data_folder`, made at the first start.", kReload},
      {"tls.key", &C::tls_key, Unit::kNone, "PEM file with the private key.", kReload},
      {"auth.plaintext_on_loopback", &C::plaintext_auth_on_loopback, Unit::kNone,
       "Lets clients on a loopback address log in without TLS."},
      {"auth.hashing_threads", &C::hashing_threads, Unit::kCount, "Threads that verify passwords."},
      {"auth.cache_ttl", &C::auth_cache_ttl, Unit::kSeconds,
       "How long a verified password is remembered (as a keyed hash)."},
      {"auth.scram", &C::auth_scram, Unit::kNone,
       "SCRAM-SHA-256. `auto`: offered while all accounts have keys for it. `on`: offered always; accounts without "
       "keys "
       "cannot log in with clients that prefer it. `off`: not offered, and new passwords get no keys."},
      {"auth.scram_upgrade", &C::auth_scram_upgrade, Unit::kNone,
       "An account without keys for SCRAM gets them when it logs in with its password."},
  };
}

// How mail goes to other servers.
std::vector<ConfigKey> OutgoingKeys() {
  return {
      {"deliver.routes", &C::routes, Unit::kNone,
       "Where mail for others goes that shall not go where the DNS says: a domain, a space and a next hop, as "
       "`\"example.com smtp:192.0.2.7:25\"`. The domain: `example.com` that one alone, `.example.com` all below it, "
       "`*` "
       "all others (a smarthost). The next hop: `smtp:HOST:PORT`, `lmtp:HOST:PORT`, `lmtp:/path/of/socket`, "
       "`mx:DOMAIN`. HOST is a name, an IPv4 address or an IPv6 address in brackets.",
       kReload},
      {"deliver.remote_workers", &C::remote_workers, Unit::kCount,
       "Deliveries to other servers at once: at most 20 to each of them, fewer to one that is slow or fails."},
      {"deliver.connect_timeout", &C::connect_timeout, Unit::kSeconds,
       "How long a connection to another server may take before the next of its addresses is tried."},
      {"deliver.mx_port", &C::mx_port, Unit::kCount,
       "Port of the servers that the DNS names. Other than 25 only for tests; with `dev = true` they may be at "
       "loopback "
       "addresses too."},
      {"queue.retry_min", &C::retry_min, Unit::kSeconds,
       "How long mail waits after its first attempt that failed; after each one twice as long, and a fifth more or "
       "less."},
      {"queue.retry_max", &C::retry_max, Unit::kSeconds, "How long mail waits between two attempts at most."},
      {"queue.lifetime", &C::queue_lifetime, Unit::kSeconds,
       "How long mail is tried before it goes back to its sender; RFC 5321 asks for four or five days."},
      {"queue.delay_notice_after", &C::delay_notice_after, Unit::kSeconds,
       "When a sender is told that his mail still waits: once, if he asked for it (NOTIFY=DELAY), or is one of ours "
       "and "
       "asked for nothing."},
      {"dns.servers", &C::dns_servers, Unit::kNone,
       "DNS servers to ask: `\"192.0.2.53\"`, `\"127.0.0.1@5353\"`. Empty: those of /etc/resolv.conf."},
      {"dns.from_root", &C::dns_from_root, Unit::kNone,
       "Asks no such server, but the root's and those they name, and checks DNSSEC signatures."},
  };
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    for (auto part : {StorageKeys(), MailKeys(), QuotaKeys(), AddressKeys(), ListenKeys(), SubmissionKeys(),
                      ServiceKeys(), OutgoingKeys()}) {
      std::ranges::move(part, std::back_inserter(all));
    }
    return all;
  }();
  return keys;
}

std::string KindOf(const ConfigKey& key) {
  return std::visit(KindText{key.unit}, key.member);
}

std::string DefaultOf(const ConfigKey& key) {
  return std::visit(DefaultText{NodeConfig{}, key.unit}, key.member);
}

std::string DescribeKey(const ConfigKey& key) {
  return fmt::format("| `{}` | {} | `{}` | {} |", key.name, KindOf(key), DefaultOf(key), key.meaning);
}

}  // namespace app
