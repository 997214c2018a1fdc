// posthorn import maildir|mbox|imap and posthorn export maildir|mbox. docs/cli.md, "Moving mail"
#pragma once

#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "app/commands_invocation.h"
#include "app/transfer_export.h"
#include "app/transfer_import.h"
#include "base/clock.h"
#include "base/result.h"
#include "pop3/proto/uidl_format.h"
#include "transfer/mail_source.h"
#include "transfer/mail_target.h"

namespace app {

// Holds what the options of these commands are parsed into. Borrows root and invocation, which outlive it.
class TransferSubcommands {
 public:
  TransferSubcommands(CLI::App* root, Invocation* invocation);
  TransferSubcommands(const TransferSubcommands&) = delete;
  TransferSubcommands& operator=(const TransferSubcommands&) = delete;

 private:
  CLI::App* AddImport(CLI::App* group, const char* name, const char* description);
  void AddImportMaildir(CLI::App* group);
  void AddImportMbox(CLI::App* group);
  int ImportMaildir();
  int ImportMbox();
  void AddImportImap(CLI::App* group);
  int ImportImap();
  base::Result<std::string> ImapPassword(const std::string& user) const;
  base::Result<pop3::proto::UidlFormat> UidlFormatGiven() const;
  int Import(transfer::MailSource* source);
  int PrintReport(const ImportReport& report) const;

  CLI::App* AddExport(CLI::App* group, const char* name, const char* description);
  void AddExportMaildir(CLI::App* group);
  void AddExportMbox(CLI::App* group);
  int ExportMaildir();
  int ExportMbox();
  int Export(transfer::MailTarget* target);
  int PrintReport(const ExportReport& report) const;

  Invocation* invocation_;
  base::SystemClock clock_;
  ImportOptions import_;
  ExportOptions export_;
  std::string path_;
  std::string layout_ = "maildir++";
  std::string quoting_ = "mboxrd";
  std::string uidl_format_;
  std::string password_file_;
  std::string ca_file_;
  bool password_stdin_ = false;
  bool no_verify_tls_ = false;
  bool allow_plaintext_ = false;
  bool is_quiet_ = false;
};

}  // namespace app
