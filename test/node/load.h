// A fixed, seeded load of SMTP, IMAP and POP3 on a node, and the node that it starts from.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/random.h"
#include "node/ledger.h"
#include "node/node_rig.h"

namespace node {

// A node at rest: accounts made, some mail in some mailboxes. Each run of a load begins with a copy of it.
struct Base {
  Folder folder;
  mffs::SimImage image{4096};
  Mailboxes imap;  // Of the account that the IMAP client uses.
  Mailboxes pop3;
};
// Errors end the test program: they say what did not work.
std::unique_ptr<Base> MakeBase();

// A copy of the base's folder for one run.
void CopyFolder(const Base& base, const Folder& to);

// Runs three clients at once, each on its own thread, until each has done its script or got an answer that is no yes.
Ledger RunLoad(NodeRig* rig, const Base& base, std::uint64_t seed);

// A mail with "X-Token: token" in its header and about `size` bytes of text.
std::string MakeMail(base::Random* random, const std::string& token, std::size_t size);

}  // namespace node
