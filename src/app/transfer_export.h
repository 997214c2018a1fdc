// ExportRun: writes the mail of an account of a running node to a target. docs/cli.md, "Moving mail".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "app/transfer_node.h"
#include "app/transfer_progress.h"
#include "base/result.h"
#include "transfer/mail_target.h"

namespace app {

struct ExportOptions {
  std::string address;
  std::vector<std::string> mailboxes;  // Only these; empty: all.
};

struct ExportReport {
  std::uint64_t mailboxes = 0;
  std::uint64_t exported = 0;
  std::uint64_t bytes = 0;
  std::uint64_t were_there = 0;  // Written by an earlier run.
  std::uint64_t failed = 0;      // Mails and mailboxes that could not be written, each with its sentence.
};
boost::json::object ToJson(const ExportReport& report);

// Thread: one; calls block. Borrows node and target, which outlive it. Memory: about 200 bytes a mail of the mailbox at
// work, and one mail.
class ExportRun {
 public:
  // Gets a sentence for each thing that could not be written.
  using Tell = std::function<void(const std::string&)>;
  ExportRun(TransferNode* node, transfer::MailTarget* target, ExportOptions options, TransferProgress* progress,
            Tell tell)
      : node_(node), target_(target), options_(std::move(options)), progress_(progress), tell_(std::move(tell)) {}

  // Errors: what keeps all of it from going on.
  base::Result<ExportReport> Run();

 private:
  struct Mailbox {
    std::string id;
    transfer::TargetMailbox target;
  };
  base::Result<std::vector<Mailbox>> ListMailboxes();
  base::Result<> ListMails(Mailbox* mailbox);
  base::Result<> Export(const Mailbox& mailbox);
  base::Result<> ExportMail(const Mailbox& mailbox, const transfer::TargetMail& mail);
  base::Result<std::string> Read(const Mailbox& mailbox, const transfer::TargetMail& mail);
  void Failed(const std::string& sentence);

  TransferNode* node_;
  transfer::MailTarget* target_;
  ExportOptions options_;
  TransferProgress* progress_;
  Tell tell_;
  std::string uidl_format_;  // Of the node's POP3 server.
  ExportReport report_;
};

}  // namespace app
