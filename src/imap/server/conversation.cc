#include "imap/server/conversation.h"

#include "imap/proto/response.h"

namespace imap {
namespace {

void TakeOver(Conversation* c, const base::Result<store::Changes>& changes, MailboxView::Expunges expunges) {
  const bool not_found = !changes.has_value() && changes.error().code() == base::Errc::kNotFound;
  if (not_found || (changes.has_value() && changes->mailbox_gone)) {
    c->selected->gone = true;
  } else if (changes.has_value()) {
    RecentTracker& recent = *c->services->recent;
    c->selected->view.Apply(*changes, expunges, recent.Peek(c->selected->id), c->out.buffer());
    // What this client has been told of is not recent for others.
    if (!c->selected->read_only) recent.Claim(c->selected->id, c->selected->view.last_uid() + 1);
  }
}

}  // namespace

void EnableCondstore(Conversation* c) {
  if (c->condstore) return;
  c->condstore = true;
  if (!c->selected.has_value()) return;
  c->selected->view.TellModseqs(true);
  c->out.Add(StatusLine("*", Condition::kOk, CodeHighestModseq(c->selected->view.modseq()), "highest"));
}

async::Task<void> TellChanges(Conversation* c, MailboxView::Expunges expunges) {
  if (!c->selected.has_value()) co_return;
  const auto changes = co_await c->store()->ChangesSince(c->selected->id, c->selected->view.modseq());
  TakeOver(c, changes, expunges);
}

async::Task<void> TellChangesInTime(Conversation* c, MailboxView::Expunges expunges) {
  if (!c->selected.has_value()) co_return;
  const auto changes = co_await c->feed->Ask(c->selected->id, c->selected->view.modseq());
  if (changes.has_value()) TakeOver(c, *changes, expunges);
}

}  // namespace imap
