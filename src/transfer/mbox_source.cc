#include "transfer/mbox_source.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <unordered_set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "mail/digest.h"

namespace transfer {

using base::Errc;
using base::Error;
using base::Result;

namespace {

constexpr std::uint64_t kPieceBytes = 1u << 20;

}  // namespace

Result<MboxSource> MboxSource::Open(MboxSourceOptions options) {
  File file(::open(options.path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) return base::ErrnoError("open " + options.path, errno);
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return base::ErrnoError("look at " + options.path, errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::kInvalid, options.path + " is no regular file");
  return MboxSource(std::move(options), std::move(file));
}

Result<std::vector<SourceFolder>> MboxSource::Folders() {
  ASSIGN_OR_RETURN(const std::vector<MboxPlace> places, Scan());
  folder_ = {
      .mailbox = options_.mailbox, .place = options_.path, .uid_validity = 0, .uid_next = 0, .subscribed = false};
  mails_.clear();
  for (const MboxPlace& place : places) RETURN_IF_ERROR(AddMail(place));
  CountRepeated();
  ChooseUids();
  ChooseUidls();
  return std::vector{folder_};
}

void MboxSource::CountRepeated() {
  std::map<std::array<std::uint8_t, 16>, std::uint64_t> seen;
  for (SourceMail& mail : mails_) {
    const std::uint64_t number = seen[mail.origin]++;
    if (number == 0) continue;
    mail::Digest digest;
    digest.Update({reinterpret_cast<const char*>(mail.origin.data()), mail.origin.size()});
    digest.Update(fmt::format("again {}", number));
    mail.origin = digest.Finish();
  }
}

// UIDs without a UIDVALIDITY, or out of order, are none that a client could have kept.
void MboxSource::ChooseUids() {
  std::uint32_t uid_before = 0;
  bool ascends = true;
  for (const SourceMail& mail : mails_) {
    if (mail.uid == 0 || mail.uid == UINT32_MAX) continue;
    ascends = ascends && mail.uid > uid_before;
    uid_before = mail.uid;
    folder_.uid_next = std::max(folder_.uid_next, mail.uid + 1);
  }
  if (!ascends) AddFault(fmt::format("{}: its X-UID fields do not ascend; its mails get new UIDs", options_.path));
  if (ascends && folder_.uid_validity != 0) return;
  folder_.uid_validity = 0;
  for (SourceMail& mail : mails_) mail.uid = 0;
}

// A sender can write an X-UIDL too. Two mails with one UIDL would cost a client the second, so the first has it.
void MboxSource::ChooseUidls() {
  std::unordered_set<std::string> taken;
  for (SourceMail& mail : mails_) {
    // POP3 shows the INBOX only.
    if (folder_.mailbox != "INBOX") mail.uidl.clear();
    if (!mail.uidl.empty() && !taken.insert(mail.uidl).second) {
      AddFault(
          fmt::format("{}: an earlier mail has its X-UIDL {}; POP3 clients fetch it again", mail.place, mail.uidl));
      mail.uidl.clear();
    }
  }
  for (SourceMail& mail : mails_) {
    if (folder_.mailbox != "INBOX" || mail.uid == 0 || !mail.uidl.empty()) continue;
    std::string uidl = options_.uidl_format.Format(folder_.uid_validity, mail.uid);
    if (taken.insert(uidl).second) mail.uidl = std::move(uidl);
  }
}

Result<std::vector<MboxPlace>> MboxSource::Scan() {
  MboxScanner scanner;
  std::vector<MboxPlace> places;
  for (std::uint64_t offset = 0;;) {
    auto piece = ReadPart(file_.fd(), offset, kPieceBytes);
    if (!piece.has_value()) return std::move(piece).error().In(options_.path);
    scanner.Add(*piece);
    if (piece->empty()) scanner.Finish();
    for (const MboxPlace& place : scanner.Take()) places.push_back(place);
    if (places.size() > options_.mails_max) {
      return Error(Errc::kNoSpace, options_.path + " has more mails than can be imported");
    }
    if (piece->empty()) break;
    offset += piece->size();
  }
  if (scanner.has_rubbish() && places.empty()) {
    return Error(Errc::kInvalid, options_.path + " is no mbox: it does not begin with a line \"From sender date\"");
  }
  if (scanner.has_rubbish()) AddFault(options_.path + ": line 1: what stands before the first From line is left out");
  return places;
}

Result<> MboxSource::AddMail(const MboxPlace& place) {
  SourceMail mail;
  mail.place = fmt::format("{}: line {}", options_.path, place.line);
  mail.offset = place.offset;
  mail.size_bytes = place.size_bytes;
  mail.date_us = place.date_us;
  if (place.size_bytes > options_.mail_bytes_max) {
    AddFault(fmt::format("{}: the mail has {} bytes, more than can be imported", mail.place, place.size_bytes));
    return {};
  }
  auto text = ReadPart(file_.fd(), place.offset, place.size_bytes);
  if (!text.has_value()) return std::move(text).error().In(mail.place);
  MboxMail parsed = ParseMboxMail(*text, options_.quoting);
  if (parsed.uid_validity != 0 && mails_.empty()) {
    folder_.uid_validity = parsed.uid_validity;
    folder_.uid_next = parsed.uid_last == UINT32_MAX ? 0 : parsed.uid_last + 1;
  }
  if (parsed.is_pseudo) return {};
  mail.flags = std::move(parsed.flags);
  mail.uid = parsed.uid;
  mail.uidl = std::move(parsed.uidl);
  mail::Digest digest;
  digest.Update("mbox ");
  digest.Update(parsed.bytes);
  mail.origin = digest.Finish();
  mails_.push_back(std::move(mail));
  return {};
}

Result<std::vector<SourceMail>> MboxSource::Mails(const SourceFolder&) {
  return mails_;
}

Result<std::string> MboxSource::Read(const SourceFolder&, const SourceMail& mail) {
  ASSIGN_OR_RETURN(const std::string text, ReadPart(file_.fd(), mail.offset, mail.size_bytes));
  if (text.size() < mail.size_bytes) return Error(Errc::kInvalid, "the file became shorter while it was read");
  return ParseMboxMail(text, options_.quoting).bytes;
}

}  // namespace transfer
