// GETQUOTA and GETQUOTAROOT (RFC 9208).
#pragma once

#include "async/asio.h"
#include "imap/proto/command.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"

namespace imap {

// All mailboxes of an account share one root, whose name is empty; an account without limits has none.
async::Task<Reply> RunGetQuota(Conversation* c, GetQuota quota);
async::Task<Reply> RunGetQuotaRoot(Conversation* c, GetQuotaRoot quota);

}  // namespace imap
