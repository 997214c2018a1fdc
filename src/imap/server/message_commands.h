// STORE, COPY, EXPUNGE and CLOSE (RFC 3501 §6.4, RFC 4315, RFC 7162), MOVE (RFC 6851).
#pragma once

#include "async/asio.h"
#include "imap/proto/command.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"

namespace imap {

// All want a selected mailbox.
async::Task<Reply> RunStore(Conversation* c, Store store);
// MOVE too; its EXPUNGE responses are TellChanges()'s.
async::Task<Reply> RunCopy(Conversation* c, Copy copy);
// The EXPUNGE responses are TellChanges()'s, which the session calls after each command.
async::Task<Reply> RunExpunge(Conversation* c, Expunge expunge);
// Expunges silently unless read-only, and leaves the mailbox.
async::Task<Reply> RunClose(Conversation* c);

}  // namespace imap
