// The commands on whole mailboxes (RFC 3501 §6.3).
#pragma once

#include "async/asio.h"
#include "imap/proto/command.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"

namespace imap {

// All want a login.
async::Task<Reply> RunSelect(Conversation* c, Select select);
async::Task<Reply> RunCreate(Conversation* c, Create create);
async::Task<Reply> RunDelete(Conversation* c, Delete deletion);
async::Task<Reply> RunRename(Conversation* c, Rename rename);
async::Task<Reply> RunSubscribe(Conversation* c, Subscribe subscribe);
async::Task<Reply> RunStatus(Conversation* c, Status status);

}  // namespace imap
