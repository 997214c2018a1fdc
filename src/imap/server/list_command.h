// LIST and LSUB (RFC 3501 §6.3.8, RFC 3348, RFC 5258, RFC 6154).
#pragma once

#include "async/asio.h"
#include "imap/proto/command.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"

namespace imap {

// Wants a login. Whether a name has children and what it is for is told by every LIST.
async::Task<Reply> RunList(Conversation* c, List list);

}  // namespace imap
