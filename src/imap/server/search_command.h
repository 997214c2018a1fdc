// SEARCH and UID SEARCH (RFC 3501 §6.4.4).
#pragma once

#include "async/asio.h"
#include "imap/proto/command.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"

namespace imap {

// Reads as little as decides: the index in batches, headers where a key asks for them, bodies last and one part at a
// time. Other sessions of the shard get their turn after each message.
async::Task<Reply> RunSearch(Conversation* c, Search search);

}  // namespace imap
