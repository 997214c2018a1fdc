#include "routing/book_loader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "mail/ascii.h"
#include "routing/table_file.h"

namespace routing {
namespace {

using base::Errc;
using base::Error;
using base::Result;

constexpr std::size_t kFilesMax = 0xffff;

Error Invalid(std::string sentence) {
  return Error(Errc::kInvalid, std::move(sentence));
}

}  // namespace

std::unique_ptr<AddressBook> BookLoader::Load() {
  LoadConfiguration();
  ReadFiles(sources_.alias_files, &BookLoader::TakeAlias);
  ReadFiles(sources_.virtual_files, &BookLoader::TakeVirtual);
  ReadFiles(sources_.sender_login_files, &BookLoader::TakeSender);
  ReadFiles(sources_.relay_recipient_files, &BookLoader::TakeRelayRecipient);
  return Finish();
}

std::unique_ptr<AddressBook> BookLoader::LoadText(std::string_view aliases, std::string_view virtuals,
                                                  std::string_view senders, std::string_view recipients) {
  LoadConfiguration();
  ReadLines(aliases, {.file = FileNumber("aliases")}, &BookLoader::TakeAlias);
  ReadLines(virtuals, {.file = FileNumber("virtual")}, &BookLoader::TakeVirtual);
  ReadLines(senders, {.file = FileNumber("senders")}, &BookLoader::TakeSender);
  ReadLines(recipients, {.file = FileNumber("recipients")}, &BookLoader::TakeRelayRecipient);
  return Finish();
}

std::unique_ptr<AddressBook> BookLoader::Finish() {
  if (!problems_.empty()) return nullptr;
  for (FlatTable* const table : {&book_->entries_, &book_->catch_alls_, &book_->senders_, &book_->relay_recipients_}) {
    table->Seal();
  }
  return std::move(book_);
}

void BookLoader::LoadConfiguration() {
  book_->local_.insert(sources_.domains.begin(), sources_.domains.end());
  book_->relay_.insert(sources_.relay_domains.begin(), sources_.relay_domains.end());
  if (!sources_.domains.empty()) book_->default_domain_ = sources_.domains.front();
  book_->postmaster_ = sources_.postmaster;
  book_->delimiter_ = sources_.recipient_delimiter;
  book_->limits_ = sources_.limits;
  book_->knows_relay_recipients_ = !sources_.relay_recipient_files.empty();
  for (const std::string& domain : sources_.relay_domains) {
    if (!book_->local_.contains(domain)) continue;
    problems_.Add("mail.relay_domains", 0, Quoted(domain) + " is in mail.domains too; mail is kept here or sent on");
  }
  for (const std::string& text : sources_.domain_aliases) AddDomainAlias(text);
  if (sources_.trusted_networks.size() > sources_.limits.networks_max) {
    problems_.Add("mail.trusted_networks", 0,
                  fmt::format("there are more than {} networks", sources_.limits.networks_max));
    return;
  }
  for (const std::string& network : sources_.trusted_networks) {
    const auto added = book_->trusted_.Add(network);
    if (!added) problems_.Add("mail.trusted_networks", 0, added.error().message());
  }
}

void BookLoader::AddDomainAlias(const std::string& text) {
  const auto complain = [&](std::string_view problem) {
    problems_.Add("mail.domain_aliases", 0, fmt::format("{} {}", Quoted(text), problem));
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return complain("has no '='; write \"example.net = example.org\"");
  const auto alias = mail::CanonicalDomain(mail::Trim(std::string_view(text).substr(0, equals)), {.utf8 = true});
  const auto domain = mail::CanonicalDomain(mail::Trim(std::string_view(text).substr(equals + 1)), {.utf8 = true});
  if (!alias) return complain(": " + alias.error().message());
  if (!domain) return complain(": " + domain.error().message());
  if (book_->IsOurs(*alias)) return complain("renames a domain that is in mail.domains or mail.relay_domains itself");
  if (!book_->IsOurs(*domain)) return complain("leads to a domain that is neither in mail.domains nor relay_domains");
  if (!book_->domain_aliases_.emplace(*alias, *domain).second) complain("renames a domain that has been renamed");
}

void BookLoader::ReadFiles(const std::vector<std::string>& paths, TakeLine take) {
  for (const std::string& path : paths) {
    if (files_.size() >= kFilesMax)
      return problems_.Add(path, 0, fmt::format("there are more than {} files", kFilesMax));
    const Place place{.file = FileNumber(path)};
    const auto text = ReadTableFile(path, sources_.limits.file_bytes_max);
    if (!text) {
      problems_.Add(path, 0, text.error().message());
      continue;
    }
    ReadLines(*text, place, take);
  }
}

void BookLoader::ReadLines(std::string_view text, Place place, TakeLine take) {
  LogicalLines lines(text, sources_.limits.line_bytes_max);
  LogicalLines::Line line;
  bool has_room = true;
  while (has_room && lines.Next(&line)) {
    place.line = line.number;
    if (line.problem.empty()) {
      const Result<> taken = (this->*take)(line.text, place);
      if (!taken) line.problem = taken.error().message();
      has_room = taken || taken.error().code() != Errc::kLimit;
    }
    if (!line.problem.empty()) problems_.Add(files_[place.file], line.number, std::move(line.problem));
  }
}

Result<> BookLoader::TakeAlias(std::string_view text, Place place) {
  ASSIGN_OR_RETURN(const AliasLine alias, SplitAlias(text));
  if (book_->default_domain_.empty()) return Invalid("aliases need a domain: set mail.domains");
  if (alias.name.find('@') != std::string::npos) {
    return Invalid(Quoted(alias.name) + " has a domain; aliases have none, a file of mail.virtual_files has them");
  }
  mail::Address name{.local = alias.name, .domain = book_->default_domain_};
  const auto parsed = mail::Address::Parse(name.ToString(), {.utf8 = true});
  if (!parsed) return Invalid(Quoted(alias.name) + ": " + parsed.error().message());
  TargetRules rules{
      .default_domain = book_->default_domain_, .includes = true, .targets_max = sources_.limits.targets_max};
  ASSIGN_OR_RETURN(std::vector<Target> targets, ParseTargets(alias.targets, rules));
  RETURN_IF_ERROR(ExpandIncludes(&targets));
  return Add(&book_->entries_, parsed->CanonicalKey(), AddressBook::kAlias + PackTargets(targets), place);
}

// Puts the targets of included files in the place of the includes.
Result<> BookLoader::ExpandIncludes(std::vector<Target>* targets) {
  const auto is_include = [](const Target& target) { return target.kind == TargetKind::kInclude; };
  if (std::ranges::none_of(*targets, is_include)) return {};
  std::vector<Target> all;
  for (Target& target : *targets) {
    if (!is_include(target)) {
      all.push_back(std::move(target));
      continue;
    }
    const Result<> included = Include(target.text, &all);
    if (!included) return Invalid(fmt::format(":include: of {}: {}", Quoted(target.text), included.error().message()));
  }
  if (all.size() > sources_.limits.targets_max) {
    return Invalid(fmt::format("there are more than {} targets", sources_.limits.targets_max));
  }
  *targets = std::move(all);
  return {};
}

Result<> BookLoader::Include(const std::string& path, std::vector<Target>* targets) {
  includes_ += 1;
  if (includes_ > sources_.limits.includes_max) {
    return Invalid(fmt::format("there are more than {} includes", sources_.limits.includes_max));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadTableFile(path, sources_.limits.file_bytes_max));
  const TargetRules rules{.default_domain = book_->default_domain_, .targets_max = sources_.limits.targets_max};
  LogicalLines lines(text, sources_.limits.line_bytes_max);
  LogicalLines::Line line;
  while (lines.Next(&line)) {
    auto parsed = line.problem.empty() ? ParseTargets(line.text, rules) : Invalid(line.problem);
    if (!parsed) return Invalid(fmt::format("line {}: {}", line.number, parsed.error().message()));
    std::ranges::move(*parsed, std::back_inserter(*targets));
    if (targets->size() > sources_.limits.targets_max) break;
  }
  return {};
}

Result<> BookLoader::TakeVirtual(std::string_view text, Place place) {
  const TwoColumns columns = SplitColumns(text);
  if (columns.key.starts_with('@')) return TakeCatchAll(columns.key.substr(1), columns.value, place);
  const auto address = mail::Address::Parse(columns.key, {.utf8 = true});
  if (!address) {
    return Invalid(fmt::format("{}: {}; write user@domain or @domain, then its targets", Quoted(columns.key),
                               address.error().message()));
  }
  RETURN_IF_ERROR(CheckIsOurs(address->domain));
  const TargetRules rules{
      .default_domain = book_->default_domain_, .domains = true, .targets_max = sources_.limits.targets_max};
  ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(columns.value, rules));
  return Add(&book_->entries_, address->CanonicalKey(), AddressBook::kVirtual + PackTargets(targets), place);
}

Result<> BookLoader::TakeCatchAll(std::string_view domain_text, std::string_view value, Place place) {
  auto domain = mail::CanonicalDomain(domain_text, {.utf8 = true});
  if (!domain) return Invalid(fmt::format("{}: {}", Quoted(domain_text), domain.error().message()));
  RETURN_IF_ERROR(CheckIsOurs(*domain));
  if (book_->domain_aliases_.contains(*domain)) {
    return Invalid(Quoted(domain_text) + " is in mail.domain_aliases: the catch-all is that of the domain it leads to");
  }
  if (book_->IsRelayDomain(*domain) && !book_->knows_relay_recipients_) {
    return Invalid(
        Quoted(domain_text) +
        " is a relay domain: its catch-all gets what is not in mail.relay_recipient_files, and there are none");
  }
  const TargetRules rules{
      .default_domain = book_->default_domain_, .domains = true, .targets_max = sources_.limits.targets_max};
  ASSIGN_OR_RETURN(const std::vector<Target> targets, ParseTargets(value, rules));
  return Add(&book_->catch_alls_, *domain, AddressBook::kVirtual + PackTargets(targets), place);
}

Result<> BookLoader::TakeSender(std::string_view text, Place place) {
  const TwoColumns columns = SplitColumns(text);
  ASSIGN_OR_RETURN(const std::string key, AddressOrDomain(columns.key));
  const TargetRules rules{.default_domain = book_->default_domain_, .targets_max = sources_.limits.targets_max};
  ASSIGN_OR_RETURN(std::vector<Target> logins, ParseTargets(columns.value, rules));
  for (Target& login : logins) {
    const auto address = mail::Address::Parse(login.text, {.utf8 = true, .mailbox_bytes_max = 2000});
    CHECK(address.has_value());
    if (!book_->IsLocalDomain(address->domain)) {
      return Invalid(Quoted(login.text) + " is no login: its domain is not in mail.domains");
    }
    login.text = address->CanonicalKey();
  }
  return Add(&book_->senders_, key, PackTargets(logins), place);
}

Result<> BookLoader::TakeRelayRecipient(std::string_view text, Place place) {
  // Postfix's relay_recipient_maps have a second column, which says nothing.
  ASSIGN_OR_RETURN(const std::string key, AddressOrDomain(SplitColumns(text).key));
  const std::string_view domain = std::string_view(key).substr(key.rfind('@') + 1);
  if (!book_->IsRelayDomain(domain)) return Invalid(Quoted(domain) + " is not in mail.relay_domains");
  return Add(&book_->relay_recipients_, key, {}, place);
}

Result<> BookLoader::Add(FlatTable* table, std::string_view key, std::string_view value, Place place) {
  if (entries_ >= sources_.limits.entries_max) {
    return Error(Errc::kLimit, fmt::format("there are more than {} entries in all files", sources_.limits.entries_max));
  }
  const std::uint64_t bytes_max = std::min(sources_.limits.table_bytes_max, FlatTable::kBytesMax);
  if (table->bytes() + FlatTable::CostOf(key, value) >= bytes_max) {
    return Error(Errc::kLimit, fmt::format("the entries take more than {} bytes of memory", bytes_max));
  }
  const auto there = table->Add(key, value, {.file = place.file, .line = place.line});
  if (there) {
    return Invalid(fmt::format("{} is in {}:{} already", Quoted(key), files_[there->origin.file], there->origin.line));
  }
  entries_ += 1;
  return {};
}

Result<std::string> BookLoader::AddressOrDomain(std::string_view text) const {
  if (text.starts_with('@')) {
    const auto domain = mail::CanonicalDomain(text.substr(1), {.utf8 = true});
    if (!domain) return Invalid(fmt::format("{}: {}", Quoted(text), domain.error().message()));
    return "@" + *domain;
  }
  const auto address = mail::Address::Parse(text, {.utf8 = true});
  if (!address)
    return Invalid(fmt::format("{}: {}; write user@domain or @domain", Quoted(text), address.error().message()));
  return address->CanonicalKey();
}

Result<> BookLoader::CheckIsOurs(std::string_view domain) const {
  if (book_->IsOurs(domain) || book_->domain_aliases_.contains(domain)) return {};
  return Invalid(Quoted(domain) + " is in none of mail.domains, mail.domain_aliases and mail.relay_domains");
}

std::uint16_t BookLoader::FileNumber(const std::string& path) {
  files_.push_back(path);
  return static_cast<std::uint16_t>(files_.size() - 1);
}

// ---- AddressBook ----

Result<std::shared_ptr<const AddressBook>> AddressBook::Load(const Sources& sources) {
  Problems problems(1);
  BookLoader loader(&sources, &problems);
  std::shared_ptr<const AddressBook> book = loader.Load();
  if (book) return book;
  std::string text = problems.kept().front().ToString();
  if (problems.count() > 1) {
    text += fmt::format(" (and {} more problems; `posthorn config check` prints all)", problems.count() - 1);
  }
  return Invalid(std::move(text));
}

std::vector<Problem> AddressBook::Check(const Sources& sources) {
  Problems problems(sources.limits.problems_max);
  BookLoader loader(&sources, &problems);
  if (const auto book = loader.Load()) loader.Audit(*book);
  const std::uint64_t untold = problems.count() - problems.kept().size();
  std::vector<Problem> all = std::move(problems).Take();
  if (untold > 0) all.push_back({"addresses", 0, fmt::format("there are {} more problems", untold)});
  return all;
}

}  // namespace routing
