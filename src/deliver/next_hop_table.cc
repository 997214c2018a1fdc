#include "deliver/next_hop_table.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "mail/address.h"

namespace deliver {
namespace {

constexpr std::string_view kAll = "*";

// A domain as the table has it; one that cannot be read stays as it is, and is nobody's.
std::string Canonical(std::string_view domain) {
  const bool is_plain = std::ranges::all_of(
      domain, [](unsigned char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-'; });
  // Nearly all of them; a start asks for a million.
  if (is_plain) return std::string(domain);
  auto canonical = mail::CanonicalDomain(domain, {.utf8 = true, .underscores = true});
  return canonical.has_value() ? *std::move(canonical) : std::string(domain);
}

}  // namespace

base::Result<> NextHopTable::AddLocal(std::string_view domain) {
  ASSIGN_OR_RETURN(std::string canonical, mail::CanonicalDomain(domain, {.utf8 = true}));
  local_.insert(std::move(canonical));
  return {};
}

base::Result<> NextHopTable::Add(std::string_view pattern, const NextHop& hop) {
  std::string key(pattern);
  if (pattern != kAll) {
    const bool is_below = pattern.starts_with('.');
    ASSIGN_OR_RETURN(key, mail::CanonicalDomain(pattern.substr(is_below ? 1 : 0), {.utf8 = true, .underscores = true}));
    if (is_below) key.insert(0, 1, '.');
  }
  if (hop.kind == NextHop::Kind::kLocal) {
    return base::Error(base::Errc::kInvalid,
                       fmt::format("the next hop of {} must begin with mx:, smtp: or lmtp:", pattern));
  }
  if (!hops_.try_emplace(std::move(key), hop).second) {
    return base::Error(base::Errc::kExists, fmt::format("{} has two next hops; leave one", pattern));
  }
  return {};
}

void NextHopTable::SetSettings(const NextHop& hop, NextHopSettings settings) {
  settings_.insert_or_assign(hop.ToString(), std::move(settings));
}

NextHop NextHopTable::Find(const std::string& domain) const {
  if (local_.contains(domain)) return {.kind = NextHop::Kind::kLocal, .host = domain};
  if (const auto exact = hops_.find(domain); exact != hops_.end()) return exact->second;
  if (!hops_.empty()) {
    for (std::size_t dot = domain.find('.'); dot != std::string::npos; dot = domain.find('.', dot + 1)) {
      if (const auto below = hops_.find(domain.substr(dot)); below != hops_.end()) return below->second;
    }
    if (const auto all = hops_.find(std::string(kAll)); all != hops_.end()) return all->second;
  }
  return {.kind = NextHop::Kind::kMx, .host = domain};
}

const NextHopSettings* NextHopTable::SettingsOf(const NextHop& hop) const {
  const auto found = settings_.find(hop.ToString());
  return found == settings_.end() ? nullptr : &found->second;
}

smtp::ClientSettings NextHopTable::ClientSettingsFor(const NextHop& hop, smtp::ClientSettings settings) const {
  settings.protocol = hop.kind == NextHop::Kind::kLmtp ? smtp::ClientProtocol::kLmtp : smtp::ClientProtocol::kSmtp;
  // Nobody stands between us and a socket of this machine.
  if (hop.is_socket()) settings.tls = smtp::ClientTls::kNever;
  if (const NextHopSettings* own = SettingsOf(hop)) {
    settings.tls = own->tls;
    if (own->tls_context != nullptr) settings.tls_context = own->tls_context;
    settings.username = own->username;
    settings.password = own->password;
  }
  const bool is_optional = settings.tls == smtp::ClientTls::kOpportunistic;
  if (is_optional && settings.tls_context == nullptr) settings.tls = smtp::ClientTls::kNever;
  return settings;
}

std::string NextHopTable::DestinationOf(std::string_view recipient) const {
  const std::size_t at = recipient.rfind('@');
  if (at == std::string_view::npos) return {};
  return Find(Canonical(recipient.substr(at + 1))).ToString();
}

}  // namespace deliver
