#include "app/transfer_commands.h"

#include <fstream>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/commands_password.h"
#include "app/commands_text.h"
#include "transfer/imap_source.h"
#include "transfer/maildir_source.h"
#include "transfer/maildir_target.h"
#include "transfer/mbox_source.h"
#include "transfer/mbox_target.h"

namespace app {

using base::Result;
using transfer::MaildirLayout;

TransferSubcommands::TransferSubcommands(CLI::App* root, Invocation* invocation) : invocation_(invocation) {
  CLI::App* const import = root->add_subcommand("import", "Bring mail from another mail system into an account");
  import->require_subcommand(1);
  import->footer("Example:\n  posthorn import maildir alice@example.test /home/alice/Maildir");
  AddImportMaildir(import);
  AddImportMbox(import);
  AddImportImap(import);
  CLI::App* const group = root->add_subcommand("export", "Write the mail of an account to files");
  group->require_subcommand(1);
  group->footer("Example:\n  posthorn export maildir alice@example.test /mnt/backup/alice");
  AddExportMaildir(group);
  AddExportMbox(group);
}

CLI::App* TransferSubcommands::AddImport(CLI::App* group, const char* name, const char* description) {
  CLI::App* const command = group->add_subcommand(name, description);
  command->add_option("ADDRESS", import_.address, "The account, which exists")->required()->type_name("");
  command->add_option("--mailbox", import_.mailboxes, "Only this mailbox (may be repeated)")->type_name("NAME");
  command->add_flag("--new-uids", import_.new_uids, "Give mail new UIDs where a mailbox cannot keep the old ones");
  command->add_flag("--dry-run", import_.is_dry_run, "Read the source and say what there is; import nothing");
  command->add_flag("--quiet", is_quiet_, "Show no progress");
  return command;
}

void TransferSubcommands::AddImportMaildir(CLI::App* group) {
  CLI::App* const command = AddImport(
      group, "maildir", "Import a Maildir with its folders, flags, dates, and the UIDs of Dovecot or Courier");
  command->add_option("PATH", path_, "The Maildir (the folder that has cur, new and tmp)")->required()->type_name("");
  command->add_option("--layout", layout_, "How folders lie: maildir++ (.Work.2026) or fs (Work/2026)")
      ->check(CLI::IsMember({"maildir++", "fs"}))
      ->type_name("LAYOUT");
  command
      ->add_option("--uidl-format", uidl_format_, "pop3_uidl_format of the Dovecot that used it (default %08Xu%08Xv)")
      ->type_name("FORMAT");
  command->footer(
      "Run it again after an interruption, or to fetch what is new: each mail is imported once.\n"
      "Exit codes: 0 all was imported, 1 something could not be (said on standard error), 75 no node.\n"
      "Example:\n  posthorn import maildir alice@example.test /home/alice/Maildir");
  invocation_->SetAction(command, [this] { return ImportMaildir(); });
}

Result<pop3::proto::UidlFormat> TransferSubcommands::UidlFormatGiven() const {
  return pop3::proto::UidlFormat::Parse(uidl_format_.empty() ? pop3::proto::UidlFormat::kDefault : uidl_format_);
}

int TransferSubcommands::ImportMaildir() {
  transfer::MaildirSourceOptions options{
      .path = path_, .layout = layout_ == "fs" ? MaildirLayout::kDirectories : MaildirLayout::kMaildirPlusPlus};
  auto format = UidlFormatGiven();
  if (!format) {
    invocation_->Fail(format.error());
    return kExitUsage;
  }
  options.uidl_format = *std::move(format);
  auto source = transfer::MaildirSource::Open(std::move(options));
  if (!source) return invocation_->Fail(source.error());
  return Import(&*source);
}

void TransferSubcommands::AddImportMbox(CLI::App* group) {
  CLI::App* const command =
      AddImport(group, "mbox", "Import an mbox file with its flags, dates, and the UIDs of Dovecot or c-client");
  command->get_option("--mailbox")->description("The mailbox that it goes into (default INBOX)")->expected(1);
  command->add_option("PATH", path_, "The file; nobody may write to it meanwhile")->required()->type_name("");
  command->add_option("--quoting", quoting_, "How lines \"From \" are quoted: mboxrd, mboxo or none")
      ->check(CLI::IsMember({"mboxrd", "mboxo", "none"}))
      ->type_name("KIND");
  command
      ->add_option("--uidl-format", uidl_format_,
                   "How the POP3 server there made ids of UIDs (default %08Xu%08Xv, Dovecot's; c-client's: %08Xv%08Xu)")
      ->type_name("FORMAT");
  command->footer(
      "Run it again after an interruption: each mail is imported once.\n"
      "Exit codes: 0 all was imported, 1 something could not be (said on standard error), 75 no node.\n"
      "Example:\n  posthorn import mbox alice@example.test /var/mail/alice\n"
      "  posthorn import mbox alice@example.test mail/work --mailbox Work");
  invocation_->SetAction(command, [this] { return ImportMbox(); });
}

int TransferSubcommands::ImportMbox() {
  transfer::MboxSourceOptions options{.path = path_};
  if (!import_.mailboxes.empty()) options.mailbox = import_.mailboxes.front();
  if (quoting_ == "mboxo") options.quoting = transfer::MboxQuoting::kMboxo;
  if (quoting_ == "none") options.quoting = transfer::MboxQuoting::kNone;
  import_.mailboxes.clear();
  auto format = UidlFormatGiven();
  if (!format) {
    invocation_->Fail(format.error());
    return kExitUsage;
  }
  options.uidl_format = *std::move(format);
  auto source = transfer::MboxSource::Open(std::move(options));
  if (!source) return invocation_->Fail(source.error());
  return Import(&*source);
}

void TransferSubcommands::AddImportImap(CLI::App* group) {
  CLI::App* const command =
      AddImport(group, "imap", "Import from a running IMAP server, with flags, dates and UIDs; changes nothing there");
  command->add_option("URL", path_, "imap://user@host[:port] (with STARTTLS) or imaps://user@host[:port]")
      ->required()
      ->type_name("");
  command->add_option("--password-file", password_file_, "File whose first line is the password there")
      ->type_name("FILE");
  command->add_flag("--password-stdin", password_stdin_, "Read the password there from standard input");
  command->add_option("--ca-file", ca_file_, "PEM file of the certificate authorities to trust (default: the system's)")
      ->type_name("FILE");
  command->add_flag("--no-verify-tls", no_verify_tls_, "Take any certificate: whoever is in between can read all");
  command->add_flag("--allow-plaintext", allow_plaintext_, "Log in without TLS where the server offers none");
  command->add_option("--uidl-format", uidl_format_, "pop3_uidl_format of the Dovecot there (default %08Xu%08Xv)")
      ->type_name("FORMAT");
  command->footer(
      "Run it again after an interruption, or to fetch what is new: each mail is imported once.\n"
      "Exit codes: 0 all was imported, 1 something could not be (said on standard error), 75 no node.\n"
      "Example:\n  posthorn import imap alice@example.test imaps://alice@old.example.test");
  invocation_->SetAction(command, [this] { return ImportImap(); });
}

Result<std::string> TransferSubcommands::ImapPassword(const std::string& user) const {
  if (password_stdin_) return ReadPasswordLine(invocation_->terminal().in);
  if (password_file_.empty()) return AskForPasswordOnce(user);
  std::ifstream file(password_file_);
  if (!file) return base::Error(base::Errc::kNotFound, "cannot read " + password_file_);
  return ReadPasswordLine(&file);
}

int TransferSubcommands::ImportImap() {
  transfer::ImapSourceOptions options{
      .verifies_tls = !no_verify_tls_, .ca_file = ca_file_, .allows_plaintext = allow_plaintext_};
  auto url = transfer::ParseImapUrl(path_);
  auto format = UidlFormatGiven();
  if (!url || !format) {
    invocation_->Fail(url ? format.error() : url.error());
    return kExitUsage;
  }
  options.url = *std::move(url);
  options.uidl_format = *std::move(format);
  auto password = ImapPassword(options.url.user);
  if (!password) return invocation_->Fail(password.error());
  options.password = *std::move(password);
  if (no_verify_tls_) {
    *invocation_->terminal().err << "posthorn: the server's certificate is not verified: whoever is in between can "
                                    "read the password and all mail\n";
  }
  auto source = transfer::ImapSource::Open(std::move(options));
  if (!source) {
    invocation_->Fail(source.error());
    return kExitFailed;  // It is not our node that does not run.
  }
  return Import(&*source);
}

int TransferSubcommands::Import(transfer::MailSource* source) {
  TransferNode node([this] { return invocation_->ConnectToNode(); });
  if (auto opened = node.Open(); !opened) return invocation_->Fail(opened.error());
  TransferProgress progress(invocation_->terminal().err, StyleFor(invocation_->terminal().err, is_quiet_), &clock_);
  const auto tell = [this](const std::string& sentence) {
    *invocation_->terminal().err << "posthorn: " << sentence << '\n';
  };
  const auto report = ImportRun(&node, source, import_, &progress, tell).Run();
  if (!report) return invocation_->Fail(report.error());
  return PrintReport(*report);
}

int TransferSubcommands::PrintReport(const ImportReport& report) const {
  const int code = report.failed == 0 ? kExitOk : kExitFailed;
  if (invocation_->is_json()) {
    invocation_->PrintJson(ToJson(report));
    return code;
  }
  std::string text = fmt::format("{} {} mails ({}) of {} mailboxes", import_.is_dry_run ? "there are" : "imported",
                                 report.imported, ReadableBytes(report.bytes), report.mailboxes);
  if (report.were_there > 0) text += fmt::format("; {} were there already", report.were_there);
  if (report.flags_changed > 0) {
    text += fmt::format("; {} of these got the flags that they have there now", report.flags_changed);
  }
  if (report.flags_kept > 0) {
    text += fmt::format("; {} have other flags there, but were changed here", report.flags_kept);
  }
  if (report.new_uids > 0) text += fmt::format("; {} got new UIDs, since mail arrived meanwhile", report.new_uids);
  if (report.failed > 0) text += fmt::format("; {} could not be taken", report.failed);
  invocation_->out() << text << '\n';
  return code;
}

CLI::App* TransferSubcommands::AddExport(CLI::App* group, const char* name, const char* description) {
  CLI::App* const command = group->add_subcommand(name, description);
  command->add_option("ADDRESS", export_.address, "The account")->required()->type_name("");
  command->add_option("--mailbox", export_.mailboxes, "Only this mailbox (may be repeated)")->type_name("NAME");
  command->add_flag("--quiet", is_quiet_, "Show no progress");
  return command;
}

void TransferSubcommands::AddExportMaildir(CLI::App* group) {
  CLI::App* const command =
      AddExport(group, "maildir", "Write a Maildir with folders, flags, dates and UIDs, as Dovecot reads it");
  command->add_option("PATH", path_, "A folder: missing, empty, or of an earlier export of this account")
      ->required()
      ->type_name("");
  command->add_option("--layout", layout_, "How folders lie: maildir++ (.Work.2026) or fs (Work/2026)")
      ->check(CLI::IsMember({"maildir++", "fs"}))
      ->type_name("LAYOUT");
  command->footer(
      "Run it again after an interruption: what is written already stays.\n"
      "Exit codes: 0 all was written, 1 something could not be (said on standard error), 75 no node.\n"
      "Example:\n  posthorn export maildir alice@example.test /mnt/backup/alice");
  invocation_->SetAction(command, [this] { return ExportMaildir(); });
}

int TransferSubcommands::ExportMaildir() {
  const MaildirLayout layout = layout_ == "fs" ? MaildirLayout::kDirectories : MaildirLayout::kMaildirPlusPlus;
  auto target = transfer::MaildirTarget::Open(path_, layout, export_.address);
  if (!target) return invocation_->Fail(target.error());
  return Export(&*target);
}

void TransferSubcommands::AddExportMbox(CLI::App* group) {
  CLI::App* const command = AddExport(group, "mbox", "Write mbox files (mboxrd) with flags, dates and UIDs");
  command
      ->add_option("PATH", path_,
                   "A folder: missing, empty, or of an earlier export of this account. With one --mailbox: a file")
      ->required()
      ->type_name("");
  command->footer(
      "Run it again after an interruption: files that are written already stay.\n"
      "Exit codes: 0 all was written, 1 something could not be (said on standard error), 75 no node.\n"
      "Example:\n  posthorn export mbox alice@example.test /mnt/backup/alice\n"
      "  posthorn export mbox alice@example.test work.mbox --mailbox Work");
  invocation_->SetAction(command, [this] { return ExportMbox(); });
}

int TransferSubcommands::ExportMbox() {
  auto target = export_.mailboxes.size() == 1 ? transfer::MboxTarget::OpenFile(path_)
                                              : transfer::MboxTarget::OpenFolder(path_, export_.address);
  if (!target) return invocation_->Fail(target.error());
  return Export(&*target);
}

int TransferSubcommands::Export(transfer::MailTarget* target) {
  TransferNode node([this] { return invocation_->ConnectToNode(); });
  if (auto opened = node.Open(); !opened) return invocation_->Fail(opened.error());
  TransferProgress progress(invocation_->terminal().err, StyleFor(invocation_->terminal().err, is_quiet_), &clock_);
  const auto tell = [this](const std::string& sentence) {
    *invocation_->terminal().err << "posthorn: " << sentence << '\n';
  };
  const auto report = ExportRun(&node, target, export_, &progress, tell).Run();
  if (!report) return invocation_->Fail(report.error());
  return PrintReport(*report);
}

int TransferSubcommands::PrintReport(const ExportReport& report) const {
  const int code = report.failed == 0 ? kExitOk : kExitFailed;
  if (invocation_->is_json()) {
    invocation_->PrintJson(ToJson(report));
    return code;
  }
  std::string text = fmt::format("exported {} mails ({}) of {} mailboxes", report.exported, ReadableBytes(report.bytes),
                                 report.mailboxes);
  if (report.were_there > 0) text += fmt::format("; {} were there already", report.were_there);
  if (report.failed > 0) text += fmt::format("; {} could not be written", report.failed);
  invocation_->out() << text << '\n';
  return code;
}

}  // namespace app
