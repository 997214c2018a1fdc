// FETCH and UID FETCH (RFC 3501 §6.4.5).
#pragma once

#include "async/asio.h"
#include "imap/proto/command.h"
#include "imap/server/conversation.h"
#include "imap/server/reply.h"

namespace imap {

// Sends what was asked for, message by message: the index is read in batches, small bodies go out together in large
// writes, large ones in pieces of 64 KiB. Sets \Seen where a section is fetched without PEEK and the mailbox is
// selected for writing. A message that was expunged meanwhile is left out, and the reply says so.
async::Task<Reply> RunFetch(Conversation* c, Fetch fetch);

// One line "* n FETCH (FLAGS ...)" for a message of the selected mailbox; notes that the client knows these flags.
void TellFlags(Conversation* c, const store::Message& message);

}  // namespace imap
