// MailboxCommands: mailbox.list, mailbox.prepare, mailbox.mails, mailbox.read, mailbox.known, mailbox.flags,
// mailbox.import: what `posthorn import` and `posthorn export` are made of. docs/cli.md, "The control socket".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "admin/command_table.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "base/result.h"
#include "pop3/proto/uidl_format.h"
#include "replog/log.h"
#include "store/mail_store.h"

namespace admin {

// Thread: the node's shard. A mail is stored as APPEND stores one: in buffers of the pool, acknowledged when it is
// durable. The mails of one request are proposed in their order and wait for the disk together. Await Stop() before
// destruction, and before the store stops.
class MailboxCommands {
 public:
  // As in NodeParts.
  struct Parts {
    store::MailStore* store;
    const replog::Log* log;
    pop3::proto::UidlFormat uidl_format;
    std::uint64_t message_bytes_max;
  };
  MailboxCommands(async::Executor executor, Parts parts) : parts_(std::move(parts)), imports_(executor, "imports") {}

  void AddTo(CommandTable* table);
  async::Task<void> Stop() { return imports_.Stop(); }

 private:
  using Answer = async::Task<base::Result<boost::json::object>>;
  struct IncomingMail {
    store::ImportedMessage message;
    std::uint64_t size_bytes = 0;
  };
  struct Batch;

  Answer List(Arguments arguments);
  Answer Prepare(Arguments arguments);
  Answer Mails(Arguments arguments);
  Answer Read(Arguments arguments);
  Answer Known(Arguments arguments);
  Answer ImportFlags(Arguments arguments);
  Answer Import(Arguments arguments, RequestBody* body);

  async::Task<base::Result<store::AccountId>> FindAccount(std::string address);
  base::Result<std::vector<IncomingMail>> ParseMails(const Arguments& arguments, std::uint32_t uid_validity) const;
  base::Result<IncomingMail> ParseMail(const boost::json::object& mail, std::uint32_t uid_validity) const;
  // Reads one mail to its end, whatever is wrong with it.
  async::Task<base::Result<replog::Body>> Receive(std::uint64_t size_bytes, RequestBody* body);
  async::Task<void> Store(store::MailboxId mailbox, store::ImportedMessage message, replog::Body body,
                          std::shared_ptr<Batch> batch, std::size_t position);

  Parts parts_;
  async::TaskGroup imports_;
};

}  // namespace admin
