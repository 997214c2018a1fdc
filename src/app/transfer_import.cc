#include "app/transfer_import.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <tuple>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_text.h"

namespace app {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;
using transfer::SourceFolder;
using transfer::SourceMail;

namespace {

constexpr std::size_t kOriginsAtOnce = 1000;
constexpr std::size_t kFlagsAtOnce = 500;
constexpr std::size_t kRequestBytesMax = 48u << 10;  // The node takes 64 KiB a line.
constexpr std::chrono::milliseconds kBusyPause{500};

// Topmost first.
std::vector<std::string> MissingParents(const std::vector<SourceFolder>& folders) {
  std::vector<std::string> parents;
  for (const SourceFolder& folder : folders) {
    const std::string& name = folder.mailbox;
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      const std::string parent = name.substr(0, slash);
      const bool is_folder = std::ranges::find(folders, parent, &SourceFolder::mailbox) != folders.end();
      if (!is_folder && std::ranges::find(parents, parent) == parents.end()) parents.push_back(parent);
    }
  }
  return parents;
}

// Of the source's connection, and not of one mail or folder.
bool IsOfConnection(const Error& error) {
  return error.code() == Errc::kClosed || error.code() == Errc::kTimeout;
}

std::string HexOf(const std::array<std::uint8_t, 16>& origin) {
  std::string text;
  for (const std::uint8_t byte : origin) text += fmt::format("{:02x}", byte);
  return text;
}

json::object DescribeFlags(const SourceMail& mail) {
  json::array flags;
  for (const std::string& flag : mail.flags) flags.push_back(json::string(flag));
  return {{"origin", HexOf(mail.origin)}, {"flags", std::move(flags)}};
}

json::object DescribeMail(const SourceMail& mail, std::uint64_t size_bytes, bool keeps_uids) {
  json::object out = DescribeFlags(mail);
  out["date"] = mail.date_us;
  out["size"] = size_bytes;
  if (keeps_uids && mail.uid != 0) out["uid"] = mail.uid;
  if (!mail.uidl.empty()) out["uidl"] = json::string(mail.uidl);
  return out;
}

std::uint64_t RequestBytesOf(const SourceMail& mail) {
  std::uint64_t bytes = 200 + mail.uidl.size();
  for (const std::string& flag : mail.flags) bytes += flag.size() + 8;
  return bytes;
}

}  // namespace

json::object ToJson(const ImportReport& report) {
  return {{"mailboxes", report.mailboxes},
          {"imported", report.imported},
          {"bytes", report.bytes},
          {"were_there", report.were_there},
          {"flags_changed", report.flags_changed},
          {"flags_kept", report.flags_kept},
          {"new_uids", report.new_uids},
          {"failed", report.failed}};
}

Result<ImportReport> ImportRun::Run() {
  ASSIGN_OR_RETURN(std::vector<SourceFolder> folders, ChooseFolders());
  std::vector<std::pair<SourceFolder, Target>> prepared;
  if (options_.is_dry_run) {
    for (const SourceFolder& folder : folders) prepared.emplace_back(folder, Target());
  } else {
    ASSIGN_OR_RETURN(prepared, PrepareAll(std::move(folders)));
  }
  for (auto& [folder, target] : prepared) RETURN_IF_ERROR(ImportFolder(folder, &target));
  progress_->Finish();
  return report_;
}

// Each UIDVALIDITY must be above all that the account has used, those of mailboxes just made too: so they are made in
// ascending order, and before any mail. Those that have none take what is left. Parents that the source does not have
// take numbers too: they are made where there is a gap.
Result<std::vector<std::pair<SourceFolder, ImportRun::Target>>> ImportRun::PrepareAll(
    std::vector<SourceFolder> folders) {
  ASSIGN_OR_RETURN(std::uint32_t used, GreatestUidValidity());
  std::vector<std::string> parents = MissingParents(folders);
  std::ranges::sort(folders, {}, [](const SourceFolder& folder) {
    return std::tuple(folder.uid_validity == 0, folder.uid_validity, std::string_view(folder.mailbox));
  });
  std::vector<std::pair<SourceFolder, Target>> prepared;
  for (const SourceFolder& folder : folders) {
    while (!parents.empty() && used + 1 < folder.uid_validity) {
      SourceFolder parent;
      parent.mailbox = parents.front();
      parents.erase(parents.begin());
      ASSIGN_OR_RETURN(const Target made, Prepare(parent));
      used = std::max(used, made.uid_validity);
    }
    ASSIGN_OR_RETURN(Target target, Prepare(folder));
    used = std::max(used, target.uid_validity);
    prepared.emplace_back(folder, std::move(target));
  }
  return prepared;
}

