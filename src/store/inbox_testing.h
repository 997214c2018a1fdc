// For tests of what delivers: reads an INBOX as a client would find it.
#pragma once

#include <string>
#include <vector>

#include "store/testing.h"

namespace store {

// All mails of an account's INBOX, with their prefix, by UID.
inline std::vector<std::string> MailsOfInbox(TestNode& node, AccountId account) {
  const Mailbox inbox = node.Do(node.store().FindMailbox(account, "INBOX"));
  std::vector<std::string> mails;
  for (const std::uint32_t uid : node.Do(node.store().ListUids(inbox.id))) {
    std::string mail;
    for (;;) {
      const std::string piece = node.Do(node.store().ReadMessage(inbox.id, uid, mail.size(), 1u << 20));
      if (piece.empty()) break;
      mail += piece;
    }
    mails.push_back(std::move(mail));
  }
  return mails;
}

}  // namespace store
