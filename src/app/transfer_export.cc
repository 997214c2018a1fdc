#include "app/transfer_export.h"

#include <algorithm>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "app/commands_pages.h"
#include "app/commands_text.h"
#include "base/base64.h"
#include "pop3/proto/uidl_format.h"

namespace app {

namespace json = boost::json;
using base::Errc;
using base::Error;
using base::Result;
using pop3::proto::UidlFormat;
using transfer::TargetMail;

namespace {

TargetMail ParseMail(const json::object& row) {
  TargetMail mail{.uid = static_cast<std::uint32_t>(NumberOf(row, "uid")),
                  .flags = {},
                  .date_us = 0,
                  .size_bytes = NumberOf(row, "size"),
                  .uidl = TextOf(row, "uidl")};
  const json::value* const date = row.if_contains("date");
  if (date != nullptr && date->is_int64()) mail.date_us = date->get_int64();
  const json::value* const flags = row.if_contains("flags");
  if (flags == nullptr || !flags->is_array()) return mail;
  for (const json::value& flag : flags->get_array()) {
    if (flag.is_string()) mail.flags.emplace_back(flag.get_string());
  }
  return mail;
}

}  // namespace

json::object ToJson(const ExportReport& report) {
  return {{"mailboxes", report.mailboxes},
          {"exported", report.exported},
          {"bytes", report.bytes},
          {"were_there", report.were_there},
          {"failed", report.failed}};
}

Result<ExportReport> ExportRun::Run() {
  ASSIGN_OR_RETURN(std::vector<Mailbox> mailboxes, ListMailboxes());
  for (Mailbox& mailbox : mailboxes) {
    RETURN_IF_ERROR(ListMails(&mailbox));
    RETURN_IF_ERROR(Export(mailbox));
    mailbox.target.mails = {};
  }
  progress_->Finish();
  RETURN_IF_ERROR(target_->Finish());
  return report_;
}

Result<std::vector<ExportRun::Mailbox>> ExportRun::ListMailboxes() {
  std::vector<Mailbox> mailboxes;
  std::string after;
  do {
    ASSIGN_OR_RETURN(const json::object answer,
                     node_->Call("mailbox.list", {{"address", options_.address}, {"after", after}}));
    const json::value* const rows = answer.if_contains("mailboxes");
    if (rows == nullptr || !rows->is_array()) return Error(Errc::kUnsupported, "the node's answer makes no sense");
    uidl_format_ = TextOf(answer, "uidl_format");
    for (const json::value& value : rows->get_array()) {
      const json::object* const row = value.if_object();
      if (row == nullptr || !FlagOf(*row, "exists")) continue;
      Mailbox& mailbox = mailboxes.emplace_back();
      mailbox.id = TextOf(*row, "id");
      mailbox.target.name = TextOf(*row, "name");
      mailbox.target.uid_validity = static_cast<std::uint32_t>(NumberOf(*row, "uid_validity"));
      mailbox.target.uid_next = static_cast<std::uint32_t>(NumberOf(*row, "uid_next"));
      mailbox.target.subscribed = FlagOf(*row, "subscribed");
    }
    after = TextOf(answer, "next");
  } while (!after.empty());
  const auto is_wanted = [&](const Mailbox& mailbox) {
    return options_.mailboxes.empty() ||
           std::ranges::find(options_.mailboxes, mailbox.target.name) != options_.mailboxes.end();
  };
  for (const std::string& name : options_.mailboxes) {
    const auto is_called = [&](const Mailbox& mailbox) { return mailbox.target.name == name; };
    if (std::ranges::none_of(mailboxes, is_called)) {
      return Error(Errc::kNotFound, fmt::format("{} has no mailbox {}", options_.address, name));
    }
  }
  std::erase_if(mailboxes, [&](const Mailbox& mailbox) { return !is_wanted(mailbox); });
  return mailboxes;
}

Result<> ExportRun::ListMails(Mailbox* mailbox) {
  // Other servers make Dovecot's usual UIDLs of the UIDs themselves.
  const bool writes_uidls = mailbox->target.name == "INBOX" && uidl_format_ != UidlFormat::kDefault;
  const auto format = UidlFormat::Parse(uidl_format_);
  std::uint64_t after = 0;
  do {
    ASSIGN_OR_RETURN(const json::object answer,
                     node_->Call("mailbox.mails", {{"id", mailbox->id}, {"after", after}, {"limit", 1000}}));
    const json::value* const rows = answer.if_contains("mails");
    if (rows == nullptr || !rows->is_array()) return Error(Errc::kUnsupported, "the node's answer makes no sense");
    for (const json::value& row : rows->get_array()) {
      if (!row.is_object()) continue;
      TargetMail mail = ParseMail(row.get_object());
      if (mail.uidl.empty() && writes_uidls && format) {
        mail.uidl = format->Format(mailbox->target.uid_validity, mail.uid);
      }
      mailbox->target.mails.push_back(std::move(mail));
    }
    after = NumberOf(answer, "next");
  } while (after != 0);
  return {};
}

Result<> ExportRun::Export(const Mailbox& mailbox) {
  if (auto begun = target_->Begin(mailbox.target); !begun) {
    if (begun.error().code() != Errc::kInvalid) return begun;
    Failed(fmt::format("{}: {}", mailbox.target.name, begun.error().message()));
    return {};
  }
  report_.mailboxes += 1;
  TransferAmount total{.mails = mailbox.target.mails.size()};
  for (const TargetMail& mail : mailbox.target.mails) total.bytes += mail.size_bytes;
  progress_->Begin(mailbox.target.name, total);
  for (const TargetMail& mail : mailbox.target.mails) {
    RETURN_IF_ERROR(ExportMail(mailbox, mail));
    progress_->Add({.mails = 1, .bytes = mail.size_bytes});
  }
  RETURN_IF_ERROR(target_->End());
  for (const std::string& fault : target_->TakeFaults()) Failed(fault);
  return {};
}

Result<> ExportRun::ExportMail(const Mailbox& mailbox, const TargetMail& mail) {
  ASSIGN_OR_RETURN(const bool is_needed, target_->NeedsMail(mail));
  if (!is_needed) {
    report_.were_there += 1;
    return {};
  }
  auto bytes = Read(mailbox, mail);
  if (bytes) {
    RETURN_IF_ERROR(target_->Add(mail, *bytes));
    report_.exported += 1;
    report_.bytes += bytes->size();
    return {};
  }
  if (bytes.error().code() == Errc::kClosed || bytes.error().code() == Errc::kTimeout) return std::move(bytes).error();
  // Not found: expunged since.
  if (bytes.error().code() != Errc::kNotFound) {
    Failed(fmt::format("{}, UID {}: {}", mailbox.target.name, mail.uid, bytes.error().message()));
  }
  return {};
}

Result<std::string> ExportRun::Read(const Mailbox& mailbox, const TargetMail& mail) {
  std::string bytes;
  do {
    ASSIGN_OR_RETURN(const json::object answer,
                     node_->Call("mailbox.read", {{"id", mailbox.id}, {"uid", mail.uid}, {"offset", bytes.size()}}));
    ASSIGN_OR_RETURN(const std::string piece, base::DecodeBase64(TextOf(answer, "base64")));
    if (piece.empty() && mail.size_bytes > 0) return Error(Errc::kCorrupt, "the mail is shorter than its size says");
    bytes += piece;
  } while (bytes.size() < mail.size_bytes);
  return bytes;
}

void ExportRun::Failed(const std::string& sentence) {
  report_.failed += 1;
  progress_->Finish();
  tell_(Printable(sentence));
}

}  // namespace app