Result<std::uint32_t> ImportRun::GreatestUidValidity() {
  std::uint32_t greatest = 0;
  std::string after;
  do {
    ASSIGN_OR_RETURN(const json::object answer,
                     node_->Call("mailbox.list", {{"address", options_.address}, {"after", after}}));
    const json::value* const rows = answer.if_contains("mailboxes");
    if (rows == nullptr || !rows->is_array()) return Error(Errc::kUnsupported, "the node's answer makes no sense");
    for (const json::value& row : rows->get_array()) {
      if (row.is_object()) {
        greatest = std::max(greatest, static_cast<std::uint32_t>(NumberOf(row.get_object(), "uid_validity")));
      }
    }
    after = TextOf(answer, "next");
  } while (!after.empty());
  return greatest;
}

Result<std::vector<SourceFolder>> ImportRun::ChooseFolders() {
  ASSIGN_OR_RETURN(std::vector<SourceFolder> folders, source_->Folders());
  TellFaults();
  if (options_.mailboxes.empty()) return folders;
  for (const std::string& name : options_.mailboxes) {
    if (std::ranges::find(folders, name, &SourceFolder::mailbox) == folders.end()) {
      return Error(Errc::kNotFound, fmt::format("the source has no mailbox {}; --dry-run lists what it has", name));
    }
  }
  std::erase_if(folders, [&](const SourceFolder& folder) {
    return std::ranges::find(options_.mailboxes, folder.mailbox) == options_.mailboxes.end();
  });
  return folders;
}

Result<ImportRun::Target> ImportRun::Prepare(const SourceFolder& folder) {
  json::object request{{"address", options_.address}, {"mailbox", folder.mailbox}};
  if (folder.uid_validity != 0) request["uid_validity"] = folder.uid_validity;
  if (folder.subscribed) request["subscribed"] = true;
  auto answer = node_->Call("mailbox.prepare", request);
  if (!answer) return std::move(answer).error().In(folder.mailbox);
  Target target{.id = TextOf(*answer, "id"),
                .uid_validity = static_cast<std::uint32_t>(NumberOf(*answer, "uid_validity")),
                .keeps_uids = folder.uid_validity != 0 && FlagOf(*answer, "uids_kept"),
                .message_bytes_max = NumberOf(*answer, "message_bytes_max")};
  if (folder.uid_validity != 0 && !target.keeps_uids && !options_.new_uids) {
    return Error(Errc::kExists,
                 fmt::format("{}; import into a new account, or give --new-uids: IMAP clients then fetch the mailbox "
                             "again, POP3 clients do not",
                             TextOf(*answer, "why")));
  }
  return target;
}

Result<> ImportRun::ImportFolder(const SourceFolder& folder, Target* target) {
  auto mails = source_->Mails(folder);
  TellFaults();
  if (!mails) {
    if (IsOfConnection(mails.error())) return std::move(mails).error();
    Failed(fmt::format("{}: {}", folder.mailbox, mails.error().message()));
    return {};
  }
  for (const std::string& keyword : transfer::LeaveOutForeignFlags(&*mails)) {
    Failed(fmt::format("{}: the keyword \"{}\" cannot be one of IMAP; it is left out", folder.mailbox, keyword));
  }
  report_.mailboxes += 1;
  if (options_.is_dry_run) {
    for (const SourceMail& mail : *mails) {
      report_.imported += 1;
      report_.bytes += mail.size_bytes;
    }
    return {};
  }
  again_.clear();
  ASSIGN_OR_RETURN(const Known known, AskForKnown(*target, *mails));
  report_.were_there += known.there.size();
  RETURN_IF_ERROR(BringFlags(*target, known.there));
  TransferAmount total{.mails = known.missing.size()};
  for (const SourceMail* const mail : known.missing) total.bytes += mail->size_bytes;
  progress_->Begin(folder.mailbox, total);
  RETURN_IF_ERROR(SendAll(folder, *target, known.missing));
  if (!again_.empty()) {
    const Mails late = std::exchange(again_, {});
    std::vector<const SourceMail*> pointers;
    for (const SourceMail& mail : late) pointers.push_back(&mail);
    report_.new_uids += late.size();
    RETURN_IF_ERROR(SendAll(folder, *target, pointers));
  }
  if (!target->keeps_uids || folder.uid_next == 0) return {};
  // UIDs of mail that is gone there must not be given to other mail here.
  auto raised = node_->Call("mailbox.prepare", {{"address", options_.address},
                                                {"mailbox", folder.mailbox},
                                                {"uid_validity", folder.uid_validity},
                                                {"uid_next", folder.uid_next}});
  if (!raised) return std::move(raised).error().In(folder.mailbox);
  return {};
}

