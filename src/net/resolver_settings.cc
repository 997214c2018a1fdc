#include "net/resolver_settings.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unbound.h>

namespace net {

using base::Errc;
using base::Error;
using base::Result;

namespace {

Result<> SetLimits(ub_ctx* context, const UnboundOptions& options);
Result<bool> SetServers(ub_ctx* context, const UnboundOptions& options);
Result<> SetForServers(ub_ctx* context);
Result<> SetRoot(ub_ctx* context, const UnboundOptions& options);
Result<> SetValidation(ub_ctx* context, const UnboundOptions& options, bool has_servers);
Result<> Finish(ub_ctx* context, bool has_servers);

}  // namespace

Result<> SetUp(ub_ctx* context, const UnboundOptions& options) {
  ub_ctx_debugout(context, nullptr);  // It would write to standard error, in a form of its own.
  ub_ctx_async(context, 1);           // A thread, not a process.
  RETURN_IF_ERROR(SetLimits(context, options));
  ASSIGN_OR_RETURN(const bool has_servers, SetServers(context, options));
  if (has_servers) {
    RETURN_IF_ERROR(SetForServers(context));
  } else {
    RETURN_IF_ERROR(SetRoot(context, options));
  }
  RETURN_IF_ERROR(SetValidation(context, options, has_servers));
  return Finish(context, has_servers);
}

namespace {

Result<> Set(ub_ctx* context, const char* option, const std::string& value) {
  const int error = ub_ctx_set_option(context, option, value.c_str());
  if (error == 0) return {};
  return Error(Errc::kInvalid, fmt::format("libunbound refuses '{} {}': {}", option, value, ub_strerror(error)));
}

Result<> SetLimits(ub_ctx* context, const UnboundOptions& options) {
  // As unbound.conf(5) recommends: records take twice the room of the messages that refer to them.
  RETURN_IF_ERROR(Set(context, "rrset-cache-size:", std::to_string(options.cache_bytes / 2)));
  RETURN_IF_ERROR(Set(context, "msg-cache-size:", std::to_string(options.cache_bytes / 4)));
  RETURN_IF_ERROR(Set(context, "key-cache-size:", std::to_string(options.cache_bytes / 8)));
  RETURN_IF_ERROR(Set(context, "neg-cache-size:", std::to_string(options.cache_bytes / 8)));
  // The library's own bounds are 16 questions by UDP and 2 by TCP at once: then a few servers that never answer would
  // hold up all other questions.
  RETURN_IF_ERROR(Set(context, "outgoing-range:", std::to_string(options.outstanding_max)));
  RETURN_IF_ERROR(Set(context, "outgoing-num-tcp:", std::to_string(options.outstanding_max / 8 + 1)));
  RETURN_IF_ERROR(Set(context, "num-queries-per-thread:", std::to_string(options.outstanding_max)));
  return {};
}

// resolv.conf(5): lines "nameserver ADDRESS". Not by ub_ctx_resolvconf, which takes what it cannot read for the end of
// the address and does not say whether there was any.
std::vector<std::string> ServersOf(const std::string& resolv_conf) {
  std::vector<std::string> servers;
  std::ifstream file(resolv_conf);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string keyword;
    std::string address;
    if (words >> keyword >> address && keyword == "nameserver") servers.push_back(std::move(address));
  }
  return servers;
}

// Whether there are any.
Result<bool> SetServers(ub_ctx* context, const UnboundOptions& options) {
  if (options.from_root && !options.servers.empty()) {
    return Error(Errc::kInvalid, "DNS servers are named, and the root is to be asked; choose one of the two");
  }
  if (options.from_root) return false;
  const std::string source = options.servers.empty() ? options.resolv_conf : "the configuration";
  const std::vector<std::string> servers = options.servers.empty() ? ServersOf(options.resolv_conf) : options.servers;
  for (const std::string& server : servers) {
    if (ub_ctx_set_fwd(context, server.c_str()) == 0) continue;
    return Error(Errc::kInvalid, fmt::format("'{}' in {} is no DNS server; write its address, as 192.0.2.53 or "
                                             "127.0.0.1@5353",
                                             server, source));
  }
  return !servers.empty();
}

Result<> SetForServers(ub_ctx* context) {
  // A resolver on this machine is the best there is.
  RETURN_IF_ERROR(Set(context, "do-not-query-localhost:", "no"));
  // One name that a server cannot find in time would have the server itself counted as down, for all names.
  RETURN_IF_ERROR(Set(context, "infra-keep-probing:", "yes"));
  // Addresses of private networks have names here, in zones that only these servers know.
  RETURN_IF_ERROR(Set(context, "unblock-lan-zones:", "yes"));
  RETURN_IF_ERROR(Set(context, "insecure-lan-zones:", "yes"));
  return {};
}

Result<> SetRoot(ub_ctx* context, const UnboundOptions& options) {
  std::error_code ignored;
  if (!std::filesystem::exists(options.root_hints, ignored)) return {};
  return Set(context, "root-hints:", options.root_hints);
}

Result<> SetValidation(ub_ctx* context, const UnboundOptions& options, bool has_servers) {
  if (!options.validates.value_or(!has_servers)) return {};
  std::error_code ignored;
  if (!std::filesystem::exists(options.trust_anchor, ignored)) {
    if (!options.validates.has_value()) return {};
    return Error(Errc::kNotFound, "DNSSEC needs the root's key and there is no " + options.trust_anchor +
                                      "; install the package dns-root-data");
  }
  if (const int error = ub_ctx_add_ta_file(context, options.trust_anchor.c_str()); error != 0) {
    return Error(Errc::kInvalid, fmt::format("{} is no trust anchor: {}", options.trust_anchor, ub_strerror(error)));
  }
  return {};
}

// The library reads all files now, so that what it refuses shows here and not at the first question.
Result<> Finish(ub_ctx* context, bool has_servers) {
  // It answers NXDOMAIN itself for zones that are not in the public DNS. Behind servers of one's own they may be.
  constexpr const char* kOwnAnswers[] = {"test.", "home.arpa.", "invalid."};
  const char* const none = "posthorn.invalid.";  // Asks for nothing but the reading.
  int error = ub_ctx_data_remove(context, none);
  for (const char* zone : kOwnAnswers) {
    if (error == 0 && has_servers) error = ub_ctx_zone_remove(context, zone);
  }
  if (error == 0) return {};
  return Error(Errc::kInvalid, fmt::format("libunbound cannot use the DNS settings: {}; check the files of the trust "
                                           "anchor and of the root hints",
                                           ub_strerror(error)));
}

}  // namespace
}  // namespace net
