// ImportRun: brings the mail of a source into an account of a running node. docs/cli.md, "Moving mail";
// docs/decisions/0010.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "app/transfer_node.h"
#include "app/transfer_progress.h"
#include "base/result.h"
#include "transfer/mail_source.h"

namespace app {

struct ImportOptions {
  std::string address;
  std::vector<std::string> mailboxes;  // Only these, as they are called here; empty: all.
  bool new_uids = false;               // Give new UIDs where the old ones cannot be kept.
  bool is_dry_run = false;
  std::size_t batch_mails_max = 64;
  std::uint64_t batch_bytes_max = 1u << 20;  // A larger mail goes alone.
  std::chrono::seconds busy_max{120};        // How long a node that has no room in memory is asked again.
};

struct ImportReport {
  std::uint64_t mailboxes = 0;
  std::uint64_t imported = 0;
  std::uint64_t bytes = 0;
  std::uint64_t were_there = 0;     // Imported by an earlier run.
  std::uint64_t flags_changed = 0;  // Of those: they got the flags that they have at the source now.
  std::uint64_t flags_kept = 0;     // Of those: they have others there, but were changed here since.
  std::uint64_t new_uids = 0;       // Of the imported: not under their old UID, which was taken by then.
  std::uint64_t failed = 0;  // Mails, folders and lines of lists that could not be taken, each with its sentence.
};
boost::json::object ToJson(const ImportReport& report);

// Each mail is asked for by its origin first, and the node takes each origin once: so a run that was cut short, on
// whichever side, is simply started again. A mail that is known gets the flags that it has at the source now, unless
// anybody changed them here. Thread: one; calls block. Borrows node and source, which outlive it.
class ImportRun {
 public:
  // Gets a sentence for each thing that could not be taken.
  using Tell = std::function<void(const std::string&)>;
  ImportRun(TransferNode* node, transfer::MailSource* source, ImportOptions options, TransferProgress* progress,
            Tell tell)
      : node_(node), source_(source), options_(std::move(options)), progress_(progress), tell_(std::move(tell)) {}

  // Errors: what keeps all of it from going on. What single mails had is told and counted.
  base::Result<ImportReport> Run();

 private:
  // A mailbox as the node has it.
  struct Target {
    std::string id;
    std::uint32_t uid_validity = 0;
    bool keeps_uids = false;
    std::uint64_t message_bytes_max = 0;
  };
  struct Batch {
    std::vector<const transfer::SourceMail*> mails;
    std::vector<std::string> bytes;
    std::uint64_t size_bytes = 0;
  };
  struct Known {  // By an earlier run, or not.
    std::vector<const transfer::SourceMail*> there;
    std::vector<const transfer::SourceMail*> missing;
  };
  using Mails = std::vector<transfer::SourceMail>;

  base::Result<std::vector<transfer::SourceFolder>> ChooseFolders();
  base::Result<std::vector<std::pair<transfer::SourceFolder, Target>>> PrepareAll(
      std::vector<transfer::SourceFolder> folders);
  base::Result<std::uint32_t> GreatestUidValidity();
  base::Result<Target> Prepare(const transfer::SourceFolder& folder);
  base::Result<> ImportFolder(const transfer::SourceFolder& folder, Target* target);
  base::Result<Known> AskForKnown(const Target& target, const Mails& mails);
  base::Result<> BringFlags(const Target& target, const std::vector<const transfer::SourceMail*>& mails);
  base::Result<> SendFlags(const Target& target, boost::json::array mails);
  base::Result<> SendAll(const transfer::SourceFolder& folder, const Target& target,
                         const std::vector<const transfer::SourceMail*>& mails);
  base::Result<> ReadInto(const transfer::SourceFolder& folder, const transfer::SourceMail* mail, Batch* batch);
  base::Result<> Send(const Target& target, Batch* batch);
  base::Result<boost::json::object> Ask(const Target& target, const Batch& batch);
  // Mails whose UID was taken meanwhile go to `again_`, those that the node is too busy for to `busy`.
  base::Result<> Note(const transfer::SourceMail& mail, std::string* bytes, const boost::json::object& outcome,
                      Batch* busy);
  void TellFaults();
  void Failed(const std::string& sentence);

  TransferNode* node_;
  transfer::MailSource* source_;
  ImportOptions options_;
  TransferProgress* progress_;
  Tell tell_;
  ImportReport report_;
  std::vector<transfer::SourceMail> again_;  // Of the folder at work: to be imported with new UIDs, at its end.
};

}  // namespace app