Result<ImportRun::Known> ImportRun::AskForKnown(const Target& target, const Mails& mails) {
  Known all;
  for (std::size_t at = 0; at < mails.size(); at += kOriginsAtOnce) {
    const std::size_t end = std::min(mails.size(), at + kOriginsAtOnce);
    json::array origins;
    for (std::size_t i = at; i < end; ++i) origins.push_back(json::string(HexOf(mails[i].origin)));
    ASSIGN_OR_RETURN(const json::object answer,
                     node_->Call("mailbox.known", {{"id", target.id}, {"origins", std::move(origins)}}));
    const std::string known = TextOf(answer, "known");
    for (std::size_t i = at; i < end; ++i) {
      const bool is_known = i - at < known.size() && known[i - at] == '1';
      (is_known ? all.there : all.missing).push_back(&mails[i]);
    }
  }
  return all;
}

Result<> ImportRun::BringFlags(const Target& target, const std::vector<const SourceMail*>& mails) {
  json::array next;
  std::uint64_t request_bytes = 0;
  for (const SourceMail* const mail : mails) {
    const std::uint64_t bytes = RequestBytesOf(*mail);
    if (!next.empty() && (next.size() >= kFlagsAtOnce || request_bytes + bytes > kRequestBytesMax)) {
      RETURN_IF_ERROR(SendFlags(target, std::exchange(next, {})));
      request_bytes = 0;
    }
    request_bytes += bytes;
    next.push_back(DescribeFlags(*mail));
  }
  return next.empty() ? Result<>() : SendFlags(target, std::move(next));
}

Result<> ImportRun::SendFlags(const Target& target, json::array mails) {
  ASSIGN_OR_RETURN(const json::object answer,
                   node_->Call("mailbox.flags", {{"id", target.id}, {"mails", std::move(mails)}}));
  report_.flags_changed += NumberOf(answer, "changed");
  report_.flags_kept += NumberOf(answer, "kept");
  const std::uint64_t refused = NumberOf(answer, "refused");
  if (refused > 0) {
    Failed(fmt::format("{} mails keep their flags: their mailbox has as many keywords as it may have", refused));
  }
  return {};
}

Result<> ImportRun::SendAll(const SourceFolder& folder, const Target& target,
                            const std::vector<const SourceMail*>& mails) {
  std::size_t at = 0;
  while (at < mails.size()) {
    std::vector<const SourceMail*> next;
    std::uint64_t bytes = 0;
    std::uint64_t request_bytes = 0;
    while (at < mails.size() && next.size() < options_.batch_mails_max) {
      bytes += mails[at]->size_bytes;
      request_bytes += RequestBytesOf(*mails[at]);
      const bool is_full = bytes > options_.batch_bytes_max || request_bytes > kRequestBytesMax;
      if (is_full && !next.empty()) break;
      next.push_back(mails[at++]);
    }
    // What one of them had is told when it is read alone.
    auto announced = source_->Announce(folder, next);
    if (!announced && IsOfConnection(announced.error())) return announced;
    Batch batch;
    for (const SourceMail* const mail : next) {
      if (target.message_bytes_max != 0 && mail->size_bytes > target.message_bytes_max) {
        Failed(fmt::format("{}: the mail has {} bytes, more than mail.size_max allows", mail->place, mail->size_bytes));
        continue;
      }
      RETURN_IF_ERROR(ReadInto(folder, mail, &batch));
    }
    RETURN_IF_ERROR(Send(target, &batch));
    progress_->Add({.mails = next.size(), .bytes = batch.size_bytes});
  }
  return {};
}

