// Conversation: what the commands of one session share.
#pragma once

#include <optional>
#include <string>

#include "async/turn.h"
#include "imap/server/change_feed.h"
#include "imap/server/mailbox_view.h"
#include "imap/server/output.h"
#include "imap/server/settings.h"
#include "store/types.h"

namespace imap {

// The mailbox that is selected.
struct Selected {
  store::MailboxId id;
  bool read_only = false;
  bool gone = false;  // Somebody deleted it: the session has to end (RFC 2180 §3).
  MailboxView view;
};

// Owned by the session; commands get a pointer that is never null and outlives them. One command runs at a time, so
// nothing here changes behind a command's back but what it calls itself.
struct Conversation {
  Conversation(net::Connection* connection, const Settings* settings_in, const Services* services_in)
      : out(connection, settings_in->transfer_timeout), settings(settings_in), services(services_in) {}

  store::MailStore* store() const { return services->store; }
  bool logged_in() const { return !address.empty(); }

  Output out;
  const Settings* settings;
  const Services* services;
  std::string address;  // Of the account; empty: not logged in.
  store::AccountId account;
  std::optional<Selected> selected;
  bool condstore = false;          // The client is told MODSEQs (RFC 7162 §3.1).
  async::Turn turn;                // Passed on by commands that compute for long.
  std::optional<ChangeFeed> feed;  // There while the session runs.
};

// From now on the client is told MODSEQs; how far it knows the selected mailbox, at once. Any number of times.
void EnableCondstore(Conversation* c);

// Takes over what has changed in the selected mailbox and tells the client (into the output buffer). Does nothing
// without a selected mailbox. When the store fails the changes stay for the next time.
async::Task<void> TellChanges(Conversation* c, MailboxView::Expunges expunges);
// The same for commands that must be answered whatever the store does: it is waited for a moment only.
async::Task<void> TellChangesInTime(Conversation* c, MailboxView::Expunges expunges);

}  // namespace imap
