#include "app/commands_config.h"

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

#include <boost/json/array.hpp>

#include "app/address_sources.h"
#include "app/commands_text.h"
#include "app/listeners.h"
#include "app/routes.h"
#include "mail/address.h"
#include "net/tls_context.h"

namespace app {
namespace {

namespace json = boost::json;
using routing::Destination;
using routing::Expansion;
using routing::Outcome;
using routing::Problem;

void CheckListeners(const NodeConfig& config, std::vector<Problem>* problems) {
  using Key = std::pair<const char*, const std::vector<std::string>*>;
  for (const auto& [key, addresses] :
       {Key{"smtp.listen", &config.smtp_listen}, Key{"submission.listen", &config.submission_listen},
        Key{"pop3.listen", &config.pop3_listen}, Key{"pop3.listen_tls", &config.pop3s_listen},
        Key{"imap.listen", &config.imap_listen}, Key{"imap.listen_tls", &config.imaps_listen},
        Key{"http.listen", &config.http_listen}}) {
    for (const std::string& address : *addresses) {
      const auto parsed = ParseListenAddress(address);
      if (!parsed) problems->push_back({key, 0, parsed.error().message()});
    }
  }
}

void CheckCertificate(const NodeConfig& config, std::vector<Problem>* problems) {
  if (config.tls_certificate.empty()) return;  // One of our own is made at the start.
  const auto loaded = net::TlsContext::Load({config.tls_certificate, config.tls_key});
  if (!loaded) problems->push_back({"tls.certificate", 0, loaded.error().message()});
}

// What is said of an expansion as a whole; nothing when its destinations say it.
std::string Remark(const Expansion& expansion) {
  switch (expansion.outcome) {
    case Outcome::kResolved:
      return {};
    case Outcome::kUnknown:
      return "there is no such address here";
    case Outcome::kNotOurs:
      return "the domain is not ours: mail is sent on for clients that have logged in or are in mail.trusted_networks";
    case Outcome::kLoop:
    case Outcome::kTableError:
      return expansion.reason;
  }
  return {};
}

json::object ToJson(const Expansion& expansion) {
  constexpr std::array kOutcomes = {"resolved", "unknown", "not_ours", "loop", "table_error"};
  json::object object;
  object["outcome"] = kOutcomes.at(static_cast<std::size_t>(expansion.outcome));
  json::array destinations;
  for (const Destination& destination : expansion.destinations) {
    json::object one{{"address", destination.address.ToString()}};
    if (destination.is_local()) one["account"] = destination.account;
    destinations.push_back(std::move(one));
  }
  object["destinations"] = std::move(destinations);
  json::array missing;
  for (const std::string& address : expansion.missing) missing.emplace_back(address);
  object["missing"] = std::move(missing);
  if (!expansion.owner.empty()) object["owner"] = expansion.owner;
  if (!expansion.reason.empty()) object["reason"] = expansion.reason;
  return object;
}

void Print(const Expansion& expansion, const Expansion& caught, std::ostream& out) {
  for (const Destination& destination : expansion.destinations) {
    out << Printable(destination.address.ToString()) << ": ";
    if (destination.is_local()) {
      out << "the account " << Printable(destination.account) << ", if there is one\n";
    } else {
      out << "sent on\n";
    }
  }
  for (const Destination& destination : caught.destinations) {
    out << Printable(destination.address.ToString()) << ": the catch-all, if there is no account\n";
  }
  for (const std::string& address : expansion.missing) out << Printable(address) << ": there is no such recipient\n";
  if (!expansion.owner.empty()) out << "bounces go to " << Printable(expansion.owner) << '\n';
}

}  // namespace

std::vector<Problem> CheckConfigFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {{path, 0, base::ErrnoError("it cannot be read", errno).message()}};
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<Problem> problems = CheckConfigText(text, path);
  // The tables depend on keys that may be the wrong ones.
  if (!problems.empty()) return problems;
  const auto config = ParseConfig(text, path);
  if (!config) return {{path, 0, config.error().message()}};
  CheckListeners(*config, &problems);
  CheckCertificate(*config, &problems);
  if (const auto routes = ReadRoutes(*config); !routes) problems.push_back({path, 0, routes.error().message()});
  for (Problem& problem : routing::AddressBook::Check(AddressSources(*config))) problems.push_back(std::move(problem));
  return problems;
}

ConfigSubcommands::ConfigSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const group = root->add_subcommand("config", "The configuration: check, resolve");
  group->require_subcommand(1);
  group->footer("Example:\n  posthorn config check --config /etc/posthorn/posthorn.toml");
  CLI::App* const check =
      group->add_subcommand("check", "Print all that is wrong with the configuration, its tables and its certificate");
  check->footer(
      "Examples:\n  posthorn config check\n  posthorn config check --config new.toml --json\n"
      "Exit codes: 0 all is well, 1 there are problems.");
  CLI::App* const resolve = group->add_subcommand("resolve", "Print where mail for an address goes");
  resolve->add_option("ADDRESS", address_, "The address: name@domain")->required()->type_name("");
  resolve->footer("Example:\n  posthorn config resolve info@example.test");
  invocation->SetAction(check, [this] { return Check(); });
  invocation->SetAction(resolve, [this] { return Resolve(); });
}

int ConfigSubcommands::Check() {
  const std::vector<Problem> problems = CheckConfigFile(invocation_->ConfigPath());
  for (const Problem& problem : problems) {
    if (invocation_->is_json()) {
      invocation_->PrintJson({{"where", problem.where}, {"line", problem.line}, {"problem", problem.text}});
    } else {
      invocation_->out() << Printable(problem.ToString()) << '\n';
    }
  }
  if (!problems.empty()) return kExitFailed;
  if (!invocation_->is_json()) invocation_->out() << invocation_->ConfigPath() << ": all is well\n";
  return kExitOk;
}

int ConfigSubcommands::Resolve() {
  const auto config = LoadConfig(invocation_->ConfigPath());
  if (!config) return invocation_->Fail(config.error());
  const auto book = LoadAddresses(*config);
  if (!book) return invocation_->Fail(book.error());
  const auto address = mail::Address::Parse(address_, {.utf8 = true, .bare_postmaster = true});
  if (!address) return invocation_->Fail(base::Error(address.error()).In(Printable(address_)));
  const Expansion expansion = (*book)->Resolve(*address);
  const bool is_own = !expansion.is_alias && !expansion.destinations.empty() && expansion.destinations[0].is_local();
  const Expansion caught = is_own ? (*book)->ResolveUnknown(*address) : Expansion();
  const bool leads_somewhere = !expansion.destinations.empty();
  if (invocation_->is_json()) {
    json::object object = ToJson(expansion);
    if (!caught.destinations.empty()) object["catch_all"] = ToJson(caught)["destinations"];
    invocation_->PrintJson(object);
  } else {
    const std::string remark = Remark(expansion);
    if (!remark.empty()) invocation_->out() << Printable(remark) << '\n';
    Print(expansion, caught, invocation_->out());
  }
  return leads_somewhere ? kExitOk : kExitFailed;
}

}  // namespace app