Result<> ImportRun::ReadInto(const SourceFolder& folder, const SourceMail* mail, Batch* batch) {
  auto bytes = source_->Read(folder, *mail);
  TellFaults();
  if (!bytes && IsOfConnection(bytes.error())) return std::move(bytes).error();
  if (!bytes || bytes->empty()) {
    Failed(fmt::format("{}: {}", mail->place, bytes ? "the mail is empty" : bytes.error().message()));
    return {};
  }
  // No client could be sent a NUL (RFC 3501 §9, CHAR8). Dovecot shows 0x80 in its place.
  std::ranges::replace(*bytes, '\0', '\x80');
  batch->size_bytes += bytes->size();
  batch->mails.push_back(mail);
  batch->bytes.push_back(*std::move(bytes));
  return {};
}

Result<> ImportRun::Send(const Target& target, Batch* batch) {
  const auto give_up_at = std::chrono::steady_clock::now() + options_.busy_max;
  Batch left = std::exchange(*batch, {.mails = {}, .bytes = {}, .size_bytes = batch->size_bytes});
  while (!left.mails.empty()) {
    ASSIGN_OR_RETURN(const json::object answer, Ask(target, left));
    const json::value* const outcomes = answer.if_contains("mails");
    if (outcomes == nullptr || !outcomes->is_array() || outcomes->get_array().size() != left.mails.size()) {
      return Error(Errc::kUnsupported,
                   "the node's answer makes no sense; node and program must be of the same version");
    }
    Batch busy;
    for (std::size_t i = 0; i < left.mails.size(); ++i) {
      const json::object* const outcome = outcomes->get_array()[i].if_object();
      RETURN_IF_ERROR(Note(*left.mails[i], &left.bytes[i], outcome != nullptr ? *outcome : json::object(), &busy));
    }
    if (busy.mails.empty()) return {};
    if (std::chrono::steady_clock::now() > give_up_at) {
      return Error(Errc::kBusy, "the node has been too busy for too long; run the same command again later");
    }
    std::this_thread::sleep_for(kBusyPause);
    left = std::move(busy);
  }
  return {};
}

Result<json::object> ImportRun::Ask(const Target& target, const Batch& batch) {
  json::array mails;
  for (std::size_t i = 0; i < batch.mails.size(); ++i) {
    mails.push_back(DescribeMail(*batch.mails[i], batch.bytes[i].size(), target.keeps_uids));
  }
  auto answer = node_->CallWithBody("mailbox.import", {{"id", target.id}, {"mails", std::move(mails)}}, batch.bytes);
  return answer;
}

Result<> ImportRun::Note(const SourceMail& mail, std::string* bytes, const json::object& outcome, Batch* busy) {
  if (outcome.contains("uid")) {
    const bool was_there = FlagOf(outcome, "was_there");
    report_.were_there += was_there ? 1 : 0;
    report_.imported += was_there ? 0 : 1;
    report_.bytes += was_there ? 0 : bytes->size();
    return {};
  }
  const std::string code = TextOf(outcome, "code");
  const std::string sentence = TextOf(outcome, "error");
  if (code == ToString(Errc::kExists) && mail.uid != 0) {
    again_.push_back(mail);
    again_.back().uid = 0;
    return {};
  }
  if (code == ToString(Errc::kBusy)) {
    busy->mails.push_back(&mail);
    busy->bytes.push_back(std::move(*bytes));
    return {};
  }
  // What the next mail would meet as well.
  for (const Errc fatal : {Errc::kNoSpace, Errc::kReadOnly, Errc::kIo, Errc::kCorrupt, Errc::kNotFound}) {
    if (code == ToString(fatal)) return Error(fatal, fmt::format("{}; run the same command again to go on", sentence));
  }
  Failed(fmt::format("{}: {}", mail.place, sentence));
  return {};
}

void ImportRun::TellFaults() {
  for (const std::string& fault : source_->TakeFaults()) Failed(fault);
}

void ImportRun::Failed(const std::string& sentence) {
  report_.failed += 1;
  progress_->Finish();
  tell_(Printable(sentence));
}

}  // namespace app
